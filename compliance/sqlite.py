"""Opening a SQLite file that several processes write."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

# SQLite does not wait for a lock when it changes a new file to WAL: of several processes that start at once,
# one succeeds and the others are refused for a moment.
ATTEMPTS: Final = 50
PAUSE: Final = 0.01  # seconds
_CREATING: Final = threading.Lock()  # nobody opens what another thread has yet to close


def make_private(path: Path) -> None:
    """What callers said is nobody else's to read: folder and file belong to the one who runs the server.

    A file that exists is not opened: closing it would drop every lock this process holds on it (POSIX), and
    another process that closes the database would then delete the log we are still writing to.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _CREATING, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def prepare(connection: sqlite3.Connection, wait_ms: int) -> None:
    """Readers beside one writer (WAL); a commit outlives the process; `wait_ms` for another's transaction.

    Database are begun by hand from here on. Raises `sqlite3.Error`.
    """
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    for last in (*[False] * ATTEMPTS, True):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if last:
                raise
            time.sleep(PAUSE)
    connection.execute("PRAGMA synchronous = NORMAL")
