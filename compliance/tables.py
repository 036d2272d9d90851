"""The schema of the record and of the outbox beside it, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text, text

SCHEMA: Final = "0003"  # the newest revision in `migrations/versions`

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
