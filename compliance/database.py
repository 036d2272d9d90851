"""A database that is opened, and brought up to date, at its first use: the one way all stores do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from compliance.migrations import NewerJournal, migrate
from compliance.sqlite import make_private, prepare

LOCK_WAIT_MS: Final = 2_000  # for another process to finish its transaction
READS: Final = "fivegates_reads"  # the option of a connection that changes nothing
FAULTS: Final = (SQLAlchemyError, NewerJournal, OSError)  # what opening or using a database may raise


class DatabaseUnavailable(Exception):
    """It cannot be read or written now: go on without it, or come back later. The text names no data."""


class Database:
    """Every use blocks: call it from a thread. Several stores may share one."""

    def __init__(self, url: str, lock_wait_ms: int = LOCK_WAIT_MS) -> None:
        self._engine = engine(url, lock_wait_ms)
        self._reading = self._engine.execution_options(**{READS: True})
        self._opened = False

    def transaction(self) -> AbstractContextManager[Connection]:
        """Committed at the end, or not at all. Raises `DatabaseUnavailable`."""
        return self._begun(self._engine)

    def reading(self) -> AbstractContextManager[Connection]:
        """Without the lock: waits for nobody who writes, and keeps nobody from writing. Raises the same."""
        return self._begun(self._reading)

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def _begun(self, with_engine: Engine) -> Iterator[Connection]:
        try:
            if not self._opened:
                bring_up_to_date(self._engine)
                self._opened = True
            with with_engine.begin() as connection:
                yield connection
        except FAULTS as error:
            raise DatabaseUnavailable(type(error).__name__) from error


@contextlib.contextmanager
def raising(unavailable: type[Exception]) -> Iterator[None]:
    """The database's fault by the name that a store gives it; the text names no data."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise unavailable(str(error)) from error


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what to do when the row is there already."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def engine(url: str, lock_wait_ms: int) -> Engine:
    """SQLite's transactions lock from their first statement: what is read is still so when it is changed.

    And two processes never both find an old schema.
    """
    made = create_engine(make_url(url), hide_parameters=True)
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", lambda connection, _: prepare(connection, lock_wait_ms))
        event.listen(made, "begin", _begin)
    return made


def bring_up_to_date(opened: Engine) -> None:
    """Make the file, if it is one, and run the migrations that are missing. Raises `FAULTS`."""
    if opened.dialect.name == "sqlite":
        make_private(Path(opened.url.database or ""))
    migrate(opened)


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
