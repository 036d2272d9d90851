"""Which facts that entered were really used: those the agent spoke of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from policies.guard.normalise import normalise

WORD = re.compile(r"\w+")
SHORTEST = 4  # characters of a word that tells one value from another; of Hangul letters, two syllables


def used(facts: Mapping[str, str], said: Iterable[str]) -> tuple[str, ...]:
    """The names of facts whose value, or a distinctive word of it, stands in what the agent said."""
    spoken = normalise(" ".join(said))
    words = frozenset(WORD.findall(spoken))
    return tuple(name for name, value in facts.items() if _spoken(normalise(value).strip(), spoken, words))


def _spoken(value: str, spoken: str, words: frozenset[str]) -> bool:
    if not value:
        return False
    if value in spoken:
        return True
    distinctive = [word for word in WORD.findall(value) if len(word) >= SHORTEST]
    return any(word in words for word in distinctive)
