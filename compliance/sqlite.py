"""Opening a SQLite file that several processes write."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

# SQLite does not wait for a lock when it changes a new file to WAL: of several processes that start at once,
# one succeeds and the others are refused for a moment.
ATTEMPTS: Final = 50
PAUSE: Final = 0.01  # seconds


def make_private(path: Path) -> None:
    """What callers said is nobody else's to read: folder and file belong to the one who runs the server."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT, 0o600))


def prepare(connection: sqlite3.Connection, wait_ms: int) -> None:
    """Readers beside one writer (WAL); a commit outlives the process; `wait_ms` for another's transaction.

    Transactions are begun by hand from here on. Raises `sqlite3.Error`.
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
