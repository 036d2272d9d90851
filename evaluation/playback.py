"""Twilio's speech queue, without sockets or clocks: what is played when, and what a barge-in cuts.

Times are seconds on the caller's clock. Not known of the real service, and decided here: `agentSpeaking`
drops to off when a slow token stream runs dry inside a talk cycle; messages that may not be interrupted
survive the purge of a barge-in; media is silent in `tokensPlayed` and lasts `MEDIA_SECONDS`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from msgspec import UNSET

from evaluation.wire import Input, Inputs, Play, Playable, SendDigits, Text, inputs

CHARACTERS_PER_SECOND: Final = 15.0
SPEECH_LATENCY: Final = 0.3
GREETING_LATENCY: Final = 0.7
TONES_LATENCY: Final = 2.0
PREEMPTION_LATENCY: Final = 2.0
TONE_SECONDS: Final = 0.25
PAUSE_SECONDS: Final = 0.5
MEDIA_SECONDS: Final = 3.0
LOOP_LIMIT: Final = 1000

_CLAUSE_END = re.compile(r"(?<=[.,:;!?…])(?=\s)|(?<=[。！？、，；：])")
_WORD_END = re.compile(r"\s|$")


@dataclass(frozen=True, slots=True)
class SpeakingChanged:
    on: bool


@dataclass(frozen=True, slots=True)
class ChunkPlayed:
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The caller stopped the agent: the part of the current chunk that was heard, and the seconds into it."""

    heard: str
    after: float


Signal = SpeakingChanged | ChunkPlayed | Cut


def speech_seconds(text: str) -> float:
    return len(text) / CHARACTERS_PER_SECOND


def spoken_part(text: str, seconds: float) -> str:
    """What has been said of a text after so many seconds, up to the end of the word being said."""
    if seconds <= 0:
        return ""
    start = len(text) - len(text.lstrip())
    position = max(start + 1, int(seconds * CHARACTERS_PER_SECOND))
    end = _WORD_END.search(text, position)
    return text[: end.start()].strip() if end else text.strip()


@dataclass(frozen=True, slots=True)
class _Item:
    text: str
    seconds: float
    ready: float
    interruptible: Inputs
    preemptible: bool


@dataclass(slots=True)
class _Cycle:
    """A talk cycle that no `last:true` has closed; `tail` waits for its clause end."""

    interruptible: Inputs
    preemptible: bool
    ready: float | None = None
    tail: str = ""


