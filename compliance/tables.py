"""The schema of the record: one append-only table, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text, text

SCHEMA: Final = "0001"  # the newest revision in `migrations/versions`

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
