"""The agent file's `handoff.destinations`: who takes a call, each with the time within which they have to."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from policies.agent_values import (
    Contradiction,
    Matching,
    Name,
    PhoneNumber,
    Section,
    Timeout,
    matching,
    not_empty,
)

ALWAYS_THERE: Final = frozenset({"callback", "voicemail"})
"""Destinations that need no entry of their own."""
BACK_TO_US: Final = "agent"

DestinationName = Annotated[
    str,
    matching(r"[a-z][a-z0-9_-]{0,63}", "must be at most 64 small letters, digits, _ and -, a letter first"),
]


def _sid(prefix: str) -> Matching:
    return matching(f"{prefix}[0-9a-fA-F]{{32}}", f"must be a SID: {prefix} and 32 hexadecimal digits")


class _Destination(Section):
    """`sla`: how long the caller may wait. `on_timeout`: another destination, or `agent` for back to us."""

    sla: Timeout
    on_timeout: DestinationName = "callback"


class TaskRouter(_Destination):
    type: Literal["taskrouter"]
    workflow_sid: Annotated[str, _sid("WW")]


class Flex(_Destination):
    type: Literal["flex"]
    workflow_sid: Annotated[str, _sid("WW")]


class Queue(_Destination):
    type: Literal["queue"]
    name: Annotated[str, Field(min_length=1, max_length=64)]


class Dial(_Destination):
    """One number, or several that ring at once. `whisper`: the person hears the brief, and presses a key."""

    type: Literal["dial"]
    number: PhoneNumber | None = None
    numbers: tuple[PhoneNumber, ...] = ()
    whisper: bool = True

    @model_validator(mode="after")
    def _has_a_number(self) -> Self:
        if (self.number is None) == (not self.numbers):
            raise Contradiction(("number", "needs exactly one of `number` and `numbers`"))
        return self


class Sip(_Destination):
    type: Literal["sip"]
    uri: Annotated[str, matching(r"sips?:[^\s@]+@\S+", "must be an address: sip:name@host")]
    whisper: bool = True


class Conference(_Destination):
    """A warm transfer: we stay until the person has the caller."""

    type: Literal["conference"]
    numbers: Annotated[tuple[PhoneNumber, ...], AfterValidator(not_empty)]


class Studio(_Destination):
    type: Literal["studio"]
    flow_sid: Annotated[str, _sid("FW")]


class Callback(_Destination):
    type: Literal["callback"]


class Voicemail(_Destination):
    type: Literal["voicemail"]
    greeting: Name | None = None


Destination = Annotated[
    TaskRouter | Flex | Queue | Dial | Sip | Conference | Studio | Callback | Voicemail,
    Field(discriminator="type"),
]
