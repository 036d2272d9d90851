"""What calls left to do: each with an owner, a time by which it is due, and a state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from compliance.database import Database, DatabaseUnavailable, inserting, raising
from compliance.tables import follow_up_history, follow_ups

MOST: Final = 200


class FollowUpsUnavailable(DatabaseUnavailable):
    """It is not kept: say so in the record of the call, where a person will find it."""


class NoSuchFollowUp(Exception):
    """Name one that `fivegates follow-up list` shows."""


class FollowUpKind(StrEnum):
    CALLBACK = "callback"
    VOICEMAIL = "voicemail"
    MISSED_SLA = "missed_sla"
    UNVERIFIED_ACTION = "unverified_action"
    OPEN_QUESTION = "open_question"


class FollowUpState(StrEnum):
    OPEN = "open"
    DONE = "done"


class ToldOf(StrEnum):
    """What its owner was told last, in the order in which it can be told."""

    NOTHING = ""
    CREATED = "created"
    DUE = "due"
    OVERDUE = "overdue"


class CallbackState(StrEnum):
    REQUESTED = "requested"  # no time yet
    SCHEDULED = "scheduled"  # dialled when its window begins
    OFFERED = "offered"  # to the person who is to make it
    DIALING = "dialing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({CallbackState.DONE, CallbackState.CANCELLED})  # a failed one can be tried again


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The `nth` of its kind that a call left. `number` is E.164; times are seconds since 1970."""

    id: int
    call_sid: str
    agent: str
    kind: FollowUpKind
    reason: str
    owner: str
    language: str
    number: str = field(repr=False)
    note: str = field(repr=False)
    created_at: float
    due_at: float
    nth: int = 1
    told: ToldOf = ToldOf.NOTHING
    moved_at: float | None = None
    done_at: float | None = None
    done_by: str = ""
    callback: CallbackState | None = None
    window_start: float | None = None
    window_end: float | None = None
    zone: str = ""
    attempts: int = 0
    consent: str = ""

    def __post_init__(self) -> None:
        if not self.owner.strip():
            raise ValueError("a follow-up has an owner")

    @property
    def key(self) -> str:
        return f"{self.call_sid}:{self.kind}:{self.nth}"

    @property
    def open(self) -> bool:
        return self.done_at is None

    @property
    def state(self) -> FollowUpState:
        return FollowUpState.OPEN if self.open else FollowUpState.DONE


