"""The stop button: agents that are paused, live calls that somebody takes out of an agent's hands.

Kept in the database, so that one command reaches every worker of every machine; the rows are its history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, insert, select, update

from compliance.database import Database
from compliance.tables import call_orders, pauses

EVERY_AGENT: Final = "*"
FRESH: Final = 3600.0  # seconds in which an order that nobody took is still looked at


@dataclass(frozen=True, slots=True)
class Pause:
    agent: str
    to: str  # a destination; empty: by the routes
    by: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Order:
    """For one live call: to a destination (empty: by the routes), or to its end."""

    id: int
    call_sid: str
    ends: bool
    to: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """How the button stands: pauses by agent, and orders that nobody has taken."""

    paused: Mapping[str, Pause] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()

    def pause_of(self, agent: str) -> Pause | None:
        return self.paused.get(agent) or self.paused.get(EVERY_AGENT)


@dataclass(frozen=True, slots=True)
class StopButton:
    """Every method blocks, and raises `DatabaseUnavailable`. Times are seconds since 1970."""

    database: Database

    def pause(self, agent: str, to: str, by: str, reason: str, at: float) -> None:
        self._put(agent, True, to, by, reason, at)

    def resume(self, agent: str, by: str, reason: str, at: float) -> None:
        """To resume every agent resumes each of them."""
        with self.database.transaction() as connection:
            latest = [agent]
            if agent == EVERY_AGENT:
                latest += list(connection.scalars(select(pauses.c.agent).distinct()))
            for each in dict.fromkeys(latest):
                values = {"agent": each, "paused": False, "destination": "", "by": by}
                connection.execute(insert(pauses).values(**values, reason=reason[:500], at=at))

    def order(self, call_sid: str, *, ends: bool, to: str, by: str, reason: str, at: float) -> int:
        """Its number."""
        values = {"call_sid": call_sid, "ends": ends, "destination": to, "by": by[:200]}
        statement = insert(call_orders).values(**values, reason=reason[:500], at=at)
        with self.database.transaction() as connection:
            return int(connection.execute(statement.returning(call_orders.c.id)).scalar_one())

    def look(self, now: float) -> Pressed:
        """Cheap enough for every worker to do it once a second."""
        newest = select(func.max(pauses.c.id)).group_by(pauses.c.agent)
        paused = select(pauses).where(pauses.c.id.in_(newest), pauses.c.paused)
        waiting = select(call_orders).where(call_orders.c.taken_at.is_(None), call_orders.c.at > now - FRESH)
        with self.database.transaction() as connection:
            return Pressed(
                {
                    row.agent: Pause(row.agent, row.destination, row.by, row.reason, row.at)
                    for row in connection.execute(paused)
                },
                tuple(
                    Order(row.id, row.call_sid, row.ends, row.destination, row.by, row.reason)
                    for row in connection.execute(waiting.order_by(call_orders.c.id))
                ),
            )

    def take(self, order: Order, at: float) -> bool:
        """True for one process only."""
        statement = (
            update(call_orders)
            .where(call_orders.c.id == order.id, call_orders.c.taken_at.is_(None))
            .values(taken_at=at)
        )
        with self.database.transaction() as connection:
            return connection.execute(statement).rowcount == 1

    def taken(self, order_id: int) -> bool:
        query = select(call_orders.c.taken_at).where(call_orders.c.id == order_id)
        with self.database.transaction() as connection:
            return connection.scalar(query) is not None

    def _put(self, agent: str, paused: bool, to: str, by: str, reason: str, at: float) -> None:
        values = {"agent": agent, "paused": paused, "destination": to, "by": by[:200]}
        with self.database.transaction() as connection:
            connection.execute(insert(pauses).values(**values, reason=reason[:500], at=at))
