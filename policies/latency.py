"""Never dead air: what is said while the answer is not there yet. Three lanes, one clock.

The clock runs from the receipt of the caller's last prompt: at 0.7 s an acknowledgement, at 1.5 s a phrase on
the tool that runs, at 2.0 s something useful, and then a word whenever it has been quiet, for a while. The
orchestration owns these times, not the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from policies.lines import Lines

MOST_SILENCE: Final = 2.0  # seconds without something spoken: the promise
PAUSE: Final = 1.5  # seconds from the end of one phrase, as it was reported, to the next
PAUSE_BY_ESTIMATE: Final = 1.0  # the same from an estimated end, which is up to a second late
STARTS_AFTER: Final = 0.4  # seconds from a frame to its first sound: "260-430 ms" were seen
MOST_WAITS: Final = 3  # phrases after the useful one, before the answer is given up

LETTERS_A_SECOND: Final = 15.0
SYLLABLES_A_SECOND: Final = 7.0
SLOW: Final = 1.2  # the slowest voice heard, against these rates
BREATH: Final = 0.2  # seconds after a sentence, half of it after a clause
SYLLABLES: Final = re.compile(r"[\uac00-\ud7a3\u3040-\u30ff\u4e00-\u9fff]")
LETTERS: Final = re.compile(r"[^\W\d_]|[ '’-]")
NUMERALS: Final = re.compile(r"\d|[$€£¥₩%&@#+=]")
LETTERS_OF_NUMERAL: Final = 8  # "seventy", "dollars"
SYLLABLES_OF_NUMERAL: Final = 2  # "칠십"
ENDS: Final = re.compile(r"[.!?。？！…]+")
CLAUSES: Final = re.compile(r"[,;:、，]+")


def speech_seconds(text: str, language: str = "en") -> float:
    """How long a voice takes for this at the most, from its first sound; a little more than it will take.

    Numerals are long: "$49" is "forty-nine dollars". They are read in `language`, all else as it is written.
    """
    syllables = len(SYLLABLES.findall(text))
    letters = len(LETTERS.findall(text)) - syllables
    numerals = len(NUMERALS.findall(text))
    if language.casefold().partition("-")[0] == "ko":
        syllables += numerals * SYLLABLES_OF_NUMERAL
    else:
        letters += numerals * LETTERS_OF_NUMERAL
    breath = BREATH * (len(ENDS.findall(text)) + len(CLAUSES.findall(text)) / 2)
    return SLOW * (max(0, letters) / LETTERS_A_SECOND + syllables / SYLLABLES_A_SECOND) + breath


class Lane(StrEnum):
    ACKNOWLEDGEMENT = "acknowledgement"
    TOOL = "tool"
    WAITING = "waiting"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Phrase:
    """To be said now, whole, through the guard; it is no beginning of the reply."""

    text: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The caller has waited long enough: say what is wrong, or get a person."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language, several for each lane, so that none follows itself."""

    language: str
    acknowledgement: tuple[str, ...]
    waiting: tuple[str, ...]
    tool: tuple[str, ...]
    fallback: tuple[str, ...]

    def of(self, lane: Lane) -> tuple[str, ...]:
        match lane:
            case Lane.ACKNOWLEDGEMENT:
                return self.acknowledgement
            case Lane.TOOL:
                return self.tool
            case Lane.WAITING:
                return self.waiting
            case Lane.FALLBACK:
                return self.fallback


def phrases(ours: Lines, own: Sequence[str] = ()) -> Phrases:
    """Our own phrases of a language; `own` of an agent file stand in the place of those that only wait.

    A single one is joined by ours, for it would follow itself.
    """
    waiting = tuple(dict.fromkeys(own if len(set(own)) > 1 else (*own, *ours.waiting)))
    tool = tuple(dict.fromkeys(own)) if len(set(own)) > 1 else ours.tool
    return Phrases(ours.language, ours.acknowledgements, waiting, tool, ours.fallbacks)


@dataclass(slots=True)
class Lanes:
    """Of one call, turn after turn. `phrases` may be exchanged when the language changes."""

    acknowledge_after: float
    tool_phrase_after: float
    fallback_after: float
    phrases: Phrases
    _heard_at: float = field(default=0.0, init=False)
    _due_at: float | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)  # of the steps below
    _acknowledged: bool = field(default=False, init=False)  # in this turn
    _last: str = field(default="", init=False)
    _turns: dict[Lane, int] = field(default_factory=dict, init=False)  # how often each lane has spoken

    def heard(self, heard_at: float) -> None:
        """A turn begins: the caller has finished, and nothing of its answer is there."""
        self._heard_at = heard_at
        self._passed = 0
        self._acknowledged = False
        self._due_at = heard_at + self.acknowledge_after

    def answered(self) -> None:
        """The reply has begun, or the turn is over: nothing more is due."""
        self._due_at = None

    def spoke(self, now: float) -> None:
        """What we sent has truly ended, earlier than estimated: the quiet begins now."""
        if self._due_at is not None:
            self._due_at = min(self._due_at, max(now + self._pause(PAUSE), self._not_before()))

    @property
    def due_at(self) -> float | None:
        """When to ask `due`; it may then be postponed."""
        return self._due_at

    def due(
        self, now: float, *, speaking_until: float, tool_running: bool, replying: bool
    ) -> Phrase | Exhausted | None:
        """What to say now. Never over what is being spoken until `speaking_until`, never in a reply."""
        if replying:
            self._due_at = None
        if self._due_at is None or now < self._due_at:
            return None
        if speaking_until > now:
            self._postpone(speaking_until)
            return None
        if self._passed == 1 and not tool_running:
            self._passed = 2  # one thing at a time: what is useful instead of a request to wait
            if now < self._not_before():
                self._due_at = self._not_before()
                return None
        if self._passed >= 3 + MOST_WAITS:
            self._due_at = None
            return Exhausted()
        phrase = self._next(self._lane(tool_running))
        self._passed += 1
        self._acknowledged = phrase.lane is Lane.ACKNOWLEDGEMENT
        end = now + STARTS_AFTER + speech_seconds(phrase.text, self.phrases.language)
        self._due_at = max(self._not_before(), end + self._pause(PAUSE_BY_ESTIMATE))
        return phrase

    def _lane(self, tool_running: bool) -> Lane:
        match self._passed:
            case 0:
                return Lane.ACKNOWLEDGEMENT
            case 2:
                return Lane.FALLBACK
            case _:
                return Lane.TOOL if tool_running else Lane.WAITING

    def _not_before(self) -> float:
        """When the next step may come at the earliest, however quiet it is."""
        after = (self.acknowledge_after, self.tool_phrase_after, self.fallback_after)
        return self._heard_at + after[min(self._passed, 2)]

    def _pause(self, usual: float) -> float:
        """Behind a short acknowledgement the next phrase may follow at once; else it is quiet first."""
        return 0.0 if self._acknowledged else usual

    def _postpone(self, speaking_until: float) -> None:
        if self._passed == 0:  # nobody has to be told that we listen while we speak
            self._passed = 1
        self._due_at = max(self._not_before(), speaking_until + self._pause(PAUSE_BY_ESTIMATE))

    def _next(self, lane: Lane) -> Phrase:
        """The lane's next phrase in turn, passing over the one that was said last in whatever lane."""
        known = self.phrases.of(lane)
        turn = self._turns.get(lane, 0)
        if known[turn % len(known)] == self._last:
            turn += 1
        self._turns[lane] = turn + 1
        self._last = known[turn % len(known)]
        return Phrase(self._last, lane)
