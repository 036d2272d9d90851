"""One call as the phone saw it, turn by turn, and how well the caller was kept company in each."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evaluation.phone import AgentSpeaking, CallerSaid, FrameIn, Seen
from policies.latency import STARTS_AFTER, phrases, speech_seconds
from policies.lines import ENGLISH, KOREAN

MOST_SILENCE = 2.0  # seconds, the promise
FIRST_SOUND = 0.3  # from a frame to its sound on the phone: the carrier's own time
FILLERS = frozenset(
    text
    for each in map(phrases, (ENGLISH, KOREAN))
    for lane in (each.acknowledgement, each.waiting, each.tool, each.fallback)
    for text in lane
)


@dataclass(frozen=True)
class Words:
    """One text frame of ours."""

    at: float
    token: str
    last: bool


@dataclass(frozen=True)
class Cycle:
    """A talk cycle that was closed."""

    text: str
    closed_at: float

    @property
    def answers(self) -> bool:
        """A filler only keeps company."""
        return bool(self.text) and self.text not in FILLERS


@dataclass
class Turn:
    """From the caller's last words to their next."""

    seen: list[Seen] = field(default_factory=list)

    @property
    def began(self) -> float:
        return self.seen[0].at

    def words(self) -> Iterator[Words]:
        for seen in self.seen:
            if isinstance(seen, FrameIn) and seen.frame.get("type") == "text":
                yield Words(seen.at, str(seen.frame["token"]), seen.frame.get("last") is True)

    def cycles(self) -> list[Cycle]:
        """Those that are closed; `left_open` is what has no end."""
        found: list[Cycle] = []
        text = ""
        for words in self.words():
            text += words.token
            if words.last:
                found.append(Cycle(" ".join(text.split()), words.at))
                text = ""
        return [cycle for cycle in found if cycle.text]

    @property
    def left_open(self) -> bool:
        """Twilio would merge the next reply into such a cycle."""
        return not [*self.words()][-1].last

    @property
    def said(self) -> list[str]:
        return [cycle.text for cycle in self.cycles()]

    @property
    def answered_at(self) -> float | None:
        """When the first answer was complete."""
        return next((cycle.closed_at for cycle in self.cycles() if cycle.answers), None)

    def longest_silence(self) -> float:
        """On the wire: from the prompt to the first frame, then from the end of what was said, by estimate,
        to the next frame, until an answer is complete."""
        answered_at = self.answered_at
        assert answered_at is not None, f"no answer was completed: {self.said}"
        longest, quiet_since = 0.0, self.began
        for words in self.words():
            if words.at > answered_at:
                break
            longest = max(longest, words.at - quiet_since)
            if words.token.strip():
                starts = words.at + STARTS_AFTER if words.at > quiet_since else quiet_since
                quiet_since = starts + speech_seconds(words.token)
        return longest

    def longest_quiet(self) -> float:
        """In the caller's ear, by the phone's playback, until an answer is complete: longer than on the wire
        by the carrier's time to the first sound."""
        answered_at = self.answered_at
        assert answered_at is not None, f"no answer was completed: {self.said}"
        longest, quiet_since = 0.0, self.began
        for seen in self.seen:
            if not isinstance(seen, AgentSpeaking):
                continue
            if seen.on:
                longest = max(longest, seen.at - quiet_since)
            quiet_since = seen.at
            if seen.at >= answered_at:
                break
        return longest


@dataclass
class Wire:
    """`observe` is for the phone. Everything that was seen of one call, in order."""

    seen: list[Seen] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def observe(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._news.set()

    async def until_answered(self, within: float = 60.0) -> None:
        """Until an answer to the caller's last words is complete. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while self.turns()[-1].answered_at is None:
                self._news.clear()
                await self._news.wait()

    def turns(self) -> list[Turn]:
        """Without what comes before the caller's first words."""
        found: list[Turn] = []
        for seen in self.seen:
            if isinstance(seen, CallerSaid):
                found.append(Turn())
            if found:
                found[-1].seen.append(seen)
        return found

    def frames(self, type_: str) -> list[FrameIn]:
        return [seen for seen in self.seen if isinstance(seen, FrameIn) and seen.frame.get("type") == type_]


def said_twice(texts: Iterable[str]) -> list[str]:
    """Sentences that occur more than once."""
    sentences = (sentence for text in texts for sentence in re.split(r"(?<=[.?!])\s+", text) if sentence)
    return [sentence for sentence, times in Counter(sentences).items() if times > 1]


def spliced(texts: Iterable[str], marks: Sequence[str]) -> list[str]:
    """Talk cycles that hold the words of two models; each of `marks` is said by one of them only."""
    return [text for text in texts if sum(mark in text for mark in marks) > 1]
