"""Long numbers in a text, written or said: where each stands and of what kind it is.

A number is read as its digits, in groups, over the pauses people make: "4111 1111", "four one, uh, one one",
"double four", "공일공에 일이삼사에 오육칠팔". Amounts, dates and times are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final

from policies.guard.normalise import NORMAL, normalise
from policies.guard.verify import SMALL, UNITS, card, resident_registration, social_security

SHORTEST: Final = 7  # digits; fewer are a time, a door or an order

ENGLISH: Final = {word: str(number) for word, number in SMALL.items() if number < 10} | {
    "oh": "0",
    "o": "0",
    "nought": "0",
    "eight hundred": "800",  # the calls that cost nothing
}
TEENS: Final = {word: str(number) for word, number in SMALL.items() if number > 9}
KOREAN: Final = {
    normalise(word): digit for word, digit in zip("영공일이삼사오육륙칠팔구", "001234566789", strict=True)
} | {
    normalise(word): str(digit)
    for digit, word in enumerate(("하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉"), start=1)
}
TIMES: Final = {"double": 2, "triple": 3}


def _any(words: Iterator[str] | dict[str, str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


BEFORE: Final = r"(?<![a-z0-9_])"
AFTER: Final = r"(?![a-z0-9_])"
SYLLABLE_ENDS: Final = r"(?![\u11a8-\u11ff])"
TOKEN: Final = re.compile(
    rf"(?P<times>(?:double|triple)[ -]{{1,2}}(?:{_any(ENGLISH)}|[0-9])){AFTER}"
    rf"|(?P<teens>{_any(TEENS)}){AFTER}"
    rf"|(?P<english>{_any(ENGLISH)}){AFTER}"
    rf"|(?P<korean>{_any(KOREAN)}){SYLLABLE_ENDS}"
    r"|(?P<written>[0-9])"
)
_ONE: Final = re.sub(r"\(\?P<\w+>", "(?:", TOKEN.pattern)
_HESITATION: Final = rf"(?:uh|um|erm|er|dash|hyphen|{normalise('음')}|{normalise('어')})"
_JOINT: Final = rf"(?:{normalise('에')}|{normalise('의')}|{normalise('다시')}|{normalise('국에')})"
PAUSE: Final = rf"(?:[ ,.()-]{{1,3}}(?:{_HESITATION}[ ,.]{{1,3}})?|[ ,-]{{0,2}}{_JOINT}[ ,-]{{0,2}})"
RUN: Final = re.compile(
    rf"(?:{BEFORE}|(?<=[a-z_])(?=[0-9]{{13}}))\+?\(?(?:{_ONE})(?:{PAUSE}?(?:{_ONE}))*"
    r"(?:(?![a-z0-9_])|(?<=[0-9]{13})(?![0-9]))"
)
"""A card may stick to a word ("card4111…"); other numbers inside of words are names of things."""
STUCK: Final = re.compile("[0-9a-z_]")
HEAVY: Final = re.compile(r"[,.]")
COPULA: Final = re.compile(rf"(?:{'|'.join(map(normalise, '에예고구요야라며거죠지었랑나니'))})")

UNIT: Final = "|".join(
    sorted((normalise(unit) for unit in UNITS if unit not in "$€£¥₩"), key=len, reverse=True)
)
NO_NUMBER: Final = re.compile(
    r"(?<![0-9])[$€£¥₩] ?[0-9]{1,3}(?:,[0-9]{3}){1,5}(?:\.[0-9]{1,2})?(?![0-9])"
    r"|(?<![0-9])[$€£¥₩] ?[0-9]{1,12}(?:\.[0-9]{1,2})?(?![0-9])"
    r"|(?<![0-9,.-])[0-9]{1,3}(?:,[0-9]{3}){1,5}(?:\.[0-9]{1,2})?(?![0-9,-])"
    rf"|(?<![0-9 .()-])[0-9]{{1,12}} ?(?:{UNIT})"
    r"|(?<![0-9.-])(?:19|20)[0-9]{2}([-./])[01]?[0-9]\1[0-3]?[0-9](?![0-9-])"
    r"|(?<![0-9.-])[0-3]?[0-9]([-./])[0-3]?[0-9]\2(?:19|20)[0-9]{2}(?![0-9-])"
    r"|(?<![0-9:])[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9])?(?![0-9:])"
)


class Kind(Enum):
    """The mask of a number we know; others are counted."""

    CARD = "[card]"
    ID = "[id number]"
    PHONE = "[phone]"


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    digits: str
    group: str


def numbers(text: str, masks: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Each long number from left to right: its start, its end and its mask. Masks are no number."""
    hidden = masks.sub(lambda found: "\0" * len(found[0]), text)
    plain: list[str] = []
    raw: list[int] = []
    for at, char in enumerate(hidden):
        normal = "\0" if char == "\0" else NORMAL[char]
        plain.append(normal)
        raw += [at] * len(normal)
    read = NO_NUMBER.sub(lambda found: "\0" * len(found[0]), "".join(plain))
    for start, end, mask in _numbers(read):
        yield raw[start], raw[end - 1] + 1, mask


