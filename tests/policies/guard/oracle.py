"""Where the rules of the packs match a text, found by Python's own expressions: it shares no automaton."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from stdnum import luhn

from policies.guard.normalise import NORMAL, normalise
from policies.guard.rules import Rule, Verify

JAMO = "\u1100-\u11ff"
NO_WORD_BEFORE = rf"(?<![^\W{JAMO}])"
NO_WORD_AFTER = rf"(?![^\W{JAMO}])"
SYLLABLE_OVER = "(?![\u11a8-\u11ff])"
BRACKETS = re.compile(r"\[[^\]]*\]|\\.|.", re.DOTALL)
NUMBERS = {  # what the code judges, and where numbers of this kind may stand
    Verify.CARD: re.compile(r"[0-9](?:(?:[ -]| - |, )?[0-9]){12,18}"),
    Verify.RRN: re.compile(r"[0-9]{6} ?-? ?[1-8][0-9]{6}"),
}


@dataclass(frozen=True)
class Span:
    """Raw positions."""

    start: int
    end: int
    rule: str


def spans(rules: Iterable[Rule], text: str) -> Iterator[Span]:
    """Every start of every phrase, pattern and number, with one end for each."""
    read, raw = _read(text)
    for rule in rules:
        for expression in _expressions(rule):
            for start in range(len(read)):
                if found := expression.match(read, start):
                    yield Span(raw[start], raw[found.end() - 1] + 1, rule.id)
        if rule.verify in NUMBERS:
            for start, end in _numbers(rule.verify, read):
                yield Span(raw[start], raw[end - 1] + 1, rule.id)


def _read(text: str) -> tuple[str, list[int]]:
    pieces = [NORMAL[char] for char in text]
    return "".join(pieces), [at for at, piece in enumerate(pieces) for _ in piece]


@cache
def _expressions(rule: Rule) -> tuple[re.Pattern[str], ...]:
    made = [] if rule.verify else [_between(_translated(each)) for each in _alternatives(rule.pattern)]
    return tuple(map(re.compile, [*made, *(each for phrase in rule.never for each in _phrase(phrase))]))


def _alternatives(pattern: str) -> Iterator[str]:
    depth, begun = 0, ""
    for part in BRACKETS.findall(pattern):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "|" and not depth:
            yield begun
            begun = ""
        else:
            begun += part
    if begun:
        yield begun


def _translated(pattern: str) -> str:
    """A pattern of ours as Python has it: letters as they are read, digits ASCII only."""
    made = ""
    for part in BRACKETS.findall(pattern):
        if part == r"\d":
            made += "[0-9]"
        elif len(part) > 1 or part.isascii():
            made += part.lower()
        else:
            made += f"(?:{re.escape(normalise(part))})"
    return made


def _between(body: str) -> str:
    """Whole words only; a Hangul syllable is never torn."""
    hangul = any("\u1100" <= char <= "\u11ff" for char in body)
    if not hangul:
        ends_in_a_sign = body.endswith("[.!]")
        return f"{NO_WORD_BEFORE}(?:{body})" + ("" if ends_in_a_sign else NO_WORD_AFTER)
    return f"(?:{body}){SYLLABLE_OVER}"


def _phrase(phrase: str) -> Iterator[str]:
    plain = " ".join(normalise(phrase).split())
    if any("\u1100" <= char <= "\u11ff" for char in plain):
        syllables = [re.escape(normalise(char)) for char in phrase if char != " "]
        yield " {0,2}".join(syllables) + SYLLABLE_OVER
        return
    letters = plain.replace(" ", "")
    yield NO_WORD_BEFORE + "[ -]{1,3}".join(map(re.escape, plain.split())) + NO_WORD_AFTER
    if len(letters) >= 4:
        yield NO_WORD_BEFORE + "[ ._,*-]{1,3}".join(map(re.escape, letters)) + NO_WORD_AFTER


def _numbers(kind: Verify, read: str) -> Iterator[tuple[int, int]]:
    for start in range(len(read)):
        if not read[start].isdigit() or re.match(r"\w", read[start - 1 : start]):
            continue
        for end in range(start + 13, min(len(read), start + 73) + 1):
            number = read[start:end]
            digits = re.sub("[^0-9]", "", number)
            if NUMBERS[kind].fullmatch(number) and not read[end : end + 1].isdigit():
                if kind is Verify.CARD and luhn.is_valid(digits):
                    yield start, end
                if kind is Verify.RRN and 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31:
                    yield start, end


def outside(text: str, parts: Iterable[str]) -> str:
    """The text without these parts, which stand in it one after the other."""
    at, places = 0, [(0, 0)]
    for part in parts:
        start = text.index(part, at)
        at = start + len(part)
        places.append((start, at))
    return "".join(text[end:start] for (_, end), (start, _) in pairwise([*places, (len(text), 0)]))
