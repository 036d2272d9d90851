"""What an observer of a simulated call can see, as small values; `at` counts seconds from the dialling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policies.vocabulary import Speaker

Frame = Mapping[str, object]
"""A frame as parsed JSON; what is not a JSON object stands as `{"raw": "…"}`."""


class Status(StrEnum):
    """Twilio's `SessionStatus` for the last session of a call."""

    COMPLETED = "completed"
    ENDED = "ended"
    FAILED = "failed"
    NEVER_CONNECTED = "never_connected"
    """Ours: the webhook's TwiML held no ConversationRelay."""


class Verb(StrEnum):
    """What the TwiML does with the call next; `none` lets Twilio hang up."""

    HANGUP = "hangup"
    SAY = "say"
    ENQUEUE = "enqueue"
    DIAL = "dial"
    REDIRECT = "redirect"
    RELAY = "relay"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller's ear: a chunk that the agent said, or what the caller said; keys are only counted."""

    speaker: Speaker
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How the call left the relay. `error_code` is Twilio's, as text; `close_code` the websocket's."""

    status: Status
    handoff_data: str | None
    error_code: str | None
    close_code: int | None
    verb: Verb
    spoken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dialled:
    caller: str
    called: str
    call_sid: str
    at: float


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open and `setup` is sent; `number` counts the sessions of this call from 1."""

    session_id: str
    number: int
    at: float


@dataclass(frozen=True, slots=True)
class CallerPartial:
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class CallerSaid:
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class CallerPressed:
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class AgentSpeaking:
    on: bool
    at: float


@dataclass(frozen=True, slots=True)
class Played:
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    heard: str
    at: float


@dataclass(frozen=True, slots=True)
class FrameIn:
    """From the server to the phone."""

    frame: Frame
    at: float


@dataclass(frozen=True, slots=True)
class FrameOut:
    """From the phone to the server."""

    frame: Frame
    at: float


@dataclass(frozen=True, slots=True)
class ActionAnswered:
    """`code` is the HTTP status of the action's answer; None when the action could not be asked."""

    status: Status
    code: int | None
    verb: Verb
    at: float


@dataclass(frozen=True, slots=True)
class HungUp:
    ended: Ended
    at: float


Seen = (
    Dialled
    | Connected
    | CallerPartial
    | CallerSaid
    | CallerPressed
    | AgentSpeaking
    | Played
    | Interrupted
    | FrameIn
    | FrameOut
    | ActionAnswered
    | HungUp
)
