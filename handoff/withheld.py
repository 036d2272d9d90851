"""What no brief shows: card, health and secret data, and any number that may be somebody's.

It hides too much rather than too little: the person who gets the brief can ask, and nobody can unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policies.redaction import redact

DIGITS: Final = re.compile(r"\d(?:[ .,/_-]?\d){4,}")
DAY: Final = r"20\d\d([-./])[01]?\d\1[0-3]?\d"
OTHERS: Final = re.compile(
    rf"(?:{DAY}|[01]?\d/[0-3]?\d/20\d\d)(?: [0-2]?\d)?|\d{{1,3}}(?:,\d{{3}}){{1,2}}(?:\.\d\d)?"
)
"""A day, with the hour it may go on with, or an amount: what is said of a call, and nobody's number."""

SAID: Final = (
    r"(?:\d[\d -]*|(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b[ -]?){3,}"
    r"|(?:[공영일이삼사오육칠팔구] ?){3,})"
)
"""A short secret, in digits or as it is said."""
SECRET: Final = re.compile(
    r"(?P<en>\b(?:pass(?:word|code|phrase)|pin(?: (?:code|number))?|cvv2?|cvc|security code|access code"
    r"|one-time code|maiden name|secret(?: \w+)?)(?: is| was|:| =|=))\s*[^.?!;,]+"
    r"|(?P<ko>(?:비밀번호|비번|암호|패스워드|인증번호|보안코드)(?:는|은|:))\s*[^.?!;,]+"
    # without a word between, only what is a number is a secret: "pin the note", "비밀번호가 기억이 안 나요"
    r"|(?P<near>\b(?:pass(?:word|code)|pin(?: (?:code|number))?|cvv2?|cvc|otp|on the back"
    r"|(?:the|my|your|verification|security|access|one-time|login|sms|door|gate|alarm) code)"
    rf"(?: is| was| are|:)?)\s+{SAID}"
    r"|(?P<by>(?:비밀번호|비번|암호|패스워드|인증번호|보안코드|확인코드|카드 ?뒷면|유효 ?기간)"
    rf"(?:가|이|를|을|는|은|:)?)\s*{SAID}"
    r"|\b(?=\w*\d)(?=\w*[a-z])[\w-]{20,}\b",
    re.IGNORECASE,
)
EXPIRY: Final = re.compile(r"(?P<card>\[card\][^.?!;\d]{0,30})\d{1,2} ?/ ?\d{2,4}")
"""When a card expires is card data where it stands beside the number."""
HEALTH: Final = re.compile(
    r"\b(?:diagnos\w+|diabet\w+|cancer|tumou?rs?|pregnan\w+|miscarriage|hiv|aids|depression|medications?|insulin"
    r"|prescriptions?|chemo\w*|surgery|psychiatr\w+|therapist|dementia|epilep\w+|asthma|blood pressure)\b"
    r"|당뇨\w*|(?:위|간|폐|유방|대장|췌장|자궁|갑상선)암|항암|임신\w*|우울증|처방\w*|복용\w*|정신과|치매|천식|혈압|에이즈|수술",
    re.IGNORECASE,
)
NAMES: Final = re.compile(
    r"pass(?:word|code|phrase)|secret|token|\bpin\b|cvv|cvc|iban|ssn|social.?security|resident.?registration"
    r"|card.?num|account.?num|diagnos|medic|health|allerg|illness|비밀번호|주민|카드번호|계좌|병력|건강|진단",
    re.IGNORECASE,
)


def is_named_so(fact: str) -> bool:
    """A fact of this name is never shown, whatever its value looks like."""
    return NAMES.search(fact.replace("_", " ")) is not None


def hide(text: str, masks: Mapping[str, str]) -> str:
    """On one line; `masks` are the words for `[secret]`, `[health]` and `[number]`. Twice is as once."""
    shown = " ".join(text.split())
    while (after := _hidden(shown, masks)) != shown:  # what was hidden may have kept the next from being seen
        shown = after
    return shown


def _hidden(text: str, masks: Mapping[str, str]) -> str:
    shown = " ".join(redact(text).split())
    for pattern in (EXPIRY, SECRET):
        shown = pattern.sub(lambda it: f"{_told(it)} {masks['[secret]']}".strip(), shown)
    shown = HEALTH.sub(masks["[health]"], shown)
    return DIGITS.sub(lambda it: it[0] if OTHERS.fullmatch(it[0]) else masks["[number]"], shown)


def _told(found: re.Match[str]) -> str:
    """What stands before the secret, and says what it was."""
    return next((said for said in found.groups() if said), "").strip()
