"""Who has asked not to be called again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from compliance.database import Database
from compliance.tables import do_not_call


@dataclass(frozen=True, slots=True)
class DoNotCall:
    """Numbers are E.164. Every method blocks, and raises `DatabaseUnavailable`."""

    database: Database

    def forbid(self, number: str, source: str, at: float) -> None:
        """The first word counts: when it was asked for, and where."""
        with self.database.transaction() as connection:
            made = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
            values = {"number": number, "source": source[:64], "at": at}
            connection.execute(
                made(do_not_call).values(values).on_conflict_do_nothing(index_elements=["number"])
            )

    def forbids(self, number: str) -> bool:
        query = select(do_not_call.c.number).where(do_not_call.c.number == number)
        with self.database.transaction() as connection:
            return connection.scalar(query) is not None

    def allow(self, number: str) -> None:
        """The person has changed their mind."""
        with self.database.transaction() as connection:
            connection.execute(delete(do_not_call).where(do_not_call.c.number == number))
