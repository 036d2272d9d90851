"""Code that has the last word on what a pattern found. It is given normalised text; True is a violation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from stdnum import luhn

Verifier = Callable[[str], bool]

SHORTEST_PHONE: Final = 7  # digits without country code
PERCENT: Final = "PCT"
CODE: Final = re.compile(r"([A-Za-z]{3}) ?(\d{1,12}(?:\.\d{1,4})?)|(\d{1,3}(?:\.\d{1,2})?) ?%")


@dataclass(frozen=True, slots=True)
class Price:
    """`currency` is an ISO 4217 code, or PCT for a percentage."""

    currency: str
    amount: Decimal


def parse_price(text: str) -> Price:
    """`USD 49`, `KRW 49000` or `10%`. Raises `ValueError`."""
    found = CODE.fullmatch(text.strip().replace(",", ""))
    if not found:
        raise ValueError("must be a currency code and an amount: USD 49, or a percentage: 10%")
    if found[3]:
        return Price(PERCENT, Decimal(found[3]))
    return Price(found[1].upper(), Decimal(found[2]))


def card(text: str) -> bool:
    digits = _digits(text)
    return 13 <= len(digits) <= 19 and luhn.is_valid(digits)


def social_security(text: str) -> bool:
    """Area, group and serial number as they are issued; numbers that are famous for being printed count."""
    digits = _digits(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9
        and area < "900"
        and area not in ("000", "666")
        and group != "00"
        and serial != "0000"
    )


def resident_registration(text: str) -> bool:
    """A plausible birthday; numbers issued since October 2020 end at random, without a checksum."""
    digits = _digits(text)
    return len(digits) == 13 and 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31


def foreign_phone(ours: Iterable[str]) -> Verifier:
    """A number that is not one of ours (E.164), with or without country code and leading zero."""
    known = tuple(map(_digits, ours))

    def violates(text: str) -> bool:
        digits = _digits(text)
        bare = digits.lstrip("0")
        ours = len(bare) >= SHORTEST_PHONE and any(number.endswith(bare) for number in known)
        return 9 <= len(digits) <= 15 and not ours

    return violates


def unapproved(approved: Iterable[Price]) -> Verifier:
    """Every amount that is spoken has to be one of these."""
    known = frozenset(approved)

    def violates(text: str) -> bool:
        spoken = amounts(text)
        return not spoken or any(price not in known for price in spoken)

    return violates


# -- amounts ---------------------------------------------------------------------------------------------

UNITS: Final = {
    "$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "buck": "USD", "bucks": "USD", "달러": "USD",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "유로": "EUR",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "파운드": "GBP",
    "¥": "JPY", "jpy": "JPY", "yen": "JPY", "엔": "JPY", "₩": "KRW", "krw": "KRW", "won": "KRW", "원": "KRW",
    "%": PERCENT, "percent": PERCENT, "per cent": PERCENT, "퍼센트": PERCENT, "프로": PERCENT,
}  # fmt: skip
UNITS_TO_NINETEEN: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL: Final = {word: value for value, word in enumerate(UNITS_TO_NINETEEN.split())} | {
    word: 10 * value for value, word in enumerate(TENS.split(), start=2)
}
LARGE: Final = {"hundred": 100, "thousand": 1_000, "k": 1_000, "million": 1_000_000}
KOREAN_DIGITS: Final = {digit: value for value, digit in enumerate("영일이삼사오육칠팔구")}
KOREAN_UNITS: Final = {"십": 10, "백": 100, "천": 1_000}
KOREAN_MYRIADS: Final = {"만": 10_000, "억": 100_000_000}
WORDS: Final = "|".join(sorted([*SMALL, *LARGE, "a", "and"], key=len, reverse=True))
TOKEN: Final = re.compile(
    r"(?P<number>\d[\d,]*(?:\.\d+)?)"
    rf"|(?P<unit>{'|'.join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))})(?![a-z])"
    rf"|(?P<word>(?<=\d)k\b|\b(?:{WORDS})\b)"
    r"|(?P<korean>[영일이삼사오육칠팔구십백천만억]+)"
)


RANGE: Final = re.compile(
    r" (?:to|or) |(?<!hundred)(?<!thousand)(?<!million) and |(?<=[\dk%만천백원 ])-(?= ?[$€£¥₩\d])|에서|부터"
)


def amounts(text: str) -> tuple[Price, ...]:
    """Every amount with its currency: digits, English words and Korean, ranges as two. Text is normalised."""
    composed = unicodedata.normalize("NFC", text)
    found: list[Decimal] = []
    unit = ""  # one that stands in front: $49
    for part in RANGE.split(composed):
        amount, after = _read(part)
        unit = after or unit
        if amount is not None:
            found.append(amount)
    return tuple(Price(UNITS[unit], amount) for amount in found) if unit else ()


def _read(text: str) -> tuple[Decimal | None, str]:
    """One amount and the unit beside it."""
    total, current, seen, unit = Decimal(0), Decimal(0), False, ""
    for token in TOKEN.finditer(text):
        match token.lastgroup:
            case "number":
                try:
                    current += Decimal(token[0].replace(",", ""))
                except InvalidOperation:
                    return None, ""
                seen = True
            case "unit":
                unit = unit or token[0]
            case "word":
                if token[0] in SMALL:
                    current += SMALL[token[0]]
                    seen = True
                elif token[0] in LARGE:
                    current, seen = (current or Decimal(1)) * LARGE[token[0]], True
                    if LARGE[token[0]] >= 1000:
                        total, current = total + current, Decimal(0)
            case _:
                total, current = _korean(token[0], total, current)
                seen = True
    return (total + current if seen else None), unit


def _korean(text: str, total: Decimal, current: Decimal) -> tuple[Decimal, Decimal]:
    """`3만 5천`, `사만구천`: digits and units gather up to a myriad. `current` is what stands in front."""
    section, digit = Decimal(0), current
    for char in text:
        if char in KOREAN_DIGITS:
            digit = digit * 10 + KOREAN_DIGITS[char]
        elif char in KOREAN_UNITS:
            section += (digit or 1) * KOREAN_UNITS[char]
            digit = Decimal(0)
        else:
            total += (section + digit or 1) * KOREAN_MYRIADS[char]
            section = digit = Decimal(0)
    return total, section + digit


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")
