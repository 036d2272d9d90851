"""Server-sent events, from packets of bytes to the data of each event, without I/O.

After the HTML standard §9.2.6 (html.spec.whatwg.org, "Interpreting an event stream"). Names, ids and retry
times of events are dropped: both providers repeat in the data what matters. An event with empty data is
dropped too; servers send it to keep a connection awake.
"""

from __future__ import annotations

from collections.abc import Iterator

LIMIT = 1024 * 1024
"""Bytes that one line, or the data of one event, may have."""

_BOM = b"\xef\xbb\xbf"


class Oversized(Exception):
    """A line or an event is longer than `LIMIT`: this is no model's stream, stop reading it."""


class Parser:
    """One stream. The cuts between packets mean nothing: not within a line, a CRLF or a character."""

    def __init__(self) -> None:
        self._tail = bytearray()  # of a line whose end has not come
        self._after_cr = False  # a line feed that comes next belongs to it
        self._first_line = True
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, packet: bytes) -> Iterator[bytes]:
        """The data of each event that this packet completes. Consume it before the next packet."""
        for line in self._lines(packet):
            if not line:
                data = b"\n".join(self._data)
                self._data.clear()
                self._size = 0
                if data:
                    yield data
            elif line.startswith(b"data:"):
                self._append(line[6:] if line.startswith(b" ", 5) else line[5:])
            elif line == b"data":
                self._append(b"")

    def _append(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > LIMIT:
            raise Oversized
        self._data.append(value)

    def _lines(self, packet: bytes) -> Iterator[bytes]:
        if not packet:
            return
        if self._after_cr:
            packet = packet.removeprefix(b"\n")
        self._after_cr = packet.endswith(b"\r")
        self._tail += packet
        if b"\n" in packet or b"\r" in packet:
            lines = bytes(self._tail).splitlines(keepends=True)
            self._tail.clear()
            if not lines[-1].endswith((b"\n", b"\r")):
                self._tail += lines.pop()
            for ended in lines:
                line = ended.rstrip(b"\r\n")
                if len(line) > LIMIT:
                    raise Oversized
                if self._first_line:
                    self._first_line = False
                    line = line.removeprefix(_BOM)
                yield line
        if len(self._tail) > LIMIT:
            raise Oversized
