"""What a task says about a call: small, flat, and in names that workflow expressions can read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from handoff.port import Case

MOST_BYTES: Final = 1024
"""Studio's Enqueue Call and Send to Flex allow 1,024 characters; every character has at least one byte."""
LONGEST_STEP: Final = 200
_PLACES = ("from", "to", "caller", "called")
TWILIOS_OWN: Final = frozenset(
    {"call_sid", "account_sid", "direction", "call_status", "api_version", "worker_call_sid", "conference"}
    | set(_PLACES)
    | {f"{place}_{part}" for place in _PLACES for part in ("country", "city", "state", "zip")}
)
"""`<Enqueue>` sets these by itself, and ours are merged in: never used for our own data."""

Value = str | Mapping[str, str]


class TooLarge(Exception):
    """The reference alone does not fit: the agent file's names or our address are far too long."""


def attributes(case: Case, extra: Mapping[str, Value] | None = None) -> str:
    """JSON text below 1 kB. What the person needs stays; the business's own facts give way, last to first."""
    kept: dict[str, Value] = {
        "ref": case.ref,
        "reason": case.reason.value,
        "intent": case.intent,
        "tier": case.tier,
        "language": case.language,
        "next_step": case.next_step[:LONGEST_STEP],
        "brief_url": case.brief_url,
        **(extra or {}),
    }
    theirs = [(named(name), value) for name, value in case.attributes.items()]
    for count in range(len(theirs), -1, -1):
        text = _json({**dict(theirs[:count]), **kept})
        if _fits(text):
            return text
    return _shortened(kept)


def named(name: str) -> str:
    """A name an expression can use: "a hyphen is read as minus", and Twilio's own names are taken."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"fact_{word}" if word in TWILIOS_OWN or not word[:1].isalpha() else word


def _shortened(kept: dict[str, Value]) -> str:
    """Without our own optional parts, one after the other, until it fits."""
    step = str(kept["next_step"])
    while step:
        step = step[: len(step) * 2 // 3]
        if _fits(text := _json({**kept, "next_step": step})):
            return text
    for name in [each for each in reversed(kept) if each not in ("ref", "reason")]:
        kept = {each: value for each, value in kept.items() if each != name}
        if _fits(text := _json(kept)):
            return text
    raise TooLarge


def _json(values: Mapping[str, Value]) -> str:
    return msgspec.json.encode({name: value for name, value in values.items() if value}).decode()


def _fits(text: str) -> bool:
    return len(text.encode()) < MOST_BYTES
