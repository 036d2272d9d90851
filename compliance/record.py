"""Reading the record, also while a server is writing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from sqlalchemy import Row, Select, create_engine, event, inspect, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from compliance.events import Event, Fact, Kind
from compliance.tables import OPENING, events

OPENINGS: Final = 10  # how many sessions a call has at the most: one, two resumed, and room


class NoJournal(Exception):
    """Nothing was recorded here yet, or the data folder is another one."""


class JournalUnreadable(Exception):
    """There is a journal, but it cannot be read now."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    id: int
    event: Event


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call in a list; times are seconds since 1970. No outcome: it runs, or was cut by a crash."""

    call_sid: str
    agent: str
    caller: str
    called: str
    direction: str
    started_at: float
    ended_at: float | None
    outcome: str
    turns: int
    rehearsal: bool


class Record:
    """The reading side. Every method blocks: call it from a thread where others must not wait."""

    def __init__(self, url: str) -> None:
        """Raises `NoJournal` or `JournalUnreadable`."""
        address = make_url(url)
        sqlite = address.get_backend_name() == "sqlite"
        if sqlite and not Path(address.database or "").is_file():
            raise _no_journal(address.database)
        # A connection for each reading: readings come seldom, and from any thread.
        self._engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
        if sqlite:
            event.listen(self._engine, "connect", _prepare)
        try:
            with self._engine.connect() as connection:
                found = inspect(connection).has_table(events.name)
        except SQLAlchemyError as error:
            raise JournalUnreadable(f"the journal cannot be read: {type(error).__name__}") from error
        if not found:
            raise _no_journal(address.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def events(self, call_sid: str, after: int = 0) -> list[StoredEvent]:
        """The events of a call in the order they were recorded, from the one behind the id `after`."""
        query = select(events).where(events.c.call_sid == call_sid, events.c.id > after).order_by(events.c.id)
        return [_stored(row) for row in self._rows(query)]

    def calls(self, limit: int = 50) -> list[CallLine]:
        """The newest calls, the newest first."""
        # Only the newest openings are read: the list is as quick with 200,000 calls as with two hundred.
        query = select(events.c.call_sid).where(OPENING).order_by(events.c.id.desc()).limit(limit * OPENINGS)
        newest = list(dict.fromkeys(str(row.call_sid) for row in self._rows(query)))[:limit]
        lines = [_line(self.events(call_sid)) for call_sid in newest]
        return sorted(lines, key=lambda line: line.started_at, reverse=True)

    def _rows(self, query: Select[*tuple[Any, ...]]) -> list[Row[*tuple[Any, ...]]]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query))
        except SQLAlchemyError as error:
            raise JournalUnreadable(f"the journal cannot be read: {type(error).__name__}") from error


def _stored(row: Row[*tuple[Any, ...]]) -> StoredEvent:
    facts = msgspec.json.decode(row.facts, type=dict[str, Fact])
    return StoredEvent(row.id, Event(row.call_sid, row.at, Kind(row.kind), row.turn, row.session, facts))


def _line(stored: list[StoredEvent]) -> CallLine:
    record = [entry.event for entry in stored]
    opened = next((event.facts for event in record if event.kind is Kind.CALL_ANNOUNCED), {})
    ended = next((event for event in record if event.kind is Kind.CALL_ENDED), None)
    return CallLine(
        call_sid=record[0].call_sid,
        agent=str(opened.get("agent", "")),
        caller=str(opened.get("from", "")),
        called=str(opened.get("to", "")),
        direction=str(opened.get("direction", "")),
        started_at=record[0].at,
        ended_at=ended.at if ended else None,
        outcome=str(ended.facts.get("outcome", "")) if ended else "",
        turns=sum(event.kind is Kind.TURN_STARTED and not event.facts.get("merged") for event in record),
        rehearsal=opened.get("rehearsal") is True,
    )


def _no_journal(path: str | None) -> NoJournal:
    return NoJournal(
        f"there is no journal at {path}: no call was recorded yet, or FIVEGATES_DATA names another folder"
    )


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for setting in ("busy_timeout = 5000", "query_only = ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()
