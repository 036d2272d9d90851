"""One simulated call, as its caller lives it: speak, press keys, listen, wait, hang up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

from evaluation.carrier import Carrier, Leg
from evaluation.exchange import Exchange, Target
from evaluation.line import Bell, Line
from evaluation.seen import CallerSaid, Ended, FrameIn, FrameOut, Heard, Played, Seen
from policies.vocabulary import Speaker

RECOVERY_TIMEOUT: Final = 30.0


class NotHeard(Exception):
    """What the caller waited for did not come in time."""


class CallOver(Exception):
    """The caller wanted to do something, but the call has ended."""


class Call:
    """What the caller does, and what the caller's ear got.

    `heard` holds both speakers in order, a chunk of the agent's speech an entry; `frames` every frame both
    ways. `answer_from` is the index into `heard` of what came after the caller's last words.
    """

    def __init__(
        self,
        leg: Leg,
        target: Target,
        carrier: Carrier,
        *,
        observe: Callable[[Seen], None],
        end_waits: bool,
    ) -> None:
        self.call_sid = leg.call_sid
        self.heard: list[Heard] = []
        self.frames: list[FrameIn | FrameOut] = []
        self._observe = observe
        self._bell = Bell()
        self._exchange = Exchange(leg, target, carrier, tell=self._tell, bell=self._bell, end_waits=end_waits)
        self._life: asyncio.Task[None] | None = None
        self.answer_from = 0

    @property
    def session_id(self) -> str:
        """Of the session that was opened last."""
        return self._exchange.session_id

    @property
    def ended(self) -> Ended | None:
        return self._exchange.ended

    @property
    def _line(self) -> Line | None:
        return self._exchange.line

    async def dial(self) -> None:
        """Raises CallRefused."""
        if (session := await self._exchange.dial()) is not None:
            self._life = asyncio.create_task(self._exchange.run(*session))
            self._life.add_done_callback(lambda _: self._bell.ring())

    async def say(self, text: str, *, finals: int = 1, gap: float = 0.08) -> None:
        """Speak, at about 15 characters a second; returns when the last final prompt is sent.

        `finals` recognises the one utterance as several prompts, `gap` seconds apart.
        """
        line = await self._connected()
        await line.say(_parts(text, finals), gap)
        self.answer_from = len(self.heard)

    async def press(self, keys: str) -> None:
        """Press `0-9*#`, 0.38 s apart."""
        line = await self._connected()
        await line.press(keys)
        self._hear(Speaker.CALLER, f"[{len(keys)} digits]")
        self.answer_from = len(self.heard)

    async def noise(self) -> None:
        """A cough: it interrupts, and no prompt ever comes of it."""
        line = await self._connected()
        await line.noise()

    async def quiet(self, timeout: float = 30.0, *, settle: float = 0.5) -> None:  # noqa: ASYNC109
        """Until the agent has answered and said nothing more for `settle` seconds, or the call ended.

        "Answered" is: spoke since the caller's last words. Raises NotHeard.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            await self._until(self._answered, max(0.0, deadline - loop.time()), self._why_not_quiet)
            heard = len(self.heard)
            if self.ended is not None:
                return
            await asyncio.sleep(settle)
            if len(self.heard) == heard and self._answered():
                return

    async def until_heard(self, text: str, timeout: float = 30.0, *, since: int = 0) -> None:  # noqa: ASYNC109
        """Until the agent has said the text, blanks and case aside. Raises NotHeard.

        `since` is an index into `heard`: what was said before it does not count.
        """
        wanted = plain(text)

        def said() -> bool:
            return wanted in plain(self.agent_text(since))

        await self._until(lambda: said() or self.ended is not None, timeout, lambda: "it was not said")
        if not said():
            raise NotHeard("the call ended before the awaited words were said")

    async def until_speaking(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Until the agent can be heard. Raises NotHeard."""
        await self._until(
            lambda: self.ended is not None or (self._line is not None and self._line.playback.playing),
            timeout,
            lambda: "the agent does not speak",
        )

    async def send_raw(self, frame: str) -> None:
        """Any text to the server, also what Twilio would never send."""
        line = await self._connected()
        line.post_raw(frame)

    async def drop(self) -> None:
        """Cut the connection; returns when the call goes on in a new session, or has ended."""
        line = await self._connected()
        line.drop()
        await self._until(
            lambda: self.ended is not None or (self._line is not None and self._line is not line),
            RECOVERY_TIMEOUT,
            lambda: "the action's answer brought neither a session nor an end",
        )

    async def hang_up(self) -> None:
        """Returns when the action, and the status callback, have been told. Harmless on an ended call."""
        self._exchange.hang_up()
        if self._life is not None:
            await self._life

    async def wait_ended(self, timeout: float = 30.0) -> Ended:  # noqa: ASYNC109
        """Until the server has ended the relay session and the call went elsewhere. Raises NotHeard."""
        await self._until(lambda: self.ended is not None, timeout, lambda: "the call goes on")
        if self.ended is None:
            raise NotHeard("the call goes on")
        return self.ended

    def agent_text(self, since: int = 0) -> str:
        """All that the caller heard the agent say, from that index of `heard` on."""
        return " ".join(heard.text for heard in self.heard[since:] if heard.speaker is Speaker.AGENT)

    def _tell(self, seen: Seen) -> None:
        match seen:
            case Played(text=text):
                self._hear(Speaker.AGENT, text)
            case CallerSaid(text=text):
                self._hear(Speaker.CALLER, text)
            case FrameIn() | FrameOut():
                self.frames.append(seen)
            case _:
                pass
        self._observe(seen)

    def _hear(self, speaker: Speaker, text: str) -> None:
        self.heard.append(Heard(speaker, text, self._exchange.now()))

    def _answered(self) -> bool:
        if self.ended is not None:
            return True
        playback = None if self._line is None else self._line.playback
        spoke = any(heard.speaker is Speaker.AGENT for heard in self.heard[self.answer_from :])
        return spoke and playback is not None and playback.silent and not playback.cycle_open

    def _why_not_quiet(self) -> str:
        if self._line is not None and self._line.playback.silent and self._line.playback.cycle_open:
            return "the talk cycle is still open: no last:true was sent"
        return "the agent has not answered, or did not stop speaking"

    async def _connected(self) -> Line:
        """The running session, awaited across a reconnect. Raises CallOver."""
        await self._until(
            lambda: self._line is not None or self.ended is not None,
            RECOVERY_TIMEOUT,
            lambda: "no session was opened",
        )
        if self._line is None:
            raise CallOver("the call has ended")
        return self._line

    async def _until(self, true: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
        try:
            await self._bell.until(lambda: true() or self._broken(), seconds)
        except TimeoutError as error:
            raise NotHeard(why()) from error
        if self._life is not None and self._broken():
            await self._life

    def _broken(self) -> bool:
        """The call's own task died of a fault, an observer's perhaps; whoever waits is told."""
        return self._life is not None and self._life.done() and self.ended is None


def _parts(text: str, count: int) -> list[str]:
    """The words of an utterance dealt over `count` prompts, in order, as evenly as can be."""
    words = text.split()
    count = max(1, min(count, len(words)))
    if count == 1:
        return [text]
    edges = [round(number * len(words) / count) for number in range(count + 1)]
    return [" ".join(words[start:end]) for start, end in itertools.pairwise(edges)]


def plain(text: str) -> str:
    """For comparing what was heard: one blank between words, no case."""
    return " ".join(text.split()).casefold()
