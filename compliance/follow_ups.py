"""What calls left to do: each with an owner, a time by which it is due, and a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Row

from compliance.database import Database
from compliance.tables import follow_ups

MOST: Final = 200


class FollowUpKind(StrEnum):
    CALLBACK = "callback"
    VOICEMAIL = "voicemail"
    MISSED_SLA = "missed_sla"
    UNVERIFIED_ACTION = "unverified_action"
    OPEN_QUESTION = "open_question"


class ToldOf(StrEnum):
    """What its owner was told last."""

    NOTHING = ""
    CREATED = "created"
    DUE = "due"
    OVERDUE = "overdue"


class NoSuchFollowUp(Exception):
    """Name one that `fivegates follow-up list` shows."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One of a kind for each call. `number` is E.164; times are seconds since 1970."""

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
    told: ToldOf = ToldOf.NOTHING
    done_at: float | None = None
    done_by: str = ""

    @property
    def open(self) -> bool:
        return self.done_at is None


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Every method blocks, and raises `DatabaseUnavailable`."""

    database: Database

    def keep(self, wanted: FollowUp) -> FollowUp:
        """Once a call and kind: a second word on the same changes nothing. `wanted.id` is not used."""
        values = {
            "key": f"{wanted.call_sid}:{wanted.kind}",
            **{
                name: getattr(wanted, name)
                for name in (
                    "call_sid",
                    "agent",
                    "reason",
                    "owner",
                    "language",
                    "number",
                    "note",
                    "created_at",
                    "due_at",
                    "done_at",
                    "done_by",
                )
            },
            "kind": wanted.kind.value,
            "told": wanted.told.value,
        }
        with self.database.transaction() as connection:
            made = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
            statement = made(follow_ups).values(values).on_conflict_do_nothing(index_elements=["key"])
            connection.execute(statement)
            query = select(follow_ups).where(follow_ups.c.key == values["key"])
            return _follow_up(connection.execute(query).one())

    def listed(self, *, everything: bool = False, owner: str = "") -> tuple[FollowUp, ...]:
        """What is open, the first that is due first; or all of it, the newest first."""
        query = select(follow_ups)
        if owner:
            query = query.where(follow_ups.c.owner == owner)
        if everything:
            query = query.order_by(follow_ups.c.id.desc())
        else:
            query = query.where(follow_ups.c.done_at.is_(None)).order_by(follow_ups.c.due_at)
        with self.database.transaction() as connection:
            return tuple(map(_follow_up, connection.execute(query.limit(MOST))))

    def of_call(self, call_sid: str) -> tuple[FollowUp, ...]:
        query = select(follow_ups).where(follow_ups.c.call_sid == call_sid).order_by(follow_ups.c.id)
        with self.database.transaction() as connection:
            return tuple(map(_follow_up, connection.execute(query)))

    def assign(self, number: int, owner: str) -> FollowUp:
        """Raises `NoSuchFollowUp`."""
        return self._change(number, owner=owner[:200])

    def done(self, number: int, by: str, at: float) -> FollowUp:
        """Raises `NoSuchFollowUp`."""
        return self._change(number, done_at=at, done_by=by[:200])

    def due(self, now: float, grace: float) -> Sequence[tuple[FollowUp, ToldOf]]:
        """Whom to tell of what now: each is told once that it is due, and once that it is overdue."""
        found: list[tuple[FollowUp, ToldOf]] = []
        for each in self.listed():
            if each.told is ToldOf.NOTHING:
                found.append((each, ToldOf.CREATED))
            elif now >= each.due_at + grace and each.told is not ToldOf.OVERDUE:
                found.append((each, ToldOf.OVERDUE))
            elif now >= each.due_at and each.told is ToldOf.CREATED:
                found.append((each, ToldOf.DUE))
        return found

    def told(self, each: FollowUp, of: ToldOf, owner: str | None = None) -> bool:
        """True for one process only. An overdue one may go to the next `owner`."""
        values = {"told": of.value, **({"owner": owner} if owner else {})}
        statement = (
            update(follow_ups)
            .where(follow_ups.c.id == each.id, follow_ups.c.told == each.told.value)
            .values(values)
        )
        with self.database.transaction() as connection:
            return connection.execute(statement).rowcount == 1

    def _change(self, number: int, **values: object) -> FollowUp:
        statement = update(follow_ups).where(follow_ups.c.id == number).values(values).returning(follow_ups)
        with self.database.transaction() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise NoSuchFollowUp(f"there is no follow-up {number}")
        return _follow_up(row)


def _follow_up(row: Row[tuple[object, ...]]) -> FollowUp:
    values = {name: value for name, value in row._asdict().items() if name != "key"}
    return FollowUp(**{**values, "kind": FollowUpKind(values["kind"]), "told": ToldOf(values["told"])})
