"""What an attempt to hand a call over is told: Twilio's reports and our own decisions, each with its time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from handoff.port import Unavailable


class LegOver(StrEnum):
    """How a person's leg ended without the caller."""

    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELED = "canceled"  # by us


class QueueResult(StrEnum):
    """Twilio's words of `<Enqueue action>`."""

    BRIDGED = "bridged"
    BRIDGING = "bridging-in-process"
    LEAVE = "leave"
    HANGUP = "hangup"
    REDIRECTED = "redirected"
    REDIRECTED_FROM_BRIDGED = "redirected-from-bridged"
    QUEUE_FULL = "queue-full"
    ERROR = "error"
    SYSTEM_ERROR = "system-error"


class DialStatus(StrEnum):
    """Twilio's words of `<Dial action>`."""

    COMPLETED = "completed"
    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class NotOffered:
    """The destination knew beforehand that nobody can take the call."""

    at: float
    reason: Unavailable


@dataclass(frozen=True, slots=True)
class Waiting:
    at: float
    queue_time: float


@dataclass(frozen=True, slots=True)
class TaskKnown:
    at: float
    workspace_sid: str
    task_sid: str


@dataclass(frozen=True, slots=True)
class AgentRinging:
    """`leg`: a reservation in TaskRouter, else a call; `call_sid` is the call to hang up."""

    at: float
    leg: str
    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    at: float
    leg: str
    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The person pressed the key. Granted when the attempt then says `taken_by` this leg, and is not over."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class Refused:
    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegFailed:
    at: float
    leg: str
    how: LegOver


@dataclass(frozen=True, slots=True)
class Released:
    """The person took it and could not be given it; the caller goes on waiting for another."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class Together:
    """The person and the caller are in one room."""

    at: float


@dataclass(frozen=True, slots=True)
class NotTogether:
    """The caller is out of the queue, and nobody came: who took it failed, or was released meanwhile."""

    at: float
    caller_gone: bool


@dataclass(frozen=True, slots=True)
class Left:
    at: float
    result: QueueResult
    queue_time: float | None = None


@dataclass(frozen=True, slots=True)
class DialEnded:
    """`talked`: seconds of DialCallDuration. `caller_gone`: the request's own CallStatus says so."""

    at: float
    status: DialStatus
    talked: float = 0.0
    caller_gone: bool = False


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    at: float


@dataclass(frozen=True, slots=True)
class TaskCanceled:
    """Nobody will be offered the call any more; "a cancelled task does not free the call"."""

    at: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record has the outcome. Of several who say so, one is the first."""


@dataclass(frozen=True, slots=True)
class LedOn:
    """The caller's request was answered with what comes next; `by` names the request."""

    by: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing more will be told: the call ended a while ago."""

    at: float


Told = (
    NotOffered
    | Waiting
    | TaskKnown
    | AgentRinging
    | AgentAnswered
    | Accepted
    | Refused
    | LegFailed
    | Released
    | Together
    | NotTogether
    | Left
    | DialEnded
    | CallerHungUp
    | TaskCanceled
    | Recorded
    | LedOn
    | Settled
)
