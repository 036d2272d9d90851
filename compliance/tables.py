"""The schema of the record and of the outbox beside it, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA: Final = "0005"  # the newest revision in `migrations/versions`

metadata: Final = MetaData()

# The two events a call can begin with. Written out, not bound: a query has to repeat the words of the partial
# index to profit from it; with it the newest of 200,000 calls are found without reading the rest.
OPENING: Final = text("kind IN ('call_announced', 'session_started')")

events: Final = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("call_sid", String(64), nullable=False),
    Column("at", Double, nullable=False),  # seconds since 1970, UTC
    Column("session", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts", Text, nullable=False),  # a JSON object
    sqlite_autoincrement=True,  # an id is never used twice, also after the newest rows were deleted
)
Index("events_of_a_call", events.c.call_sid, events.c.id)
Index("events_opening", events.c.id, sqlite_where=OPENING, postgresql_where=OPENING)

# Side effects, from the intent to the proof. A row without `next_at` is settled: nobody has to do anything.
UNSETTLED: Final = text("next_at IS NOT NULL")

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),  # {call_sid}:{kind}:{number}
    Column("call_sid", String(64), nullable=False),
    Column("session", Integer, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("channel", String(128), nullable=False),  # who delivers it, such as "crm:csv"
    Column("agent", String(64), nullable=False),
    Column("payload", Text, nullable=False),  # a JSON object of scalars; personal data
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),  # requests made
    Column("checks", Integer, nullable=False),  # read-backs made
    Column("next_at", Double),  # times are seconds since 1970, UTC
    Column("claimed_by", String(32)),
    Column("claimed_until", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("record_id", Text, nullable=False),  # the receiver's; empty until it answered
    Column("verification", String(16), nullable=False),
    Column("reason", String(200), nullable=False),  # of the last failure; no personal data
    sqlite_autoincrement=True,
)
Index("outbox_once", outbox.c.key, unique=True)
Index("outbox_of_a_call", outbox.c.call_sid, outbox.c.id)
Index(
    "outbox_due",
    outbox.c.channel,
    outbox.c.next_at,
    sqlite_where=UNSETTLED,
    postgresql_where=UNSETTLED,
)


def _id() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


# The stop button. Nothing is ever changed here but who took an order, and when: the rows are its history.
pauses: Final = Table(
    "pauses",
    metadata,
    _id(),
    Column("agent", String(64), nullable=False),  # "*" is every agent
    Column("paused", Boolean, nullable=False),  # False: it goes on
    Column("destination", String(64), nullable=False),  # empty: by the routes
    Column("by", String(200), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)
Index("pauses_of_an_agent", pauses.c.agent, pauses.c.id)

call_orders: Final = Table(
    "call_orders",
    metadata,
    _id(),
    Column("call_sid", String(64), nullable=False),
    Column("ends", Boolean, nullable=False),  # False: it goes to a person
    Column("destination", String(64), nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("at", Double, nullable=False),
    Column("taken_at", Double),  # by the process that has the call
    Column("taken_by", String(64), nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
Index("call_orders_open", call_orders.c.taken_at, call_orders.c.at)

follow_ups: Final = Table(
    "follow_ups",
    metadata,
    _id(),
    Column("key", String(160), nullable=False),  # {call_sid}:{kind}:{nth}
    Column("call_sid", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("nth", Integer, nullable=False, server_default="1"),  # of its kind in its call
    Column("owner", String(200), nullable=False),
    Column("language", String(16), nullable=False),
    Column("number", String(64), nullable=False),  # E.164; personal data
    Column("note", Text, nullable=False),  # redacted; may still be personal data
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("moved_at", Double),  # to the next owner, whose time to act starts then
    Column("told", String(16), nullable=False),  # the last thing its owner was told: created, due, overdue
    Column("done_at", Double),
    Column("done_by", String(200), nullable=False),
    Column("callback", String(16)),  # how far the callback is; none: it is no callback
    Column("window_start", Double),  # when the person wants to be called
    Column("window_end", Double),
    Column("zone", String(64), nullable=False, server_default=""),  # the person's, such as "Asia/Seoul"
    Column("attempts", Integer, nullable=False, server_default="0"),  # how often it was dialled
    Column("consent", String(200), nullable=False, server_default=""),  # how the person agreed to be called
    sqlite_autoincrement=True,
)
Index("follow_ups_once", follow_ups.c.key, unique=True)
Index("follow_ups_open", follow_ups.c.done_at, follow_ups.c.due_at)

Index("follow_ups_of_a_call", follow_ups.c.call_sid, follow_ups.c.id)

# Who did what to a follow-up; appended and never changed.
follow_up_history: Final = Table(
    "follow_up_history",
    metadata,
    _id(),
    Column("follow_up", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("at", Double, nullable=False),
    Column("by", String(200), nullable=False),  # empty: the program itself
    Column("what", String(32), nullable=False),
    Column("detail", String(200), nullable=False),  # no personal data of callers
    sqlite_autoincrement=True,
)
Index("follow_up_history_of_one", follow_up_history.c.follow_up, follow_up_history.c.id)

briefs: Final = Table(
    "briefs",
    metadata,
    Column("ref", String(64), primary_key=True),
    Column("call_sid", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("body", Text, nullable=False),  # a JSON object; personal data, redacted
    Column("created_at", Double, nullable=False),
)
# What the person who got a brief said of it, each time they said it; the last counts.
brief_answers: Final = Table(
    "brief_answers",
    metadata,
    _id(),
    Column("ref", String(64), nullable=False),
    Column("question", String(32), nullable=False),
    Column("yes", Boolean, nullable=False),
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)
Index("brief_answers_of_one", brief_answers.c.ref, brief_answers.c.id)

# Lifted, a row stays: who asked, who changed it, and when.
FORBIDDEN: Final = text("lifted_at IS NULL")

do_not_call: Final = Table(
    "do_not_call",
    metadata,
    _id(),
    Column("number", String(64), nullable=False),  # E.164; personal data
    Column("agent", String(64), nullable=False),  # "*" is every agent
    Column("source", String(64), nullable=False),
    Column("call_sid", String(64), nullable=False),  # the call it was asked for in; may be empty
    Column("at", Double, nullable=False),
    Column("lifted_at", Double),
    Column("lifted_by", String(200), nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "do_not_call_once",
    do_not_call.c.number,
    do_not_call.c.agent,
    unique=True,
    sqlite_where=FORBIDDEN,
    postgresql_where=FORBIDDEN,
)
