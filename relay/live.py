"""The calls of this process that have a socket now: how many, which, and how to let them end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

LAST_GOODBYE = 3.0  # seconds for Twilio to close the sockets of calls that were handed back


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One session. `leave` asks Twilio to come back with the call; `close` drops the socket; `obey` sends the
    call where somebody wants it."""

    call_sid: str
    number: int
    leave: Callable[[], Coroutine[Any, Any, None]]
    close: Callable[[], Coroutine[Any, Any, None]]
    obey: Callable[[str | None, bool], Coroutine[Any, Any, None]]  # a destination, or True to end it


class LiveCalls:
    """One owner speaks: a newer session of a call takes the place of the older one."""

    def __init__(self) -> None:
        self.accepting = True
        self._calls: dict[str, LiveCall] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._calls)

    def newest(self, call_sid: str) -> int:
        """The number of the live session of this call; 0 when it has none here."""
        call = self._calls.get(call_sid)
        return call.number if call else 0

    def find(self, call_sid: str) -> LiveCall | None:
        return self._calls.get(call_sid)

    def enter(self, call: LiveCall) -> LiveCall | None:
        """Take the call over; the older session, if there is one, has to be closed by the caller."""
        older = self._calls.get(call.call_sid)
        self._calls[call.call_sid] = call
        self._empty.clear()
        return older

    def left(self, call: LiveCall) -> None:
        if self._calls.get(call.call_sid) is call:
            del self._calls[call.call_sid]
        if not self._calls:
            self._empty.set()

    def supersede(self, call_sid: str, number: int) -> None:
        """A newer session than `number` owns the call: ours falls silent, unless it is that one."""
        call = self._calls.get(call_sid)
        if call and call.number <= number:
            closing = asyncio.create_task(call.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def drain(self, seconds: float) -> None:
        """Take no new calls, wait for the live ones, and after `seconds` hand the rest back to Twilio."""
        self.accepting = False
        if not await self._ended_within(seconds):
            leaving = [call.leave() for call in list(self._calls.values())]
            await asyncio.gather(*leaving, return_exceptions=True)  # a lost line needs no goodbye
            await self._ended_within(LAST_GOODBYE)

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
