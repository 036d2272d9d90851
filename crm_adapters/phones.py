"""Numbers as Twilio gives them and as people type them into a CRM."""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

WITHHELD: Final = frozenset(
    {"anonymous", "unavailable", "restricted", "unknown", "blocked", "private", "266696687", "7378742833"}
)  # the numbers spell ANONYMOUS and RESTRICTED on a keypad


def lookup_number(caller: str, region: str) -> str | None:
    """The caller's number in E.164; None for one that is withheld, a SIP address or a client's name."""
    plain = caller.strip()
    if ":" in plain or "@" in plain or plain.lower().lstrip("+") in WITHHELD:
        return None
    return e164(plain, region)


def e164(number: str, region: str) -> str | None:
    """A number as people type it, by the region's own rules (ISO 3166), without extension; None for none."""
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    parsed.extension = None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def region_of(number: str, default: str) -> str:
    """The region a line belongs to, by its own number in E.164."""
    try:
        found = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return default
    return found if found and found != "001" else default


def national(number: str) -> str:
    """The digits of an E.164 number without its country code."""
    return phonenumbers.national_significant_number(phonenumbers.parse(number, None))


def digits(number: str) -> str:
    return number.lstrip("+")
