"""Side effects are written down before they happen, and kept until the receiver has them.

    intended -> sent -> confirmed      the receiver answered with its record's identifier
                     -> intended       surely not taken (busy, unreachable): sent again later
                     -> unknown        it may have arrived: sent again later, with the same key
                     -> dead           refused, or tried too often: a person has to look

Writing the intent is idempotent by key; so is the receiver. Each entry is worked on by whoever holds its
claim; a claim of a worker that died runs out. What a rehearsal would do is never put in: the caller's duty.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, case, func, or_, select, update

from compliance.database import LOCK_WAIT_MS, Database, inserting, raising
from compliance.tables import outbox
from policies.vocabulary import NextAction

LEASE: Final = 60.0  # seconds a claim holds: longer than any request may take
REASON: Final = 200  # characters of a reason that are kept

Scalar = str | int | float | bool | None


class OutboxUnavailable(Exception):
    """The database cannot be read or written now: put the intent into the spool, or come back later."""


class ClaimLost(Exception):
    """The claim ran out and another worker has the entry: let go of it."""


class State(StrEnum):
    INTENDED = "intended"
    SENT = "sent"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Intent:
    """A side effect that somebody decided on; `number` tells several of one kind in one call apart.

    `channel` names who delivers it ("crm:csv"), `at` is seconds since 1970. Raises `ValueError` for a
    payload that is no JSON object of scalars.
    """

    call_sid: str
    kind: str
    number: int
    channel: str
    agent: str
    payload: Mapping[str, Scalar] = field(repr=False)
    at: float
    session: int = 1

    def __post_init__(self) -> None:
        try:
            msgspec.convert(msgspec.json.decode(written(self.payload)), dict[str, Scalar])
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            # Not chained: the message of the cause quotes what the caller said.
            fault = type(error).__name__
            raise ValueError(f"the payload of {self.key} cannot be kept: {fault}") from None

    @property
    def key(self) -> str:
        return f"{self.call_sid}:{self.kind}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row. `new` only in the answer of the `intend` that made it; no `next_at`: settled."""

    id: int
    key: str
    call_sid: str
    session: int
    kind: str
    channel: str
    agent: str
    payload: Mapping[str, Scalar] = field(repr=False)
    state: State
    attempts: int
    checks: int
    next_at: float | None
    claimed_by: str | None
    claimed_until: float | None
    created_at: float
    updated_at: float
    record_id: str
    verification: NextAction
    reason: str
    new: bool = False

    @property
    def number(self) -> int:
        return int(self.key.rpartition(":")[2])


def written(payload: Mapping[str, Scalar]) -> str:
    return msgspec.json.encode(dict(payload)).decode()


def unstored(intent: Intent) -> Entry:
    """The entry an intent will become when the database takes it from the spool."""
    return _entry({**_fresh(intent), "id": 0}, new=True)


