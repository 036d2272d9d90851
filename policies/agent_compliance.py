"""The agent file's `compliance`, gate 5: what callers are told, agree to, and how long we remember it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from policies.agent_values import Name, Section, Spoken

LIFETIME = re.compile(r"(\d{1,5}) ?(d|y)")
DAYS = {"d": 1.0, "y": 365.25}


def _days(value: object) -> float:
    found = LIFETIME.fullmatch(value) if isinstance(value, str) else None
    if not found or not int(found[1]):
        raise ValueError("must be a number of days or years with its unit: 90d or 5y")
    return int(found[1]) * DAYS[found[2]]


Lifetime = Annotated[
    float,
    PlainValidator(_days),
    WithJsonSchema({"type": "string", "pattern": f"^{LIFETIME.pattern}$", "examples": ["90d", "5y"]}),
]
"""Days; a year is 365.25 of them."""


class Disclosure(Section):
    """The line that says the caller is talking to an AI. `prove`: the least grade that counts as heard."""

    say: Spoken | None = None
    prove: Literal["A", "B", "C", "D"] = "B"
    repeat: Annotated[int, Field(ge=0, le=5)] = 1


class Consent(Section):
    """`recording`: not at all, only after a yes, or announced in the disclosure."""

    recording: Literal["off", "ask", "announce"] = "off"
    ask: Spoken | None = None
    yes: tuple[Name, ...] = ()
    no: tuple[Name, ...] = ()
    on_no: Literal["continue_unrecorded", "handoff", "end"] = "continue_unrecorded"


class Retention(Section):
    transcript: Lifetime = 90.0
    facts: Lifetime = 365.0
    audit: Lifetime = 5 * DAYS["y"]


class OptOut(Section):
    phrases: tuple[Name, ...] = ()
    then: Literal["end_and_record"] = "end_and_record"


class Compliance(Section):
    """`mode`: what Twilio excludes under `pci` or `health` is refused when the file is loaded."""

    disclosure: Disclosure = Disclosure()
    consent: Consent = Consent()
    jurisdictions: tuple[Literal["us-federal", "us-ca", "us-me", "us-ut", "kr", "eu"], ...] = ()
    retention: Retention = Retention()
    opt_out: OptOut = OptOut()
    mode: Literal["standard", "pci", "health"] = "standard"
