"""The lines we say by ourselves in one session: through the guard, on the record, the last one heard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from compliance.events import Kind
from policies.gates import Gates
from policies.guard.guard import Allowed, Blocked, judge
from policies.latency import speech_seconds
from policies.vocabulary import EscalationReason
from relay.caller import Caller
from relay.clock import Clock
from relay.cycle import Purpose
from relay.floor import Floor
from relay.line import Line
from relay.messages import handoff_data
from relay.recovering import Recovery
from relay.session import Session
from relay.step import Turn
from relay.tell import Tell

GOODBYE = "goodbye"
MERGE_WINDOW = 0.15  # seconds from a final prompt in which no word is sent: the utterance may not be over


@dataclass(frozen=True, slots=True)
class Voice:
    """Every method that says something raises `OutOfTurn` and `LineLost` as the line does.

    `handed_over` is told of a call that leaves for a person: why, the reference it leaves under, and the
    destination somebody named (blank: by the routes).
    """

    session: Session
    line: Line
    floor: Floor
    gates: Gates
    caller: Caller
    recovery: Recovery
    clock: Clock
    tell: Tell
    handed_over: Callable[[EscalationReason, str, str], None]

    def approved(self, words: str) -> str:
        """A line of our own passes the guard like any other: what is known of this caller may be in it."""
        rulings = judge(self.gates.rulebook, words, self.recovery.language, self.caller.known.canaries)
        return "".join(
            ruling.say_instead if isinstance(ruling, Blocked) else ruling.text
            for ruling in rulings
            if isinstance(ruling, Allowed | Blocked)
        )

    async def speak(self, words: str, purpose: Purpose) -> None:
        """A line that answers no turn."""
        await self.line.speak(self.approved(words), purpose)
        self.tell(Kind.SAID, self.session.turn, text=words, purpose=purpose)

    async def answer(self, turn: Turn, words: str, purpose: Purpose = Purpose.RECOVERY) -> None:
        """A line in the place of an answer; where that is complete, behind it."""
        await self.until(turn.heard_at + MERGE_WINDOW)
        if self.session.replied:
            await self.line.speak(self.approved(words), purpose)
        else:
            await self.line.say(turn.number, self.approved(words), purpose, last=True)
        self.tell(Kind.SAID, turn.number, text=words, purpose=purpose)

    async def hand_over(self, turn: Turn, reason: EscalationReason, words: str, to: str = "") -> None:
        """A person takes the call: say so, and leave when it was heard."""
        self.caller.leaving = reason
        await self.answer(turn, words, Purpose.FAREWELL)
        self.part(reason, firm=True, to=to)

    async def go(self, reason: EscalationReason, words: str, to: str = "") -> None:
        """The same without a turn of the caller's."""
        self.caller.leaving = reason
        await self.speak(words, Purpose.FAREWELL)
        self.part(reason, firm=True, to=to)

    async def end(self) -> None:
        """The call ends here, whatever was going on."""
        await self.speak(self.recovery.lines.goodbye, Purpose.FAREWELL)
        self.part(GOODBYE, firm=True)

    def part(self, reason: str, *, firm: bool, to: str = "") -> None:
        """Leave once all that was said has been heard. `firm`: nothing the caller says keeps us."""
        ref = uuid.uuid4().hex
        if reason != GOODBYE:
            self.handed_over(EscalationReason(reason), ref, to)
        seconds = speech_seconds(self.session.unheard, self.recovery.language)
        self.session.part(handoff_data(reason, ref), self.clock(), seconds, firm=firm)
        self.floor.moved()

    async def until(self, moment: float) -> None:
        if (wait := moment - self.clock()) > 0:
            await asyncio.sleep(wait)
