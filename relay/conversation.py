"""One session of a call: listen, answer, give way, and keep the record beside the path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from compliance.events import Kind
from policies.vocabulary import masked
from relay.clock import Clock
from relay.line import Line, LineLost
from relay.messages import (
    AgentSpeaking,
    CarrierError,
    Dtmf,
    Inbound,
    Interrupt,
    Malformed,
    Prompt,
    TokensPlayed,
    parse,
)
from relay.session import Session, Step
from relay.tell import Tell
from relay.turn import Responder


class HungUp(Exception):
    """The socket is closed: the session is over. `code` is the close code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass(slots=True)
class Conversation:
    """`receive` gives the next frame of the socket and raises `HungUp`; it must survive being cancelled."""

    session: Session
    line: Line
    responder: Responder
    receive: Callable[[], Awaitable[str | bytes]]
    changed: Callable[[], None]  # told after each step that a snapshot should hold
    clock: Clock
    tell: Tell
    _reply: asyncio.Task[None] | None = field(default=None, init=False)
    _limit: asyncio.Timeout | None = field(default=None, init=False)

    async def run(self) -> int:
        """Until the socket closes; the close code."""
        self.line.written = self.rearm
        try:
            while True:
                await self._perform(await self._next_step())
        except HungUp as end:
            return end.code
        except LineLost:
            return 1006
        finally:
            await self._give_way()
            self._tell_heard(Step(heard=self.session.hang_up()))

    def rearm(self) -> None:
        """Something moved the session's timer while we wait for a frame."""
        if self._limit and not self._limit.expired():
            self._limit.reschedule(self._wake_at())

    async def _next_step(self) -> Step:
        """What the next frame asks for, or the next timer when it comes first."""
        try:
            async with asyncio.timeout_at(self._wake_at()) as self._limit:
                frame = await self.receive()
        except TimeoutError:
            return self.session.wake(self.clock())
        finally:
            self._limit = None
        return self._hear(parse(frame), self.clock())

    def _wake_at(self) -> float | None:
        """On the loop's clock."""
        wake_at = self.session.wake_at
        if wake_at is None:
            return None
        return asyncio.get_running_loop().time() + max(0.0, wake_at - self.clock())

    def _hear(self, message: Inbound, now: float) -> Step:
        match message:
            case Prompt(text, lang, last=True):
                self.tell(Kind.PROMPT, text=text, lang=lang, queued=self.session.disclosing)
                return self.session.prompt(text, now)
            case Interrupt(heard, after_ms):
                self.tell(Kind.INTERRUPT, heard=heard, after_ms=after_ms)
                return self.session.interrupt(heard, now)
            case TokensPlayed(text):
                return self.session.played(text, now)
            case AgentSpeaking(on):
                return self.session.agent_speaking(on, now)
            case Dtmf(digit):
                self.tell(Kind.KEYS, text=masked(digit))
                return self.session.key(digit, now)
            case Malformed(why):
                self.tell(Kind.WIRE_ERROR, what="malformed_frame", detail=why)
            case CarrierError():
                self.tell(Kind.WIRE_ERROR, what="frame_refused", detail="64107")
            case _:
                pass  # partial prompts, telemetry, and what is newer than we are
        return Step()

    async def _perform(self, step: Step) -> None:
        if step.cancel:
            await self._give_way()
        if step.frames:
            await self.line.send(step.frames)
        self._tell_heard(step)
        if step.turn:
            self._reply = asyncio.create_task(self.responder.answer(step.turn))
        if step.turn or step.heard:
            self.changed()

    async def _give_way(self) -> None:
        """Cancel the running reply and wait until it is gone, its model stream with it."""
        if self._reply is not None:
            self._reply.cancel()
            await asyncio.wait([self._reply])
            self._reply = None

    def _tell_heard(self, step: Step) -> None:
        for heard in step.heard:
            if heard.text or not heard.whole:
                self.tell(Kind.HEARD, heard.turn, text=heard.text, whole=heard.whole, purpose=heard.purpose)
