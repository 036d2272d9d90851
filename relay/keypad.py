"""Keys the caller presses, as numbers: each ends at `#` or after a pause; a late `#` is none."""

from __future__ import annotations

from dataclasses import dataclass, field

KEY_PAUSE = 1.5  # seconds without a key that end a number
LONE_ZERO_PAUSE = 0.8  # `0` alone asks for a person: it is not made to wait for a second key
LATE_TERMINATOR = 1.0  # a `#` this soon after a number belongs to it


@dataclass(slots=True)
class Keypad:
    """Told each key and the time; `finished` holds every number so far, to be masked wherever it turns up."""

    finished: list[str] = field(default_factory=list)
    _keys: str = ""
    _due: float = 0.0
    _done_at: float = float("-inf")

    @property
    def due(self) -> float | None:
        """When the pause ends the number that is being keyed."""
        return self._due if self._keys else None

    def press(self, digit: str, now: float) -> str | None:
        """The number that this key finishes."""
        if digit == "#":
            if self._keys:
                return self.finish(now)
            if now - self._done_at < LATE_TERMINATOR:
                return None
            self._keys = digit
            return self.finish(now)
        self._keys += digit
        self._due = now + (LONE_ZERO_PAUSE if self._keys == "0" else KEY_PAUSE)
        return None

    def finish(self, now: float) -> str | None:
        """What was keyed so far, if anything: the caller has gone on in another way, or paused."""
        keys, self._keys = self._keys, ""
        if not keys:
            return None
        self._done_at = now
        self.finished.append(keys)
        return keys
