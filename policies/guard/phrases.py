"""One phrase as patterns: its words apart or hyphenated, its letters spaced out to slip through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policies.guard.matcher import Right, Search
from policies.guard.normalise import is_word, normalise, trailing
from policies.guard.pattern import Chars, Node, Repeat, Row

GAP: Final = Repeat(Chars(frozenset(" -")), 1, 3)  # between two words
SPREAD: Final = Repeat(Chars(frozenset(" -._,*")), 1, 3)  # between two letters
CRACK: Final = Repeat(Chars(frozenset(" -")), 0, 2)  # inside a long word
BLANK: Final = Repeat(" ", 0, 2)  # between two syllables
SHORTEST_SPREAD: Final = 4  # letters
SHORTEST_CRACKED: Final = 7


class PhraseInvalid(Exception):
    """Write another phrase: nothing of this one ever reaches the guard."""


def searches(rule: str, phrase: str) -> Iterator[Search]:
    """What to look for. Raises `PhraseInvalid`."""
    plain = " ".join(normalise(phrase).split())
    if not plain:
        raise PhraseInvalid(f"the phrase {phrase!r} has no character that is spoken")
    left, right = is_word(plain[0]), _right(plain[-1])
    if any("\u1100" <= char <= "\u11ff" for char in plain):
        yield Search(rule, _korean(phrase), left, right)
        return
    yield Search(rule, _joined(plain, GAP), left, right)
    letters = plain.replace(" ", "")
    if len(letters) >= SHORTEST_SPREAD:
        yield Search(rule, _joined(" ".join(letters), SPREAD), left, right)
    if len(letters) >= SHORTEST_CRACKED and " " not in plain:
        yield Search(rule, _joined(" ".join(letters), CRACK), left, right)


def _joined(text: str, gap: Node) -> Node:
    """The characters of `text`, each space a gap."""
    return Row(tuple(gap if char in " -" else char for char in text))


def _korean(phrase: str) -> Node:
    """Spaces are often left out or put in between syllables, and change nothing of what is said."""
    parts: list[Node] = []
    for char in phrase:
        if not (letters := normalise(char).strip()):
            continue
        if parts and not trailing(letters[0]):
            parts.append(BLANK)
        parts += letters
    return Row(tuple(parts))


def _right(last: str) -> Right:
    if is_word(last):
        return Right.NO_WORD
    return Right.WHOLE_SYLLABLE if "\u1100" <= last <= "\u11ff" else Right.ANYTHING
