"""Where intents wait while the database is away: a file of JSON lines, on the disk before one goes on."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import structlog

from compliance.outbox import Intent
from compliance.sqlite import make_private

log = structlog.get_logger()


class SpoolUnavailable(Exception):
    """The disk refuses: the side effect is not safe, so promise nothing and bring in a person."""


def spool_path(data: Path) -> Path:
    """The spool of one machine, in the data folder; its processes share it."""
    return data / "outbox.spool"


class Spool:
    """Both methods block (call them from a thread) and may raise `SpoolUnavailable`."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path

    def is_empty(self) -> bool:
        try:
            return self._path.stat().st_size == 0
        except OSError:
            return True

    def append(self, intent: Intent) -> None:
        """On the disk when it returns."""
        line = msgspec.json.encode(replace(intent, payload=dict(intent.payload))) + b"\n"
        with self._locked() as spool:
            end = os.lseek(spool, 0, os.SEEK_END)
            if end and os.pread(spool, 1, end - 1) != b"\n":
                line = b"\n" + line  # a crash cut the line before it
            try:
                _write(spool, line)
            except OSError:
                os.ftruncate(spool, end)
                raise
            if not end:
                _sync_folder(self._path.parent)

    def drain(self, take: Callable[[Sequence[Intent]], object]) -> int:
        """Give `take` all that waits and forget it when `take` returned; how many there were.

        `take` is called without the lock and, after a crash or beside another process, again with the same
        intents. What it raises is passed on, and nothing is forgotten.
        """
        if self.is_empty():
            return 0
        with self._locked() as spool:
            held = _read(spool)
        intents, unreadable = _parsed(held)
        if intents:
            take(intents)
        with self._locked() as spool:
            if _read(spool) == held:  # otherwise it has grown, or another process was quicker: next time
                if unreadable:
                    self._set_aside(unreadable)
                os.ftruncate(spool, 0)
                os.fsync(spool)
        return len(intents)

    def _set_aside(self, lines: Sequence[bytes]) -> None:
        aside = self._path.with_suffix(".unreadable")
        log.error("lines of the spool cannot be read", count=len(lines), kept_in=aside.name)
        with _private(aside) as kept:
            _write(kept, b"".join(line + b"\n" for line in lines))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            with _private(self._path) as spool:
                fcntl.flock(spool, fcntl.LOCK_EX)  # given back when the file is closed
                yield spool
        except OSError as error:
            raise SpoolUnavailable(type(error).__name__) from error


@contextlib.contextmanager
def _private(path: Path) -> Iterator[int]:
    make_private(path)
    opened = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        yield opened
    finally:
        os.close(opened)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
    os.fsync(file)


def _read(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _parsed(content: bytes) -> tuple[list[Intent], list[bytes]]:
    """The intents, and the lines that are none: cut by a crash, so that nobody was told they are safe."""
    intents: list[Intent] = []
    unreadable: list[bytes] = []
    for line in filter(None, content.split(b"\n")):
        try:
            intents.append(msgspec.json.decode(line, type=Intent))
        except (msgspec.DecodeError, UnicodeDecodeError):
            unreadable.append(line)
    return intents, unreadable


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