@dataclass(frozen=True, slots=True)
class Step:
    """Who did what to a follow-up. `by` is empty where the program itself did it."""

    at: float
    by: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Every method blocks, and raises `FollowUpsUnavailable`; those that name one may raise `NoSuchFollowUp`.

    What several processes may try at once answers None or False to all but one of them.
    """

    database: Database

    # -- by the call -------------------------------------------------------------------------------------

    def open(self, wanted: FollowUp) -> FollowUp:
        """Once a call, kind and `nth`: a second word on the same changes nothing. `wanted.id` is not used."""
        values = {name: getattr(wanted, name) for name in wanted.__slots__ if name != "id"} | {
            "key": wanted.key
        }
        if wanted.kind is FollowUpKind.CALLBACK and wanted.callback is None:
            values["callback"] = CallbackState.REQUESTED
        with raising(FollowUpsUnavailable), self.database.transaction() as connection:
            once = inserting(connection, follow_ups).values(_plain(values))
            made = connection.execute(
                once.on_conflict_do_nothing(index_elements=["key"]).returning(follow_ups)
            ).one_or_none()
            if made is not None:
                _note(connection, made.id, wanted.created_at, "", "opened", wanted.owner)
            row = made or connection.execute(select(follow_ups).where(follow_ups.c.key == wanted.key)).one()
        return _follow_up(row)

    # -- by people ---------------------------------------------------------------------------------------

    def assign(self, follow_up: int, owner: str, by: str = "", at: float | None = None) -> FollowUp:
        """`at`: now, unless told. Whoever gets it was told of nothing yet, and has the grace anew."""
        if not owner.strip():
            raise ValueError("a follow-up has an owner")
        at = time.time() if at is None else at
        values = {"owner": owner[:200], "told": ToldOf.NOTHING, "moved_at": at}
        changed = self._change(
            follow_up, values, at, by, "assigned", owner, follow_ups.c.owner != owner[:200]
        )
        return changed or self._one(follow_up)

    def done(self, follow_up: int, by: str, at: float) -> FollowUp:
        """Once: who says so again changes nothing. A callback counts as made, and is dialled no more."""
        pending = func.coalesce(follow_ups.c.callback, "").not_in(["", *ENDED])
        values = {"done_at": at, "done_by": by[:200]}
        with raising(FollowUpsUnavailable), self.database.transaction() as connection:
            where = follow_ups.c.id == follow_up, follow_ups.c.done_at.is_(None)
            connection.execute(
                update(follow_ups).where(*where, pending).values(callback=CallbackState.DONE.value)
            )
            if connection.execute(update(follow_ups).where(*where).values(values)).rowcount:
                _note(connection, follow_up, at, by, "done", "")
        return self._one(follow_up)

    def list(
        self, state: FollowUpState | None = None, owner: str | None = None, limit: int = MOST
    ) -> tuple[FollowUp, ...]:
        """The open ones with the first due first; the others, and all together, the newest first."""
        query = select(follow_ups)
        if owner is not None:
            query = query.where(follow_ups.c.owner == owner)
        match state:
            case FollowUpState.OPEN:
                query = query.where(_OPEN).order_by(follow_ups.c.due_at, follow_ups.c.id)
            case FollowUpState.DONE:
                query = query.where(~_OPEN).order_by(follow_ups.c.id.desc())
            case None:
                query = query.order_by(follow_ups.c.id.desc())
        return self._found(query.limit(limit))

    def of_call(self, call_sid: str) -> tuple[FollowUp, ...]:
        return self._found(
            select(follow_ups).where(follow_ups.c.call_sid == call_sid).order_by(follow_ups.c.id)
        )

    def history(self, follow_up: int) -> tuple[Step, ...]:
        """The oldest first."""
        query = select(follow_up_history).where(follow_up_history.c.follow_up == follow_up)
        with raising(FollowUpsUnavailable), self.database.transaction() as connection:
            rows = connection.execute(query.order_by(follow_up_history.c.id)).all()
        return tuple(Step(row.at, row.by, row.what, row.detail) for row in rows)

    # -- by the clock ------------------------------------------------------------------------------------

    def created(self) -> tuple[FollowUp, ...]:
        """Open, and its owner knows nothing of it."""
        return self._waiting(ToldOf.CREATED)

    def due(self, now: float) -> tuple[FollowUp, ...]:
        """Open and due, and its owner was not told that it is."""
        return self._waiting(ToldOf.DUE, follow_ups.c.due_at <= now)

    def overdue(self, now: float, grace: float) -> tuple[FollowUp, ...]:
        """Open, and its owner has let `grace` seconds pass since it was due, or since they got it."""
        since = func.coalesce(follow_ups.c.moved_at, follow_ups.c.due_at)
        return self._waiting(ToldOf.OVERDUE, since <= now - grace, follow_ups.c.due_at <= now - grace)

    def told(self, follow_up: int, what: ToldOf, at: float) -> bool:
        """True for one process only, which then tells. Nothing is told late: no "due" after "overdue"."""
        changed = self._change(follow_up, {"told": what}, at, "", "told", what.value, *_untold(what))
        return changed is not None

    def move_on(self, follow_up: int, next_owner: str, at: float) -> FollowUp | None:
        """From an owner who let it lie to the next, who has the grace anew. None: it is theirs, or done."""
        if not next_owner.strip():
            raise ValueError("a follow-up has an owner")
        values = {"owner": next_owner[:200], "moved_at": at, "told": ToldOf.DUE}
        theirs = follow_ups.c.owner == next_owner[:200]
        return self._change(follow_up, values, at, "", "moved on", next_owner, _OPEN, ~theirs)

    # -- callbacks ---------------------------------------------------------------------------------------

    def schedule(
        self, follow_up: int, start: float, end: float, zone: str, by: str, at: float
    ) -> FollowUp | None:
        """When the person is called. None: it is being made now, or there is nothing to make."""
        if not start < end:
            raise ValueError("a window ends after it begins")
        values = {
            "callback": CallbackState.SCHEDULED,
            "window_start": start,
            "window_end": end,
            "zone": zone[:64],
        }
        movable = follow_ups.c.callback.in_(
            [state.value for state in CallbackState if state not in ENDED | {CallbackState.DIALING}]
        )
        return self._change(follow_up, values, at, by, "scheduled", zone, _OPEN, movable)

    def callbacks(self, now: float) -> tuple[FollowUp, ...]:
        """Those to dial now: scheduled, and inside their window."""
        return self._found(
            select(follow_ups)
            .where(
                _OPEN,
                follow_ups.c.callback == CallbackState.SCHEDULED.value,
                follow_ups.c.window_start <= now,
                follow_ups.c.window_end > now,
            )
            .order_by(follow_ups.c.window_start, follow_ups.c.id)
        )

    def progress(
        self, follow_up: int, was: CallbackState, becomes: CallbackState, by: str, at: float
    ) -> FollowUp | None:
        """One step of a callback; None for all who come second. Made or cancelled, the follow-up is done."""
        if was in ENDED:
            raise ValueError(f"a callback that is {was} stays so")
        values: dict[str, object] = {"callback": becomes}
        if becomes is CallbackState.DIALING:
            values["attempts"] = follow_ups.c.attempts + 1
        if becomes in ENDED:
            values |= {"done_at": at, "done_by": by[:200]}
        only = follow_ups.c.callback == was.value
        return self._change(follow_up, values, at, by, "callback", becomes.value, _OPEN, only)

    # -- the rows ----------------------------------------------------------------------------------------

    def _change(
        self,
        follow_up: int,
        values: Mapping[str, object],
        at: float,
        by: str,
        what: str,
        detail: str,
        *only: ColumnElement[bool],
    ) -> FollowUp | None:
        """The row and its history together, or neither. None where `only` does not hold (any more)."""
        statement = update(follow_ups).where(follow_ups.c.id == follow_up, *only).values(_plain(values))
        with raising(FollowUpsUnavailable), self.database.transaction() as connection:
            row = connection.execute(statement.returning(follow_ups)).one_or_none()
            if row is not None:
                _note(connection, follow_up, at, by, what, detail)
        return None if row is None else _follow_up(row)

    def _one(self, follow_up: int) -> FollowUp:
        found = self._found(select(follow_ups).where(follow_ups.c.id == follow_up))
        if not found:
            raise NoSuchFollowUp(f"there is no follow-up {follow_up}")
        return found[0]

    def _waiting(self, of: ToldOf, *only: ColumnElement[bool]) -> tuple[FollowUp, ...]:
        query = select(follow_ups).where(*_untold(of), *only)
        return self._found(query.order_by(follow_ups.c.due_at, follow_ups.c.id).limit(MOST))

    def _found(self, query: Select[*tuple[Any, ...]]) -> tuple[FollowUp, ...]:
        with raising(FollowUpsUnavailable), self.database.transaction() as connection:
            return tuple(map(_follow_up, connection.execute(query)))


_OPEN: Final = follow_ups.c.done_at.is_(None)


def _untold(what: ToldOf) -> tuple[ColumnElement[bool], ...]:
    order = [*ToldOf]
    return _OPEN, follow_ups.c.told.in_([before.value for before in order[: order.index(what)]])


def _note(connection: Connection, follow_up: int, at: float, by: str, what: str, detail: str) -> None:
    values = {"follow_up": follow_up, "at": at, "by": by[:200], "what": what, "detail": detail[:200]}
    connection.execute(insert(follow_up_history).values(values))


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in values.items()}


def _follow_up(row: Row[*tuple[Any, ...]]) -> FollowUp:
    values = {name: value for name, value in row._asdict().items() if name != "key"}
    callback = values["callback"]
    return FollowUp(
        **{
            **values,
            "kind": FollowUpKind(values["kind"]),
            "told": ToldOf(values["told"]),
            "callback": None if callback is None else CallbackState(callback),
        }
    )
