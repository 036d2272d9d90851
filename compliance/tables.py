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

SCHEMA: Final = "0004"  # the newest revision in `migrations/versions`

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


# The stop button. Nothing is ever changed here but `taken_at`: the rows are its history.
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
    sqlite_autoincrement=True,
)
Index("call_orders_open", call_orders.c.taken_at, call_orders.c.at)

follow_ups: Final = Table(
    "follow_ups",
    metadata,
    _id(),
    Column("key", String(160), nullable=False),  # {call_sid}:{kind}
    Column("call_sid", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("language", String(16), nullable=False),
    Column("number", String(64), nullable=False),  # E.164; personal data
    Column("note", Text, nullable=False),  # redacted
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("told", String(16), nullable=False),  # the last thing its owner was told: created, due, overdue
    Column("done_at", Double),
    Column("done_by", String(200), nullable=False),
    sqlite_autoincrement=True,
)
Index("follow_ups_once", follow_ups.c.key, unique=True)
Index("follow_ups_open", follow_ups.c.done_at, follow_ups.c.due_at)

briefs: Final = Table(
    "briefs",
    metadata,
    Column("ref", String(64), primary_key=True),
    Column("call_sid", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("language", String(16), nullable=False),
    Column("body", Text, nullable=False),  # a JSON object; personal data, redacted
    Column("created_at", Double, nullable=False),
    Column("answers", Text, nullable=False),  # a JSON object: question to "yes" or "no"
)
do_not_call: Final = Table(
    "do_not_call",
    metadata,
    Column("number", String(64), primary_key=True),  # E.164; personal data
    Column("source", String(64), nullable=False),
    Column("at", Double, nullable=False),
)
