"""Release text that can no longer become a violation; block the rest.

This release has no rules yet: the guard stands in its place, and everything that is spoken passes it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    text: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """`text` was planned and is not spoken; `say_instead` is."""

    rule: str
    text: str
    say_instead: str


Ruling = Allowed | Blocked


class Guard:
    """Judges one reply. `feed` text as it comes and `finish` at every end."""

    def feed(self, text: str) -> tuple[Ruling, ...]:
        return (Allowed(text),) if text else ()

    def finish(self) -> tuple[Ruling, ...]:
        return ()
