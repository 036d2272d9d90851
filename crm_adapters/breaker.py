"""Do not ask a CRM that has just failed: callers would wait for nothing, and a limit would be met again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Open after `most` failures in a row, or at once when the vendor says how long to wait (seconds).

    When it has been open for `rest`, one attempt is let through; its outcome decides.
    """

    most: int = 5
    rest: float = 10.0
    longest: float = 300.0
    _failures: int = 0
    _open_until: float = 0.0
    _probing: bool = False

    def allows(self, now: float) -> bool:
        """May an attempt be made? After a rest the first one that asks is the probe."""
        if now < self._open_until or self._probing:
            return False
        self._probing = self._open_until > 0.0
        return True

    def succeeded(self) -> None:
        self._failures, self._open_until, self._probing = 0, 0.0, False

    def failed(self, now: float, retry_after: float | None = None) -> None:
        self._failures += 1
        if self._probing or self._failures >= self.most or retry_after is not None:
            self._open_until = now + min(max(self.rest, retry_after or 0.0), self.longest)
        self._probing = False

    def abandoned(self) -> None:
        """The attempt was given up without an answer: let another one probe."""
        self._probing = False
