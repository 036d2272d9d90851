"""Session state for the processes of one machine: a SQLite file, one worker thread."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from compliance.sqlite import make_private, prepare
from relay.state import LIFETIME, Snapshot, StoreUnavailable, decode

DEADLINE: Final = 1.0  # seconds for a command, its turn in the queue included
LOCK_WAIT_MS: Final = 500  # for another process of this machine to finish its transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS snapshots(call_sid TEXT PRIMARY KEY, session INTEGER NOT NULL,
    body BLOB NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS snapshots_expiring ON snapshots(expires);
CREATE TABLE IF NOT EXISTS claims(call_sid TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    expires REAL NOT NULL, PRIMARY KEY(call_sid, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_expiring ON claims(expires);
CREATE TABLE IF NOT EXISTS slots(subject TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
    expires REAL NOT NULL, PRIMARY KEY(subject, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS slots_expiring ON slots(expires);
"""

SAVE: Final = """
INSERT INTO snapshots(call_sid, session, body, expires) VALUES(?, ?, ?, ?)
ON CONFLICT(call_sid) DO UPDATE
SET session = excluded.session, body = excluded.body, expires = excluded.expires
WHERE excluded.session >= snapshots.session
"""

Answer = TypeVar("Answer")


class SqliteStore:
    """Every transaction first removes what has expired, and SQLite overwrites what is removed."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="state")
        self._connection: sqlite3.Connection | None = None  # used in the worker's thread only

    async def save(self, snapshot: Snapshot) -> bool:
        body = msgspec.json.encode(snapshot)

        def work(connection: sqlite3.Connection) -> bool:
            expires = self._now() + LIFETIME
            return (
                connection.execute(SAVE, (snapshot.call_sid, snapshot.session, body, expires)).rowcount == 1
            )

        return await self._do(work)

    async def load(self, call_sid: str) -> Snapshot | None:
        def work(connection: sqlite3.Connection) -> Snapshot | None:
            query = "SELECT body FROM snapshots WHERE call_sid = ?"
            found: tuple[bytes] | None = connection.execute(query, (call_sid,)).fetchone()
            return decode(found[0]) if found else None

        return await self._do(work)

    async def claim(self, call_sid: str, name: str, value: str, seconds: float) -> str:
        def work(connection: sqlite3.Connection) -> str:
            expires = self._now() + seconds
            row = (call_sid, name, value, expires)
            connection.execute("INSERT INTO claims VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
            query = "SELECT value FROM claims WHERE call_sid = ? AND name = ?"
            holds: tuple[str] = connection.execute(query, (call_sid, name)).fetchone()
            return holds[0]

        return await self._do(work)

    async def read(self, subject: str, name: str) -> str | None:
        return await self._do(lambda connection: _slot(connection, subject, name))

    async def exchange(self, subject: str, name: str, before: str | None, after: str, seconds: float) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if _slot(connection, subject, name) != before:
                return False
            row = (subject, name, after, self._now() + seconds)
            connection.execute("INSERT OR REPLACE INTO slots VALUES(?, ?, ?, ?)", row)
            return True

        return await self._do(work)

    async def ping(self) -> None:
        await self._do(lambda connection: connection.execute("SELECT 1"))

    async def close(self) -> None:
        def close() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._worker, close)
        self._worker.shutdown(wait=False)

    async def _do(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run in one transaction, in the worker's thread."""

        def transact() -> Answer:
            with self._transaction() as connection:
                return work(connection)

        try:
            async with asyncio.timeout(DEADLINE):
                return await asyncio.get_running_loop().run_in_executor(self._worker, transact)
        except (sqlite3.Error, OSError) as error:  # a timeout is an OSError
            raise StoreUnavailable(f"{self._path.name}: {type(error).__name__}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            self._connection = _connect(self._path)
        with self._connection as connection:  # commits, or rolls back
            connection.execute("BEGIN IMMEDIATE")
            for table in ("snapshots", "claims", "slots"):
                connection.execute(f"DELETE FROM {table} WHERE expires <= ?", (self._now(),))  # noqa: S608
            yield connection


def _slot(connection: sqlite3.Connection, subject: str, name: str) -> str | None:
    query = "SELECT value FROM slots WHERE subject = ? AND name = ?"
    found: tuple[str] | None = connection.execute(query, (subject, name)).fetchone()
    return found[0] if found else None


def _connect(path: Path) -> sqlite3.Connection:
    make_private(path)
    connection = sqlite3.connect(path)
    try:
        prepare(connection, LOCK_WAIT_MS)
        connection.execute("PRAGMA secure_delete = ON")
        connection.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