class Playback:
    """Told what arrived and what time it is, answers with what Twilio would report, in Twilio's order."""

    def __init__(self, interruptible: Inputs = Inputs.ANY, *, preemptible: bool = False) -> None:
        self._interruptible = interruptible
        self._preemptible = preemptible
        self._queue: deque[_Item] = deque()
        self._cycle: _Cycle | None = None
        self._current: _Item | None = None
        self._began = 0.0
        self._free = 0.0
        self.speaking = False

    @property
    def playing(self) -> bool:
        """Something can be heard right now."""
        return self._current is not None

    @property
    def silent(self) -> bool:
        """Nothing is played and nothing is queued; a talk cycle may still be open."""
        return self._current is None and not self._queue and not self.speaking

    @property
    def cycle_open(self) -> bool:
        return self._cycle is not None

    def greet(self, text: str, interruptible: Inputs, now: float) -> None:
        """The welcome greeting: one chunk, spoken by Twilio itself."""
        self._queue.append(_Item(text, speech_seconds(text), now + GREETING_LATENCY, interruptible, False))

    def feed(self, frame: Playable, now: float) -> list[Signal]:
        signals = self.advance(now)
        match frame:
            case Text():
                signals += self._text(frame, now)
            case Play():
                cut = self._preempt(now)
                ready = now + (PREEMPTION_LATENCY if cut else SPEECH_LATENCY)
                may_cut = self._interruptible if frame.interruptible is UNSET else inputs(frame.interruptible)
                may_fall = self._preemptible if frame.preemptible is UNSET else frame.preemptible
                seconds = MEDIA_SECONDS * (frame.loop or LOOP_LIMIT)
                self._queue.append(_Item("", seconds, ready, may_cut, may_fall))
                signals += cut
            case SendDigits(digits=digits):
                seconds = sum(PAUSE_SECONDS if key == "w" else TONE_SECONDS for key in digits)
                ready = now + TONES_LATENCY
                self._queue.append(_Item(digits, seconds, ready, self._interruptible, self._preemptible))
        return signals + self.advance(now)

    def due(self) -> float | None:
        """When `advance` next has something to say; None while only a frame can change anything."""
        if self._current is not None:
            return self._began + self._current.seconds
        if self._queue and (not self.speaking or self._queue[0].ready <= self._free):
            return max(self._queue[0].ready, self._free)
        return self._free if self.speaking else None

    def advance(self, now: float) -> list[Signal]:
        """Everything that happened up to now."""
        signals: list[Signal] = []
        while (at := self.due()) is not None and at <= now:
            signals += self._step(at)
        return signals

    def barge_in(self, by: Input, now: float) -> list[Signal]:
        """The caller spoke or pressed a key: what was playing is cut and the queue purged, if it may be.

        `agentSpeaking off` is not among the answers: it follows at the next `advance`, so that the partial
        prompt of the same moment can stand before it, as recorded.
        """
        signals = self.advance(now)
        current = self._current
        if current is None or not current.interruptible.admit(by):
            return signals
        heard = self._cut(current, now)
        self._queue = deque(
            replace(item, ready=max(item.ready, now + SPEECH_LATENCY))
            for item in self._queue
            if not item.interruptible.admit(by)
        )
        if self._cycle is not None and self._cycle.interruptible.admit(by):
            self._cycle.tail = ""
            self._cycle.ready = None
        return [*signals, *heard, Cut(heard[0].text if heard else "", now - self._began)]

    def _text(self, frame: Text, now: float) -> list[Signal]:
        signals: list[Signal] = []
        cycle = self._cycle
        if cycle is None:
            cycle = self._cycle = _Cycle(self._interruptible, self._preemptible)
        if frame.interruptible is not UNSET:
            cycle.interruptible = inputs(frame.interruptible)
        if frame.preemptible is not UNSET:
            cycle.preemptible = frame.preemptible
        if frame.token and cycle.ready is None:
            signals += self._preempt(now)
            cycle.ready = now + (PREEMPTION_LATENCY if signals else SPEECH_LATENCY)
        *clauses, cycle.tail = _CLAUSE_END.split(cycle.tail + frame.token)
        if frame.last:
            clauses.append(cycle.tail)
            self._cycle = None
        ready = max(now, cycle.ready or now)
        for clause in filter(str.strip, clauses):
            self._queue.append(
                _Item(clause, speech_seconds(clause), ready, cycle.interruptible, cycle.preemptible)
            )
        return signals

    def _preempt(self, now: float) -> list[Signal]:
        """A new message displaces what was sent preemptible; the fragment is reported, no interrupt is."""
        self._queue = deque(item for item in self._queue if not item.preemptible)
        if self._cycle is not None and self._cycle.preemptible:
            self._cycle.tail = ""
        if self._current is None or not self._current.preemptible:
            return []
        return [*self._cut(self._current, now), *self.advance(now)]

    def _cut(self, current: _Item, now: float) -> list[ChunkPlayed]:
        self._current = None
        self._free = now
        heard = spoken_part(current.text, now - self._began)
        return [ChunkPlayed(heard)] if heard else []

    def _step(self, at: float) -> list[Signal]:
        if self._current is not None:
            played, self._current, self._free = self._current, None, at
            return [ChunkPlayed(played.text)] if played.text else []
        if self._queue and self._queue[0].ready <= at:
            self._current, self._began = self._queue.popleft(), at
            was_speaking, self.speaking = self.speaking, True
            return [] if was_speaking else [SpeakingChanged(True)]
        self.speaking = False
        return [SpeakingChanged(False)]
