"""Appending to the record beside the path of a call: told in a microsecond, written by one thread.

Loss window: an event is safe once its transaction is committed, normally within some 20 ms of `record`. A
process killed before that loses what it still held in memory, and so does one that ends while the database
is away. When the queue overflows, the record itself tells how many events of the call are missing
(`events_lost`). On SQLite a committed event outlives the process; a power cut may take those since the last
checkpoint (synchronous=NORMAL).
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict

import msgspec
import structlog
from sqlalchemy import insert

from compliance.database import FAULTS, bring_up_to_date, engine
from compliance.events import Event, Kind
from compliance.tables import events

CAPACITY: Final = 20_000  # events in memory while the database is away; about 20 MB
BATCH: Final = 1_000  # rows in one transaction
GATHER: Final = 0.02  # seconds: events of all calls share one commit
LOCK_WAIT_MS: Final = 5_000  # for another process to finish its transaction
RETRY_AFTER: Final = (0.1, 5.0)  # seconds: the first wait and the longest

log = structlog.get_logger()


class Row(TypedDict):
    call_sid: str
    at: float
    session: int
    turn: int
    kind: str
    facts: str


def journal_url(data: Path) -> str:
    """The journal of one machine: a SQLite file in the data folder."""
    return f"sqlite:///{data / 'journal.sqlite'}"


class Journal:
    """The writing side: a `Recorder`. Several processes may append to one journal.

    Opening never fails: a journal that cannot be opened or written is tried again until it can. Meanwhile its
    events wait in memory and `fault` says what is wrong. `flush` and `close` block: call them from a thread.
    """

    def __init__(self, url: str, capacity: int = CAPACITY) -> None:
        self._engine = engine(url, LOCK_WAIT_MS)
        self._capacity = capacity
        self._waiting: deque[tuple[float, Event]] = deque()  # with the time it was told; the oldest first
        self._lost: dict[str, tuple[int, Event]] = {}  # by call: how many, and the last of them
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._opened = False
        self._fault = ""
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        with self._changed:
            if len(self._waiting) >= self._capacity or self._closing.is_set():
                self._count_lost(event)
            else:
                self._waiting.append((time.monotonic(), event))
                self._changed.notify_all()

    @property
    def healthy(self) -> bool:
        """The last attempt to write succeeded."""
        return not self._fault

    @property
    def fault(self) -> str:
        """What the database said last, by the name of its error; empty when it is well."""
        return self._fault

    @property
    def lag(self) -> float:
        """How long the oldest event has been waiting to be written, in seconds."""
        with self._changed:
            return time.monotonic() - self._waiting[0][0] if self._waiting else 0.0

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was recorded is committed; False when the time (seconds) ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._lost, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is waiting and stop; False when some of it could not be written in time."""
        written = self.flush(timeout)
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout)
        if not written:
            _say(
                log.error,
                "journal closed with events unwritten",
                waiting=len(self._waiting),
                fault=self._fault,
            )
        return written

    # -- the writer's thread -----------------------------------------------------------------------------

    def _write_until_closed(self) -> None:
        waits = _backoff()
        try:
            while not self._closing.is_set():
                try:
                    self._write()
                except FAULTS as error:
                    self._failed(error)
                    self._closing.wait(next(waits))
                else:
                    waits = _backoff()
        finally:
            self._engine.dispose()

    def _write(self) -> None:
        """Open the journal if need be, wait for events, commit what has gathered."""
        if not self._opened:
            bring_up_to_date(self._engine)
            self._opened = True
            self._recovered()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
        self._closing.wait(GATHER)
        with self._changed:
            batch = [event for _, event in itertools.islice(self._waiting, BATCH)]
        rows = [_row(event) for event in batch]
        if whole := [row for row in rows if row is not None]:
            with self._engine.begin() as connection:
                connection.execute(insert(events), whole)
            self._recovered()
        with self._changed:
            for event, row in zip(batch, rows, strict=True):
                self._waiting.popleft()
                if row is None:
                    self._count_lost(event)
            self._tell_losses()
            self._changed.notify_all()

    def _count_lost(self, event: Event) -> None:
        count, _ = self._lost.get(event.call_sid, (0, event))
        self._lost[event.call_sid] = (count + 1, event)

    def _tell_losses(self) -> None:
        """Behind all that was waiting when they were lost, and before anything newer."""
        for count, last in self._lost.values():
            told = Event(last.call_sid, last.at, Kind.EVENTS_LOST, last.turn, last.session, {"count": count})
            self._waiting.append((time.monotonic(), told))
        if self._lost:
            _say(log.error, "journal lost events", count=sum(count for count, _ in self._lost.values()))
        self._lost.clear()

    def _failed(self, error: Exception) -> None:
        fault = type(error).__name__
        if fault != self._fault:
            _say(log.error, "journal cannot be written", fault=fault, waiting=len(self._waiting))
        self._fault = fault

    def _recovered(self) -> None:
        if self._fault:
            _say(log.info, "journal is written again", waiting=len(self._waiting))
        self._fault = ""


def _say(level: Callable[..., object], event: str, **facts: object) -> None:
    """Log, if anybody can be told: a broken pipe behind the log must not end the record."""
    with contextlib.suppress(OSError, ValueError):
        level(event, **facts)


def _backoff() -> itertools.chain[float]:
    first, longest = RETRY_AFTER
    doubling = itertools.takewhile(lambda wait: wait < longest, (first * 2**n for n in itertools.count()))
    return itertools.chain(doubling, itertools.repeat(longest))


def _row(event: Event) -> Row | None:
    """None for an event no database can hold; it must not keep the others from being written."""
    try:
        facts = msgspec.json.encode(dict(event.facts)).decode()
        event.call_sid.encode()
    except (TypeError, ValueError, OverflowError, msgspec.EncodeError) as error:
        _say(log.error, "journal cannot hold an event", kind=event.kind, fault=type(error).__name__)
        return None
    return Row(
        call_sid=event.call_sid,
        at=event.at,
        session=event.session,
        turn=event.turn,
        kind=event.kind.value,
        facts=facts,
    )
