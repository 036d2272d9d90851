"""A breaker for one model: after failures in a row it is left alone for a while, then one request tries it.

Pure, told the time in seconds of one clock. Shared by all calls of a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relay.llm.port import ModelFailure

IN_A_ROW: Final = 3
FIRST_PAUSE: Final = 5.0  # seconds
LONGEST_PAUSE: Final = 120.0
NOT_ITS_FAULT: Final = frozenset({ModelFailure.REFUSAL, ModelFailure.EMPTY})
FOR_GOOD: Final = frozenset({ModelFailure.REQUEST_REFUSED})  # a wrong key, model or request: the same again


@dataclass(slots=True)
class Breaker:
    """Closed: every request passes. Open: none, until `probe_at`; then one, and its end decides."""

    failures: int = 0
    probe_at: float | None = None  # None: closed
    _pause: float = FIRST_PAUSE
    _probing: bool = False

    def allows(self, now: float) -> bool:
        """May it be asked now? A probe that is allowed has to be told of its end."""
        if self.probe_at is None:
            return True
        if self._probing or now < self.probe_at:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """It has begun to answer."""
        self.failures = 0
        self.probe_at = None
        self._pause = FIRST_PAUSE
        self._probing = False

    def failed(self, now: float, failure: ModelFailure, retry_after: float | None = None) -> None:
        if failure in NOT_ITS_FAULT:
            self.abandoned()
            return
        self.failures += 1
        if self._probing:
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        if self._probing or self.failures >= IN_A_ROW or failure in FOR_GOOD:
            self.probe_at = now + max(self._pause, min(retry_after or 0.0, LONGEST_PAUSE))
        self._probing = False

    def abandoned(self) -> None:
        """It was cancelled before it could show anything."""
        self._probing = False
