"""One session of a call: listen, answer, give way, and keep the record beside the path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from compliance.events import Kind
from policies.recovery import Climb, backchannel
from policies.vocabulary import masked
from relay.clock import Clock
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.messages import (
    AgentSpeaking,
    CallerSpeaking,
    CarrierError,
    Dtmf,
    Inbound,
    Interrupt,
    Malformed,
    Prompt,
    TokensPlayed,
    parse,
)
from relay.recovering import Prompted
from relay.session import Session
from relay.step import Step
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
    floor: Floor
    responder: Responder
    receive: Callable[[], Awaitable[str | bytes]]
    changed: Callable[[], None]  # told after each step that a snapshot should hold
    clock: Clock
    tell: Tell
    _reply: asyncio.Task[None] | None = field(default=None, init=False)
    _limit: asyncio.Timeout | None = field(default=None, init=False)
    _prompted: Prompted = field(default_factory=Prompted, init=False)

    async def run(self) -> int:
        """Until the socket closes; the close code."""
        self.floor.moved = self.rearm
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
            if climb := self.floor.due():
                self._climb(climb)
            return self.session.wake(self.clock())
        finally:
            self._limit = None
        return self._hear(parse(frame), self.clock())

    def _wake_at(self) -> float | None:
        """On the loop's clock."""
        due = (self.session.wake_at, None if self.session.parting else self.floor.due_at)
        wake_at = min((moment for moment in due if moment is not None), default=None)
        if wake_at is None:
            return None
        return asyncio.get_running_loop().time() + max(0.0, wake_at - self.clock())

    def _hear(self, message: Inbound, now: float) -> Step:
        match message:
            case Prompt(text, lang, last):
                return self._heard(text, lang, now) if last else self._partly_heard(text)
            case Interrupt(heard, after_ms):
                self.tell(Kind.INTERRUPT, heard=heard, after_ms=after_ms)
                self._prompted.cut_after = after_ms / 1000
                self.floor.cut()
                return self.session.interrupt(heard, now)
            case TokensPlayed(text):
                return self.session.played(text, now)
            case AgentSpeaking(on):
                if not on:
                    self.floor.played()
                    self.responder.recovery.lanes.spoke(now)
                return self.session.agent_speaking(on, now)
            case CallerSpeaking(on):
                self.floor.caller(talking=on)
            case Dtmf(digit):
                self.tell(Kind.KEYS, text=masked(digit))
                self.floor.caller()
                return self.session.key(digit, now)
            case Malformed(why):
                self.tell(Kind.WIRE_ERROR, what="malformed_frame", detail=why)
            case CarrierError():
                self.tell(Kind.WIRE_ERROR, what="frame_refused", detail="64107")
            case _:
                pass  # partial prompts, telemetry, and what is newer than we are
        return Step()

    def _climb(self, climb: Climb) -> None:
        """The caller is silent. Nothing is being answered then: no reply has to give way."""
        if self._reply is None or self._reply.done():
            self._reply = asyncio.create_task(self.responder.climb(climb))

    def _heard(self, text: str, lang: str, now: float) -> Step:
        """A final prompt. A sign of listening over our speech is none: what it cut off is said after all."""
        if text.strip():
            self.floor.caller()
        self._prompted.lang = lang
        ours = self.session.cut_off or self.floor.speaking_until > now
        if ours and not self.session.asks and backchannel(text, self.responder.recovery.language):
            self.tell(Kind.PROMPT, text=text, lang=lang, listening=True)
            self._prompted = Prompted()
            return self.session.go_on(now)
        self.tell(Kind.PROMPT, text=text, lang=lang, queued=self.session.disclosing)
        return self.session.prompt(text, now)

    def _partly_heard(self, text: str) -> Step:
        if text.strip():
            self.floor.caller(talking=True)
            self._prompted.partials.append(text)
        return Step()

    async def _perform(self, step: Step) -> None:
        if step.cancel:
            await self._give_way()
        if step.frames:
            await self.line.send(step.frames)
        self._tell_heard(step)
        if step.turn:
            self.floor.working()
            prompted, self._prompted = self._prompted, Prompted()
            self._reply = asyncio.create_task(self.responder.answer(step.turn, prompted))
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
