"""Bringing a journal to this version's schema, safely when several processes open it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from compliance.tables import SCHEMA

HERE: Final = Path(__file__).resolve().parent
LOCK: Final = 0x66697665  # "five": the number of our lock in a PostgreSQL database


class NewerJournal(Exception):
    """A later version of the program has changed this journal: run that version, or restore a backup."""


def migrate(engine: Engine) -> None:
    """Run what is missing, in one transaction, one process after the other.

    On SQLite a transaction of `engine` must lock out other writers. Raises `NewerJournal`, or what SQLAlchemy
    raises when the database fails.
    """
    with engine.begin() as connection:
        if version(connection) == SCHEMA:
            return
        if connection.dialect.name == "postgresql":
            # Nothing there keeps two processes from both finding an old schema. Held until the commit.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            if version(connection) == SCHEMA:
                return
        _upgrade(connection)


def version(connection: Connection) -> str | None:
    """The revision the database is at; None for one that holds no journal."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    # Imported only when there is work: it would double the time a command like `calls` takes to start.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerJournal(f"this program knows journals up to version {SCHEMA}, not this one") from error
