"""A database that is opened, and brought up to date, at its first use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from compliance.migrations import NewerJournal, migrate
from compliance.sqlite import make_private, prepare

LOCK_WAIT_MS: Final = 2_000  # for another process to finish its transaction


class DatabaseUnavailable(Exception):
    """It cannot be read or written now: go on without it, or come back later. The text names no data."""


class Database:
    """Every use blocks: call it from a thread."""

    def __init__(self, url: str, lock_wait_ms: int = LOCK_WAIT_MS) -> None:
        self._engine = engine(url, lock_wait_ms)
        self._opened = False

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end, or not at all. Raises `DatabaseUnavailable`."""
        try:
            if not self._opened:
                if self._engine.dialect.name == "sqlite":
                    make_private(Path(self._engine.url.database or ""))
                migrate(self._engine)
                self._opened = True
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, NewerJournal, OSError) as error:
            raise DatabaseUnavailable(type(error).__name__) from error

    def close(self) -> None:
        self._engine.dispose()


def engine(url: str, lock_wait_ms: int) -> Engine:
    """SQLite's transactions lock from their first statement: what is read is still so when it is changed."""
    made = create_engine(make_url(url), hide_parameters=True)
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", lambda connection, _: prepare(connection, lock_wait_ms))
        event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return made
