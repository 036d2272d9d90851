"""What earlier calls of a number left behind: that there was one, and its summary for the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Column, Double, Index, String, Table, Text, select

from compliance.database import Database, inserting, raising
from compliance.tables import metadata

past_calls: Final = Table(
    "past_calls",
    metadata,
    Column("call_sid", String(64), primary_key=True),
    Column("agent", String(64), nullable=False),
    Column("caller", String(64), nullable=False),  # E.164
    Column("ended_at", Double, nullable=False),  # seconds since 1970, UTC
    Column("summary", Text, nullable=False),
    Column("retention", String(32), nullable=False),  # the class whose lifetime it has
)
Index("past_calls_of_a_caller", past_calls.c.agent, past_calls.c.caller, past_calls.c.ended_at)


class PastCallsUnavailable(Exception):
    """The record cannot be read or written now: go on without it."""


@dataclass(frozen=True, slots=True)
class PastCall:
    """`caller` is E.164; `ended_at` in seconds since 1970; `retention` the class whose lifetime it has."""

    call_sid: str
    agent: str
    caller: str = field(repr=False)
    ended_at: float
    summary: str = field(repr=False)
    retention: str = "facts"


class PastCalls:
    """Every method blocks: call it from a thread. The schema is brought up to date at the first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def keep(self, call: PastCall) -> None:
        """Once a call: a second word on the same call changes nothing. Raises `PastCallsUnavailable`."""
        values = {column.name: getattr(call, column.name) for column in past_calls.columns}
        with raising(PastCallsUnavailable), self._database.transaction() as connection:
            once = inserting(connection, past_calls).values(values)
            connection.execute(once.on_conflict_do_nothing(index_elements=["call_sid"]))

    def latest(self, agent: str, caller: str) -> PastCall | None:
        """The newest call of this number (E.164) to this agent. Raises `PastCallsUnavailable`."""
        query = (
            select(past_calls)
            .where(past_calls.c.agent == agent, past_calls.c.caller == caller)
            .order_by(past_calls.c.ended_at.desc())
            .limit(1)
        )
        with raising(PastCallsUnavailable), self._database.transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else PastCall(**row._mapping)

    def close(self) -> None:
        self._database.close()
