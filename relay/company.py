"""Never dead air: a word to the caller whenever the answer is late, until it comes or is given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from compliance.events import Kind
from policies.latency import PAUSE, Exhausted, Lane, Lanes, Phrase
from relay.clock import Clock
from relay.cycle import Purpose
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.session import Session
from relay.step import OutOfTurn, Turn
from relay.tell import Tell


@dataclass(frozen=True, slots=True)
class Company:
    """Runs beside one turn. `tool_running` is asked, `approved` passes a line of ours through the guard."""

    session: Session
    line: Line
    floor: Floor
    lanes: Lanes
    clock: Clock
    tell: Tell
    tool_running: Callable[[], bool]
    approved: Callable[[str], str]

    async def keep(self, turn: Turn) -> None:
        """Returns when the caller is not to be kept any longer and the answer is given up; else never."""
        self.lanes.heard(turn.heard_at)
        try:
            if await self._until_the_reply(turn):
                await self._while_replying(turn)
        except (OutOfTurn, LineLost):
            await asyncio.Event().wait()  # the conversation ends this turn by itself

    async def _until_the_reply(self, turn: Turn) -> bool:
        """False when the caller has waited long enough."""
        while (due_at := self.lanes.due_at) is not None:
            await self._until(due_at)
            due = self.lanes.due(
                self.clock(),
                speaking_until=self.floor.speaking_until,
                tool_running=self.tool_running(),
                replying=self.session.replying,
            )
            match due:
                case Phrase(text, lane):
                    words = self.approved(text)
                    try:
                        await self.line.fill(turn.number, words)
                    except OutOfTurn:
                        if self.session.replying:  # at the same moment: the answer is what is heard
                            return True
                        raise
                    self.tell(Kind.SAID, turn.number, text=words, purpose=Purpose.FILLER, lane=lane)
                case Exhausted():
                    return False
        return True

    async def _while_replying(self, turn: Turn) -> None:
        """The reply has begun. When it stops in the middle and all of it was heard, it is given up; while a
        tool runs, the caller is told so instead, once."""
        told = False
        while (silent_at := self.floor.speaking_until + PAUSE) > self.clock() or (
            self.tool_running() and not told
        ):
            if silent_at > self.clock():
                await self._until(silent_at)
                continue
            told = True
            words = self.approved(self.lanes.phrases.tool[0])
            await self.line.say(turn.number, f" {words}", Purpose.FILLER)
            self.tell(Kind.SAID, turn.number, text=words, purpose=Purpose.FILLER, lane=Lane.TOOL)

    async def _until(self, moment: float) -> None:
        """Or until what is spoken ends in another way than was estimated."""
        self.floor.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, moment - self.clock())):
                await self.floor.changed.wait()
