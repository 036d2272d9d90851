"""Who has asked not to be called again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update

from compliance.database import Database, DatabaseUnavailable, inserting, raising
from compliance.tables import FORBIDDEN, do_not_call

EVERY_AGENT: Final = "*"


class DoNotCallUnavailable(DatabaseUnavailable):
    """It cannot be told whether this person may be called: do not call."""


@dataclass(frozen=True, slots=True)
class DoNotCall:
    """Numbers are E.164, times seconds since 1970. Every method blocks, and raises `DoNotCallUnavailable`."""

    database: Database

    def forbid(
        self, number: str, source: str, at: float, *, agent: str = EVERY_AGENT, call_sid: str = ""
    ) -> None:
        """The first word counts: when it was asked for, and where (`source`, and the call, if in one)."""
        values = {
            "number": number,
            "agent": agent,
            "source": source[:64],
            "call_sid": call_sid,
            "at": at,
            "lifted_by": "",
        }
        with raising(DoNotCallUnavailable), self.database.transaction() as connection:
            once = inserting(connection, do_not_call).values(values)
            connection.execute(
                once.on_conflict_do_nothing(index_elements=["number", "agent"], index_where=FORBIDDEN)
            )

    def forbids(self, number: str, agent: str = EVERY_AGENT) -> bool:
        """May this agent not call? Asked for every agent: may any of them not?"""
        query = select(do_not_call.c.id).where(do_not_call.c.number == number, FORBIDDEN)
        if agent != EVERY_AGENT:
            query = query.where(do_not_call.c.agent.in_((agent, EVERY_AGENT)))
        with raising(DoNotCallUnavailable), self.database.transaction() as connection:
            return connection.scalar(query.limit(1)) is not None

    def lift(self, number: str, by: str, at: float) -> bool:
        """The person has changed their mind, for every agent; the rows stay. False: nothing was forbidden."""
        statement = (
            update(do_not_call)
            .where(do_not_call.c.number == number, FORBIDDEN)
            .values(lifted_at=at, lifted_by=by[:200])
        )
        with raising(DoNotCallUnavailable), self.database.transaction() as connection:
            return connection.execute(statement).rowcount > 0