def _numbers(read: str) -> Iterator[tuple[int, int, str]]:
    at = 0
    while found := RUN.search(read, at):
        start, end = found.span()
        tokens = _tokens(read, start, end)
        at = max(tokens[-1].end, start + 1)
        before, after = start > 0 and STUCK.match(read, start - 1), STUCK.match(read, end)
        for piece, mask in _masked(read, tokens):
            if (before or after) and ((before and after) or mask != Kind.CARD.value):
                at = next(token.end for token in tokens if not read[token.end : token.end + 1].isdigit())
                break
            yield _opened(read, start, piece), piece[-1].end, mask


def _opened(read: str, first: int, tokens: list[_Token]) -> int:
    """Where the number begins: with its plus sign, and with its bracket if that is closed inside."""
    start = tokens[0].start
    while start > first and read[start - 1] in "+(":
        start -= 1
    closed = ")" in read[start : tokens[-1].end]
    return start if closed else start + read[start : tokens[0].start].count("(")


def _tokens(read: str, start: int, end: int) -> list[_Token]:
    """The digits of a run, up to a particle that only looks like one: the `이` of "1234567이 맞나요"."""
    tokens: list[_Token] = []
    at = start
    while found := TOKEN.search(read, at, end):
        group = found.lastgroup or ""
        attached = tokens and tokens[-1].end == found.start()
        if attached and group == "korean" and tokens[-1].group == "written":
            break
        tokens.append(_Token(found.start(), found.end(), _digits(found[0], group), group))
        at = found.end()
    return tokens


def _digits(word: str, group: str) -> str:
    match group:
        case "times":
            times, digit = re.split("[ -]+", word, maxsplit=1)
            return TIMES[times] * ENGLISH.get(digit, digit)
        case "teens":
            return TEENS[word]
        case "english":
            return ENGLISH[word]
        case "korean":
            return KOREAN[word]
        case _:
            return word


def _masked(read: str, tokens: list[_Token]) -> Iterator[tuple[list[_Token], str]]:
    """The run as one number of a known kind; else its parts between heavy pauses; else all of it."""
    for whole in _endings(read, tokens):
        if kind := _kind(read, whole):
            yield whole, kind.value
            return
    whole = next(_endings(read, tokens))
    parts = _parts(read, whole)
    long = [part for part in parts if _counts(part)]
    if len(parts) > 1 and long:
        for part in long:
            yield from _masked(read, part)
        return
    lists = len(parts) > 1 and any(part[0].group == "written" and len(part) > 1 for part in parts)
    if _counts(whole) and not lists:
        yield whole, f"[{len(_number(whole))} digits]"


def _counts(tokens: list[_Token]) -> bool:
    """Times and years ("ten thirty", "twenty twenty") come in rows: only a card may be read in such pairs."""
    return len(_number(tokens)) >= SHORTEST and not any(token.group == "teens" for token in tokens)


def _endings(read: str, tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Without the `이` of "오육칠팔이에요" and the one in front of "one 555…", then as it stands."""
    last, before = tokens[-1], tokens[-2] if len(tokens) > 1 else None
    if before and last.group == before.group == "korean" and before.end == last.start:
        if last.digits == "2" and COPULA.match(read, last.end):
            yield tokens[:-1]
        elif last.digits == "9" and before.digits == "2" and COPULA.match(read, last.end) and tokens[:-2]:
            yield tokens[:-2]
    yield tokens
    if before and tokens[0].group == "english" and tokens[1].group == "written":
        yield tokens[1:]


def _parts(read: str, tokens: list[_Token]) -> list[list[_Token]]:
    """What stands between heavy pauses, and between words such as "eleven"."""
    parts: list[list[_Token]] = [[tokens[0]]]
    for before, token in pairwise(tokens):
        if HEAVY.search(read, before.end, token.start) or "teens" in (before.group, token.group):
            parts.append([])
        parts[-1].append(token)
    return parts


def _number(tokens: list[_Token]) -> str:
    """All digits; "forty one" is 41."""
    digits = ""
    tens = False
    for token in tokens:
        digits = digits[:-1] if tens and token.group == "english" and token.digits != "0" else digits
        digits += token.digits
        tens = token.group == "teens" and token.digits.endswith("0") and token.digits != "10"
    return digits


def _kind(read: str, tokens: list[_Token]) -> Kind | None:
    number = _number(tokens)
    text = read[tokens[0].start : tokens[-1].end]
    groups = [len(part) for part in re.split("[^0-9]+", text)] if text[0].isdigit() else []
    if resident_registration(number) and number[6] in "12345678" and groups in ([], [13], [6, 7]):
        return Kind.ID
    if card(number):
        return Kind.CARD
    if any(token.group == "teens" for token in tokens):
        return None
    if len(number) == 9 and social_security(number) and groups in ([], [9], [3, 2, 4]):
        return Kind.ID
    abroad = read[max(0, tokens[0].start - 2) : tokens[0].start].strip("(").endswith("+")
    return Kind.PHONE if _phone(number, abroad, grouped=groups != [len(number)]) else None


def _phone(number: str, abroad: bool, grouped: bool) -> bool:
    match len(number):
        case 9 | 10 | 11 if number[0] == "0":
            return True
        case 10:
            return grouped
        case 11:
            return number[0] == "1"
        case 12 if number.startswith("82"):
            return True
        case 8 | 9 | 12 | 13 | 14 | 15:
            return abroad or (number.startswith("00") and len(number) > 9)
    return False
