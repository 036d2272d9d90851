"""The only writer of one socket: every frame of a session leaves here, in order, checked as it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from relay.cycle import Purpose
from relay.floor import Floor
from relay.messages import Outbound, Text, dump
from relay.session import Session
from relay.step import OutOfTurn

SEND_DEADLINE = 2.0  # seconds; a peer that reads nothing for so long is gone


class LineLost(Exception):
    """The carrier no longer reads: end this session."""


class Line:
    """Frames are formed under the lock that writes them, so a late word can never overtake a barge-in."""

    def __init__(self, session: Session, send_text: Callable[[str], Awaitable[None]], floor: Floor) -> None:
        self._session = session
        self._send_text = send_text
        self._floor = floor
        self._writing = asyncio.Lock()

    async def say(
        self, turn: int, text: str, purpose: Purpose = Purpose.REPLY, *, last: bool = False
    ) -> None:
        """Raises `OutOfTurn` when the turn is over, `LineLost` when nobody reads."""
        async with self._writing:
            await self._write(self._session.say(turn, text, purpose, last=last))

    async def fill(self, turn: int, text: str) -> None:
        """Say a whole filler, unless the reply has begun. Raises as `say`."""
        async with self._writing:
            if self._session.replying:
                raise OutOfTurn(turn)
            await self._write(self._session.say(turn, text, Purpose.FILLER, last=True), filler=True)

    async def speak(self, words: str, purpose: Purpose) -> None:
        """Say a line that answers no turn. Raises as `say`."""
        async with self._writing:
            await self._write(self._session.speak(words, purpose))

    async def close(self, turn: int) -> None:
        """Close the turn's talk cycle. Raises as `say`."""
        async with self._writing:
            if frame := self._session.close(turn):
                await self._write(frame)

    async def send(self, frames: Iterable[Outbound]) -> None:
        """Frames the session has already accounted for. Raises `LineLost`."""
        async with self._writing:
            for frame in frames:
                await self._write(frame)

    async def _write(self, frame: Outbound, *, filler: bool = False) -> None:
        try:
            async with asyncio.timeout(SEND_DEADLINE):
                await self._send_text(dump(frame))
        except TimeoutError as error:
            raise LineLost("the carrier has read nothing for 2 s") from error
        if isinstance(frame, Text):
            self._floor.said(frame.token, filler=filler)
        self._floor.moved()
