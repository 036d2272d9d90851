"""The bounded syntax of a rule's pattern: what may be held back has to end.

Literals, `.`, classes `[a-z0-9]` and `[^…]`, `\\d \\w \\s` and their capitals, groups `(…)` and `(?:…)`,
`|`, `?`, `{m}` and `{m,n}`. What has no bound (`*`, `+`, `{m,}`) or looks around or back is refused by name.
Patterns are read as the guard reads text: in lower case, without marks, Hangul as its letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from policies.guard.normalise import normalise

MOST_REPEATS: Final = 100
ESCAPES: Final = {"n": "\n", "t": "\t"}


class PatternInvalid(Exception):
    """Rewrite the pattern: the text says what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set: single ones, ranges, and classes by their letter (`d`, `w`, `s`)."""

    single: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    classes: tuple[tuple[str, bool], ...] = ()  # (letter, negated)
    negated: bool = False

    def __contains__(self, char: str) -> bool:
        found = (
            char in self.single
            or any(first <= char <= last for first, last in self.ranges)
            or any(CLASSES[letter](char) != negated for letter, negated in self.classes)
        )
        return found != self.negated


def _digit(char: str) -> bool:
    return char in "0123456789"


def _wordlike(char: str) -> bool:
    return char.isalnum() or char == "_"


CLASSES: Final = {"d": _digit, "w": _wordlike, "s": str.isspace}


@dataclass(frozen=True, slots=True)
class Row:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Node
    least: int
    most: int


Node: TypeAlias = str | Chars | Row | Choice | Repeat
"""A `str` is one normalised character."""


def parse(pattern: str) -> Node:
    """Raises `PatternInvalid`."""
    reader = _Reader(pattern)
    node = reader.choice()
    if reader.at < len(pattern):
        raise reader.invalid("a `)` that closes nothing")
    return node


def literal(text: str) -> Node:
    """The text itself, character by character."""
    return Row(tuple(normalise(text)))


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0

    def invalid(self, says: str) -> PatternInvalid:
        return PatternInvalid(f"{says}, at character {self.at + 1} of {self.text!r}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def choice(self) -> Node:
        options = [self.row()]
        while self.peek() == "|":
            self.at += 1
            options.append(self.row())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def row(self) -> Node:
        parts: list[Node] = []
        while (char := self.peek()) and char not in "|)":
            part = self.repeat(self.one())
            parts += part.parts if isinstance(part, Row) else (part,)
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def repeat(self, part: Node) -> Node:
        match self.peek():
            case "?":
                self.at += 1
                part = Repeat(part, 0, 1)
            case "*" | "+" as sign:
                raise self.invalid(f"`{sign}` has no bound: write how often at the most, such as {{0,20}}")
            case "{":
                part = self.counted(part)
            case _:
                return part
        if self.peek() in ("?", "+", "*", "{"):
            raise self.invalid("one repetition on top of another: use a group")
        return part

    def counted(self, part: Node) -> Node:
        found = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}").match(self.text, self.at)
        if not found:
            raise self.invalid("`{` must be {m} or {m,n}; write \\{ for the character")
        if found[2] and not found[3]:
            raise self.invalid(f"`{found[0]}` has no bound: write how often at the most, {{m,n}}")
        least, most = int(found[1]), int(found[3] or found[1])
        if most < least or most > MOST_REPEATS or most == 0:
            raise self.invalid(f"`{found[0]}` must be from low to high, {MOST_REPEATS} at the most")
        self.at = found.end()
        return Repeat(part, least, most)

    def one(self) -> Node:
        char = self.peek()
        match char:
            case "(":
                return self.group()
            case "[":
                return self.chars()
            case ".":
                self.at += 1
                return Chars(negated=True)
            case "\\":
                return self.escape()
            case "^" | "$":
                raise self.invalid(f"`{char}` looks around: a rule is searched for everywhere, leave it out")
            case "?" | "*" | "+" | "{":
                raise self.invalid(f"`{char}` repeats nothing; write \\{char} for the character")
        self.at += 1
        return self.literal(char)

    def literal(self, char: str) -> Node:
        plain = normalise(char)
        if not plain:
            raise self.invalid(f"{char!r} never reaches a rule: leave it out")
        return plain if len(plain) == 1 else Row(tuple(plain))

    def group(self) -> Node:
        self.at += 1
        if self.peek() == "?":
            if not self.text.startswith("?:", self.at):
                raise self.invalid("`(?` looks around or sets a flag: only (…) and (?:…) are known")
            self.at += 2
        node = self.choice()
        if self.peek() != ")":
            raise self.invalid("a `(` that is never closed")
        self.at += 1
        return node

    def escape(self) -> Node:
        self.at += 1
        letter = self.peek()
        if not letter:
            raise self.invalid("a `\\` at the end")
        self.at += 1
        if letter.lower() in CLASSES:
            return Chars(classes=((letter.lower(), letter.isupper()),))
        if letter.isdigit():
            raise self.invalid(f"`\\{letter}` refers back: write the words again")
        if letter in "bBAZ":
            raise self.invalid(f"`\\{letter}` looks around: rules match at word boundaries by themselves")
        return self.literal(ESCAPES.get(letter, letter))

    def chars(self) -> Node:
        self.at += 1
        negated = self.peek() == "^"
        self.at += negated
        single: set[str] = set()
        ranges: list[tuple[str, str]] = []
        classes: list[tuple[str, bool]] = []
        first = True
        while self.peek() != "]" or first:
            first = False
            if self.peek() == "\\" and self.text[self.at + 1 : self.at + 2].lower() in CLASSES:
                letter = self.text[self.at + 1]
                classes.append((letter.lower(), letter.isupper()))
                self.at += 2
                continue
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member()
                if high < low:
                    raise self.invalid(f"the range {low}-{high} runs backwards")
                ranges.append((low, high))
            else:
                single.add(low)
        self.at += 1
        return Chars(frozenset(single), tuple(ranges), tuple(classes), negated)

    def member(self) -> str:
        char = self.peek()
        if char == "\\":
            self.at += 1
            char = ESCAPES.get(self.peek(), self.peek())
        if not char:
            raise self.invalid("a `[` that is never closed")
        plain = normalise(char)
        if len(plain) != 1:
            raise self.invalid(f"{char!r} cannot stand in [ ]: write it as a choice, (…|…)")
        self.at += 1
        return plain
