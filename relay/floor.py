"""Who has the floor: until when we are heard speaking, and since when nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from policies.latency import STARTS_AFTER, speech_seconds
from policies.recovery import Climb, Silence
from relay.clock import Clock


class Floor:
    """Told what is sent, played and cut; `moved` hears of each change, for the next timer."""

    def __init__(self, silence: Silence, language: str, clock: Clock) -> None:
        self.silence = silence
        self.language = language
        self.speaking_until = 0.0  # by estimate, until the carrier says that all was played
        self.moved: Callable[[], None] = _nobody
        self.changed = asyncio.Event()  # set when speech ends in another way than was estimated
        self._clock = clock

    def said(self, text: str, *, filler: bool = False) -> None:
        if not text.strip():
            return
        now = self._clock()
        start = now + STARTS_AFTER if now > self.speaking_until else self.speaking_until
        self.speaking_until = start + speech_seconds(text, self.language)
        self.silence.speaking(self.speaking_until, filler=filler)
        self.moved()

    def played(self) -> None:
        """The carrier has nothing left to play."""
        self.speaking_until = min(self.speaking_until, self._clock())
        self.silence.spoke(self._clock())
        self.changed.set()

    def cut(self) -> None:
        """The caller cut us, and speaks."""
        self.speaking_until = min(self.speaking_until, self._clock())
        self.silence.caller(self._clock())
        self.silence.spoke(self._clock())
        self.changed.set()

    def working(self) -> None:
        """An answer is being prepared."""
        self.silence.working()

    def caller(self, *, talking: bool = False) -> None:
        """Speech, a key, or the beginning of speech."""
        self.silence.caller(self._clock(), talking=talking)

    @property
    def due_at(self) -> float | None:
        return self.silence.due_at

    def due(self) -> Climb | None:
        """The rung of the silence ladder that is due."""
        return self.silence.due(self._clock())


def _nobody() -> None:
    """Nobody wants to know."""
