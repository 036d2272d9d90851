"""The stop button's shared state: agents that are paused, live calls taken out of an agent's hands.

Kept in the database, so that one command reaches every worker of every machine. Nothing is overwritten: the
newest row of an agent tells how it stands, the older ones tell who pressed the button when, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, Select, func, insert, select, update

from compliance.database import Database, DatabaseUnavailable, raising
from compliance.tables import call_orders, pauses

EVERY_AGENT: Final = "*"
MOST: Final = 200  # of the history, unless told otherwise


class ControlsUnavailable(DatabaseUnavailable):
    """Go on as it was read last: what was paused stays paused."""


@dataclass(frozen=True, slots=True)
class Paused:
    """`to` is a destination; None: by the routes."""

    to: str | None
    by: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Order:
    """For one live call: to a destination (None: by the routes), or to its end."""

    id: int
    call_sid: str
    to: str | None
    end: bool
    by: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Controls:
    """How the button stands: pauses by agent, and the orders that nobody has taken, the oldest first."""

    paused: Mapping[str, Paused] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()

    def pause_of(self, agent: str) -> Paused | None:
        return self.paused.get(agent) or self.paused.get(EVERY_AGENT)


@dataclass(frozen=True, slots=True)
class Pressed:
    """One line of the history. `what`: paused, resumed, ordered, taken; `whom` is an agent or a call."""

    at: float
    by: str
    what: str
    whom: str
    to: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ControlStore:
    """Every method blocks, and raises `ControlsUnavailable`. Times are seconds since 1970."""

    database: Database

    def pause(self, agent: str, to: str | None, by: str, reason: str, at: float) -> None:
        """`agent` may be `EVERY_AGENT`."""
        values = _words(to, by, reason, at) | {"agent": agent, "paused": True}
        with raising(ControlsUnavailable), self.database.transaction() as connection:
            connection.execute(insert(pauses).values(values))

    def resume(self, agent: str, by: str, reason: str, at: float) -> None:
        """To resume every agent resumes each; one agent alone stays paused while every agent is."""
        values = _words(None, by, reason, at) | {"paused": False}
        with raising(ControlsUnavailable), self.database.transaction() as connection:
            stopped = connection.scalars(_standing().with_only_columns(pauses.c.agent)).all()
            whom = dict.fromkeys([agent, *stopped]) if agent == EVERY_AGENT else [agent]
            connection.execute(insert(pauses), [values | {"agent": each} for each in whom])

    def order(self, call_sid: str, to: str | None, *, end: bool, by: str, reason: str, at: float) -> int:
        """Its number. `ValueError`: a call that ends goes nowhere."""
        if end and to:
            raise ValueError("a call is sent to a destination or ended, not both")
        values = _words(to, by, reason, at) | {"call_sid": call_sid, "ends": end, "taken_by": ""}
        with raising(ControlsUnavailable), self.database.transaction() as connection:
            statement = insert(call_orders).values(values).returning(call_orders.c.id)
            return int(connection.execute(statement).scalar_one())

    def read(self, since: float = 0.0) -> Controls:
        """Cheap enough for every worker, every second: it takes no lock. Without orders before `since`."""
        waiting = select(call_orders).where(call_orders.c.taken_at.is_(None), call_orders.c.at >= since)
        with raising(ControlsUnavailable), self.database.reading() as connection:
            paused = connection.execute(_standing()).all()
            orders = connection.execute(waiting.order_by(call_orders.c.id)).all()
        return Controls(
            {row.agent: Paused(row.destination or None, row.by, row.reason, row.at) for row in paused},
            tuple(map(_order, orders)),
        )

    def take(self, order_id: int, by_process: str, at: float) -> bool:
        """True for one process only."""
        statement = (
            update(call_orders)
            .where(call_orders.c.id == order_id, call_orders.c.taken_at.is_(None))
            .values(taken_at=at, taken_by=by_process[:64])
        )
        with raising(ControlsUnavailable), self.database.transaction() as connection:
            return connection.execute(statement).rowcount == 1

    def taken(self, order_id: int) -> bool:
        """For the one who gave it, and waits."""
        query = select(call_orders.c.taken_at).where(call_orders.c.id == order_id)
        with raising(ControlsUnavailable), self.database.reading() as connection:
            return connection.scalar(query) is not None

    def history(self, limit: int = MOST) -> tuple[Pressed, ...]:
        """Who pressed what, the newest first."""
        with raising(ControlsUnavailable), self.database.reading() as connection:
            pressed = connection.execute(select(pauses).order_by(pauses.c.id.desc()).limit(limit)).all()
            given = connection.execute(
                select(call_orders).order_by(call_orders.c.id.desc()).limit(limit)
            ).all()
        lines = [
            *(_pressed(row, "paused" if row.paused else "resumed", row.agent) for row in pressed),
            *(_pressed(row, "ordered", row.call_sid) for row in given),
            *(
                Pressed(row.taken_at, row.taken_by, "taken", row.call_sid, row.destination or None, "")
                for row in given
                if row.taken_at is not None
            ),
        ]
        return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:limit])


def _standing() -> Select[*tuple[Any, ...]]:
    newest = select(func.max(pauses.c.id)).group_by(pauses.c.agent)
    return select(pauses).where(pauses.c.id.in_(newest), pauses.c.paused)


def _words(to: str | None, by: str, reason: str, at: float) -> dict[str, object]:
    return {"destination": to or "", "by": by[:200], "reason": reason[:500], "at": at}


def _order(row: Row[*tuple[Any, ...]]) -> Order:
    return Order(row.id, row.call_sid, row.destination or None, row.ends, row.by, row.reason, row.at)


def _pressed(row: Row[*tuple[Any, ...]], what: str, whom: str) -> Pressed:
    return Pressed(row.at, row.by, what, whom, row.destination or None, row.reason)