class Outbox:
    """Every method blocks (call it from a thread) and may raise `OutboxUnavailable`.

    The methods that settle an entry want it as `due` or the method before returned it, and raise `ClaimLost`.
    Times are seconds since 1970. The schema is brought up to date at the first use.
    """

    def __init__(self, url: str, lock_wait_ms: int = LOCK_WAIT_MS) -> None:
        self._database = Database(url, lock_wait_ms)

    def close(self) -> None:
        self._database.close()

    def intend(self, intent: Intent) -> Entry:
        """Once per key: a second intent of the same key changes nothing and returns the entry that exists."""
        (entry,) = self.intend_all([intent])
        return entry

    def intend_all(self, intents: Sequence[Intent]) -> tuple[Entry, ...]:
        """All of them in one transaction, or none."""
        with self._transaction() as connection:
            return tuple(self._intend(connection, intent) for intent in intents)

    def due(self, now: float, limit: int, channels: Collection[str] | None = None) -> tuple[Entry, ...]:
        """Claim what has to be sent or read back by now, the longest overdue first."""
        found = select(outbox.c.id).where(
            outbox.c.next_at <= now, or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now)
        )
        if channels is not None:
            found = found.where(outbox.c.channel.in_(channels))
        found = found.order_by(outbox.c.next_at, outbox.c.id).limit(limit).with_for_update(skip_locked=True)
        claim = (
            update(outbox)
            .where(outbox.c.id.in_(found.scalar_subquery()))
            .values(claimed_by=uuid4().hex, claimed_until=now + LEASE)
            .returning(outbox)
        )
        with self._transaction() as connection:
            claimed = [_entry(row._asdict()) for row in connection.execute(claim)]
        return tuple(sorted(claimed, key=lambda entry: (entry.next_at or 0.0, entry.id)))

    def next_due(self, channels: Collection[str] | None = None) -> float | None:
        """When `due` will next find something, as far as is known now; None while all is settled."""
        ready = case(
            (outbox.c.claimed_until > outbox.c.next_at, outbox.c.claimed_until), else_=outbox.c.next_at
        )
        query = select(func.min(ready)).where(outbox.c.next_at.is_not(None))
        if channels is not None:
            query = query.where(outbox.c.channel.in_(channels))
        with self._transaction() as connection:
            earliest: float | None = connection.scalar(query)
        return earliest

    def sent(self, entry: Entry, now: float) -> Entry:
        """Before the request leaves; the claim is renewed for it."""
        return self._change(
            entry,
            now,
            {"state": State.SENT.value, "attempts": entry.attempts + 1, "claimed_until": now + LEASE},
        )

    def confirmed(self, entry: Entry, record_id: str, now: float, check_at: float | None = None) -> Entry:
        """The receiver has it. It is read back at `check_at`; None: never, it stays `unverified`."""
        values = {"state": State.CONFIRMED.value, "record_id": record_id, "reason": "", "next_at": check_at}
        return self._release(entry, now, values)

    def failed(
        self, entry: Entry, reason: str, retry_at: float, now: float, *, unsent: bool = False
    ) -> Entry:
        """To be sent again. `unsent`: no attempt so far can have arrived."""
        state = State.INTENDED if unsent else State.UNKNOWN
        return self._release(
            entry, now, {"state": state.value, "reason": reason[:REASON], "next_at": retry_at}
        )

    def dead(self, entry: Entry, reason: str, now: float) -> Entry:
        return self._release(
            entry, now, {"state": State.DEAD.value, "reason": reason[:REASON], "next_at": None}
        )

    def verified(self, entry: Entry, verification: NextAction, now: float) -> Entry:
        """What reading back showed; `unverified` when it could not tell and never will."""
        values: dict[str, Scalar] = {
            "verification": verification.value,
            "checks": entry.checks + 1,
            "next_at": None,
        }
        return self._release(entry, now, values)

    def check_again(self, entry: Entry, at: float, now: float) -> Entry:
        return self._release(entry, now, {"checks": entry.checks + 1, "next_at": at})

    def of_call(self, call_sid: str) -> tuple[Entry, ...]:
        """In the order they were intended."""
        query = select(outbox).where(outbox.c.call_sid == call_sid).order_by(outbox.c.id)
        with self._transaction() as connection:
            return tuple(_entry(row._asdict()) for row in connection.execute(query))

    def dead_letters(self) -> tuple[Entry, ...]:
        query = select(outbox).where(outbox.c.state == State.DEAD.value).order_by(outbox.c.id)
        with self._transaction() as connection:
            return tuple(_entry(row._asdict()) for row in connection.execute(query))

    def _intend(self, connection: Connection, intent: Intent) -> Entry:
        made = connection.execute(
            inserting(connection, outbox)
            .values(_fresh(intent))
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(outbox)
        ).one_or_none()
        row = made or connection.execute(select(outbox).where(outbox.c.key == intent.key)).one()
        return _entry(row._asdict(), new=made is not None)

    def _release(self, entry: Entry, now: float, values: Mapping[str, Scalar]) -> Entry:
        return self._change(entry, now, {**values, "claimed_by": None, "claimed_until": None})

    def _change(self, entry: Entry, now: float, values: Mapping[str, Scalar]) -> Entry:
        """Only while nobody else has claimed it since."""
        change = (
            update(outbox)
            .where(outbox.c.id == entry.id, outbox.c.claimed_by == (entry.claimed_by or ""))
            .values({**values, "updated_at": now})
            .returning(outbox)
        )
        with self._transaction() as connection:
            row = connection.execute(change).one_or_none()
        if row is None:
            raise ClaimLost(entry.key)
        return _entry(row._asdict())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with raising(OutboxUnavailable), self._database.transaction() as connection:
            yield connection


def _fresh(intent: Intent) -> dict[str, Scalar]:
    return {
        "key": intent.key,
        "call_sid": intent.call_sid,
        "session": intent.session,
        "kind": intent.kind,
        "channel": intent.channel,
        "agent": intent.agent,
        "payload": written(intent.payload),
        "state": State.INTENDED.value,
        "attempts": 0,
        "checks": 0,
        "next_at": intent.at,
        "claimed_by": None,
        "claimed_until": None,
        "created_at": intent.at,
        "updated_at": intent.at,
        "record_id": "",
        "verification": NextAction.UNVERIFIED.value,
        "reason": "",
    }


def _entry(row: Mapping[str, object], *, new: bool = False) -> Entry:
    values = {str(name): value for name, value in row.items()}  # SQLAlchemy's names are a kind of their own
    values |= {"payload": msgspec.json.decode(str(row["payload"])), "new": new}
    return msgspec.convert(values, Entry)
