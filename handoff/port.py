"""Where a call can go: what is handed over, and what each destination can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable
from urllib.parse import urlencode

from policies.vocabulary import EscalationReason


class Webhook(StrEnum):
    """Our routes that a handoff's TwiML and REST requests name, below `/twilio/`."""

    WAIT = "handoff/wait"  # the caller waits: the next piece of hold
    WHISPER = "handoff/whisper"  # the person answered: the brief, then a key
    CHOICE = "handoff/choice"  # the person pressed a key, or none
    RESULT = "handoff/result"  # the caller's verb is over
    LEG = "handoff/leg"  # the progress of the person's leg
    ROOM = "handoff/room"  # the progress of the conference
    RECORDING = "recording"
    AMD = "amd"


@dataclass(frozen=True, slots=True)
class Urls:
    """The absolute addresses of our webhooks. `base` is the public URL, without a trailing slash."""

    base: str

    def action(self, webhook: Webhook, **params: str) -> str:
        """A parameter without a value is left out."""
        query = urlencode({name: value for name, value in params.items() if value})
        return f"{self.base}/twilio/{webhook}?{query}" if query else f"{self.base}/twilio/{webhook}"


@dataclass(frozen=True, slots=True)
class Case:
    """One call to hand over. `ref` is signed by others and opaque here.

    `workspace_sid`, `task_sid` and `legs` (the people's call SIDs) are what the attempt has learnt so far;
    they are empty when the call is first offered.
    """

    call_sid: str
    account_sid: str
    ref: str
    reason: EscalationReason
    intent: str = "other"
    tier: str = ""
    language: str = "en-US"  # the caller's
    next_step: str = field(default="", repr=False)
    caller: str = field(default="", repr=False)
    ours: str = field(default="", repr=False)  # our number
    brief: str = field(default="", repr=False)  # spoken to the person, in their language
    brief_language: str = ""  # blank: the caller's
    brief_url: str = field(default="", repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    workspace_sid: str = ""
    task_sid: str = ""
    legs: tuple[str, ...] = ()

    @property
    def persons_language(self) -> str:
        return self.brief_language or self.language


class Unavailable(StrEnum):
    """Why nobody can take a call, known before it is offered."""

    CLOSED = "closed"
    NOBODY_THERE = "nobody_there"
    WAIT_TOO_LONG = "wait_too_long"
    FAILED = "failed"


class DestinationUnavailable(Exception):
    """Go to the fallback at once; do not let the caller wait."""

    def __init__(self, reason: Unavailable) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Leg:
    """A person's leg, as the addresses we gave Twilio name it; the TaskRouter SIDs are blank elsewhere."""

    call_sid: str
    reservation_sid: str = ""
    task_sid: str = ""
    workspace_sid: str = ""

    @property
    def id(self) -> str:
        """What an attempt knows the leg by: a worker offered twice has two reservations."""
        return self.reservation_sid or self.call_sid


@dataclass(frozen=True, slots=True)
class Hold:
    """How the caller has waited so far. Seconds."""

    waited: float
    position: int | None = None
    average: float | None = None
    since_taken: float | None = None  # a person took the call, and the room has not begun
    over: bool = False  # the attempt is over, or nobody is offered the call any more


class WhyNot(StrEnum):
    CALLER_GONE = "caller_gone"
    OFFER_OVER = "offer_over"  # the reservation is no longer this person's; the caller goes on waiting
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Joined:
    """Answer the person's leg with `twiml`: the caller has been moved, or is joined by this document."""

    twiml: str


@dataclass(frozen=True, slots=True)
class NotJoined:
    """Answer the person's leg with `twiml`: it says that there is nobody to take, and ends."""

    twiml: str
    why: WhyNot


Taken = Joined | NotJoined


class Destination(Protocol):
    async def accept(self, case: Case, urls: Urls) -> str:
        """TwiML for the caller's leg. Raises `DestinationUnavailable`."""

    async def abandon(self, case: Case) -> None:
        """The caller is gone, or has waited long enough: nobody is offered this call any more."""


@runtime_checkable
class Waits(Protocol):
    """A destination where the caller waits in our own loop."""

    async def wait(self, case: Case, urls: Urls, hold: Hold) -> str:
        """The next piece of hold; at the SLA, the way out."""

    def rejoin(self, case: Case, urls: Urls) -> str:
        """For a caller who left at the moment a person took the call."""


@runtime_checkable
class Asks(Protocol):
    """A destination where a person hears the brief and presses a key before the caller is joined."""

    def whisper(self, case: Case, urls: Urls, leg: Leg) -> str:
        """The brief and the question, for the person's leg."""

    async def take(self, case: Case, urls: Urls, leg: Leg) -> Taken:
        """The person took the call, and the attempt has granted it to them: bring the two together."""

    def room(self, case: Case, urls: Urls, leg: Leg) -> str:
        """What the person's leg was answered, for a request that is repeated."""

    async def pass_on(self, case: Case, leg: Leg) -> str:
        """The person pressed 2, or nothing: TwiML for their leg."""


@runtime_checkable
class Finishes(Protocol):
    """A destination that keeps something open while the two are talking."""

    async def finish(self, case: Case) -> None:
        """The conversation with the person is over."""
