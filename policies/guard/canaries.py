"""Values of this call that must never be spoken: held in memory, searched for in every word of ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.guard import phrases
from policies.guard.matcher import Matcher, Right, Search
from policies.guard.normalise import normalise
from policies.guard.pattern import Chars, Choice, Node, Repeat, Row, literal

SHORTEST: Final = 6  # normalised characters; a shorter value would stop ordinary words
SHINGLE: Final = 8  # words of free text that are recognised wherever they stand
PREFIX: Final = "canary:"

BETWEEN_DIGITS: Final = Repeat(Chars(frozenset(" -.,()/")), 0, 3)
AT: Final = Row((Repeat(" ", 0, 1), Choice(("@", Row(tuple("at")))), Repeat(" ", 0, 1)))
DOT: Final = Choice((".", Row(tuple(" dot "))))


@dataclass(frozen=True, slots=True)
class Canaries:
    """One call's values, compiled."""

    matcher: Matcher = field(repr=False)


def arm(values: Mapping[str, str], allowed: Collection[str]) -> tuple[Canaries | None, tuple[str, ...]]:
    """Canaries for the values by field name, and the names of fields that were not armed.

    Not armed is what is too short to tell from ordinary words, and what the model may say anyway because the
    same value stands in `allowed`.
    """
    spoken = {_plain(value) for value in allowed}
    found: list[Search] = []
    not_armed: list[str] = []
    for name, value in values.items():
        plain = _plain(value)
        if plain in spoken or (len(plain) < SHORTEST and " " not in plain):
            not_armed.append(name)
        else:
            found += _searches(f"{PREFIX}{name}", plain)
    return (Canaries(Matcher(found)) if found else None), tuple(not_armed)


def _plain(value: str) -> str:
    return " ".join(normalise(value).split())


def _searches(rule: str, plain: str) -> Iterator[Search]:
    digits = [char for char in plain if char.isdigit()]
    if len(digits) >= SHORTEST and 2 * len(digits) >= len(plain):
        parts: list[Node] = [digits[0]]
        for digit in digits[1:]:
            parts += [BETWEEN_DIGITS, digit]
        yield Search(rule, Row(tuple(parts)), left=True, right=Right.NO_DIGIT)
        return
    if "@" in plain:
        parts = [AT if char == "@" else DOT if char == "." else char for char in plain]
        yield Search(rule, Row(tuple(parts)), left=True, right=Right.NO_WORD)
        return
    words = plain.split()
    if len(words) <= SHINGLE:
        yield from phrases.searches(rule, plain)
        return
    for first in range(len(words) - SHINGLE + 1):
        yield Search(rule, literal(" ".join(words[first : first + SHINGLE])), left=True, right=Right.ANYTHING)
