"""One attempt to hand a call over, told what Twilio reports: it has exactly one outcome, in whatever order.

Requests are repeated, come late and overtake each other. So a report that something is over decides only
where nothing else can contradict it: a caller's hang-up is noted, and the caller's own verb decides, or
`Settled`.
An attempt is a value; whoever keeps it must refuse a write over a newer one (compare and set).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from handoff.port import Unavailable
from handoff.told import (
    Accepted,
    AgentAnswered,
    AgentRinging,
    CallerHungUp,
    DialEnded,
    DialStatus,
    LedOn,
    Left,
    LegFailed,
    LegOver,
    NotOffered,
    NotTogether,
    QueueResult,
    Recorded,
    Refused,
    Released,
    Settled,
    TaskCanceled,
    TaskKnown,
    Together,
    Told,
    Waiting,
)

JOINING_SECONDS: Final = 5.0
"""A caller who hangs up this soon after a person took the call, and was not seen together with them, left."""


class AttemptOutcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    CALLER_LEFT = "caller_left"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    CLOSED = "closed"


NOT_OFFERED: Final = {
    Unavailable.CLOSED: AttemptOutcome.CLOSED,
    Unavailable.NOBODY_THERE: AttemptOutcome.NO_ANSWER,
    Unavailable.WAIT_TOO_LONG: AttemptOutcome.TIMED_OUT,
    Unavailable.FAILED: AttemptOutcome.FAILED,
}


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """`asks`: a person presses a key. `in_room`: the caller waits in a conference. `numbers`: the legs we
    ring ourselves, after which there is nobody left; 0 where others decide whom to offer the call."""

    ref: str
    destination: str  # its name in the agent file
    sla: float
    started_at: float
    asks: bool = False
    in_room: bool = False
    numbers: int = 0
    waited: float = 0.0
    workspace_sid: str = ""
    task_sid: str = ""
    legs: tuple[str, ...] = ()  # the people's call SIDs
    over: tuple[tuple[str, LegOver], ...] = ()
    taken_by: str = ""
    taken_at: float | None = None
    caller_gone_at: float | None = None
    nobody_is_offered: bool = False
    moved: bool = False  # out of the queue by REST: by us, or by Flex into its own room
    outcome: AttemptOutcome | None = None
    ended_at: float | None = None
    wait: float | None = None  # until a person had the call, or the attempt was over
    recorded: bool = False
    led_on: str = ""  # the request that was answered with what comes next

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return msgspec.json.decode(data, type=cls)

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @property
    def taken(self) -> bool:
        return bool(self.taken_by)

    @property
    def sla_met(self) -> bool | None:
        """None while the attempt is open."""
        if self.outcome is None or self.wait is None:
            return None
        return self.outcome is AttemptOutcome.ACCEPTED and self.wait <= self.sla

    def granted(self, leg: str) -> bool:
        """Whether this leg may have the caller now."""
        return self.taken_by == leg and self.outcome is None and self.caller_gone_at is None

    def waited_at(self, now: float) -> float:
        return max(self.waited, now - self.started_at)


def tell(attempt: Attempt, told: Told) -> Attempt:
    """The attempt after this report. An outcome stays; legs are noted even then, to be hung up."""
    match told:
        case AgentRinging() | AgentAnswered():
            attempt = _with_leg(attempt, told.call_sid)
        case Recorded():
            return replace(attempt, recorded=attempt.outcome is not None)
        case LedOn(by):
            return replace(attempt, led_on=attempt.led_on or by)
    return attempt if attempt.outcome is not None else _open(attempt, told)


def _open(attempt: Attempt, told: Told) -> Attempt:
    match told:
        case NotOffered(at, reason):
            return _end(attempt, NOT_OFFERED[reason], at)
        case Waiting(_, queue_time):
            return replace(attempt, waited=max(attempt.waited, queue_time))
        case TaskKnown(_, workspace, task):
            return replace(attempt, workspace_sid=workspace, task_sid=task)
        case AgentAnswered(at, leg) if not attempt.asks:
            return _take(attempt, leg, at)
        case AgentRinging() | AgentAnswered():
            return attempt
        case Accepted(at, leg):
            return _moved_by_taker(_take(attempt, leg, at), at)
        case Refused(at, leg):
            return _leg_over(attempt, leg, LegOver.REFUSED, at)
        case LegFailed(at, leg, how):
            return _leg_over(attempt, leg, how, at)
        case TaskCanceled():
            return replace(attempt, nobody_is_offered=True)
        case CallerHungUp(at):
            return replace(attempt, caller_gone_at=attempt.caller_gone_at or at)
    return _over(attempt, told)


def _over(attempt: Attempt, told: Told) -> Attempt:
    match told:
        case Released(at, leg) if leg == attempt.taken_by:
            return _leg_over(replace(attempt, taken_by="", taken_at=None), leg, LegOver.FAILED, at)
        case Together(at):
            return _end(attempt, AttemptOutcome.ACCEPTED, at)
        case NotTogether(at, caller_gone):
            gone = caller_gone or attempt.caller_gone_at is not None
            nobody = AttemptOutcome.FAILED if attempt.taken else AttemptOutcome.TIMED_OUT
            return _end(attempt, AttemptOutcome.CALLER_LEFT if gone else nobody, at)
        case Left():
            return _left(attempt, told)
        case DialEnded():
            return _dial_ended(attempt, told)
        case Settled(at):
            return _settle(attempt, at)
    return attempt


def _left(attempt: Attempt, left: Left) -> Attempt:
    match left.result:
        case QueueResult.BRIDGED | QueueResult.REDIRECTED_FROM_BRIDGED:
            return _end(attempt, AttemptOutcome.ACCEPTED, left.at, wait=left.queue_time)
        case QueueResult.HANGUP:
            return _end(attempt, AttemptOutcome.CALLER_LEFT, left.at, wait=left.queue_time)
        case QueueResult.LEAVE if not attempt.taken:  # else the person's room comes for the caller
            return _end(attempt, AttemptOutcome.TIMED_OUT, left.at, wait=left.queue_time)
        case QueueResult.QUEUE_FULL | QueueResult.ERROR | QueueResult.SYSTEM_ERROR:
            return _end(attempt, AttemptOutcome.FAILED, left.at, wait=left.queue_time)
        case QueueResult.REDIRECTED:
            waited = max(attempt.waited, left.queue_time or left.at - attempt.started_at)
            return _moved_by_taker(replace(attempt, moved=True, waited=waited), left.at)
        case QueueResult.LEAVE | QueueResult.BRIDGING:
            return attempt


def _dial_ended(attempt: Attempt, ended: DialEnded) -> Attempt:
    """Where a person presses a key, our own stored choice is trusted and not the status."""
    if attempt.taken:
        return _end(attempt, AttemptOutcome.ACCEPTED, ended.at)
    match ended.status:
        case DialStatus.COMPLETED | DialStatus.ANSWERED if not attempt.asks:
            wait = ended.at - ended.talked - attempt.started_at
            return _end(attempt, AttemptOutcome.ACCEPTED, ended.at, wait=wait)
        case DialStatus.CANCELED:
            return _end(attempt, AttemptOutcome.CALLER_LEFT, ended.at)
    if ended.caller_gone or attempt.in_room:
        return _end(attempt, AttemptOutcome.CALLER_LEFT, ended.at)
    fallback = AttemptOutcome.FAILED if ended.status is DialStatus.FAILED else AttemptOutcome.NO_ANSWER
    return _end(attempt, _legs_say(attempt, fallback), ended.at)


def _settle(attempt: Attempt, at: float) -> Attempt:
    gone = attempt.caller_gone_at
    if attempt.taken_at is not None:
        soon = gone is not None and gone - attempt.taken_at < JOINING_SECONDS
        return _end(attempt, AttemptOutcome.CALLER_LEFT if soon else AttemptOutcome.ACCEPTED, gone or at)
    if attempt.moved and not attempt.asks:  # somebody took the caller out of the queue, and told us no more
        return _end(attempt, AttemptOutcome.ACCEPTED, gone or at, wait=attempt.waited)
    if gone is not None:
        return _end(attempt, AttemptOutcome.CALLER_LEFT, gone)
    return _end(attempt, AttemptOutcome.TIMED_OUT if attempt.nobody_is_offered else AttemptOutcome.FAILED, at)


def _take(attempt: Attempt, leg: str, at: float) -> Attempt:
    """The first who takes it has it; not one who refused, nor a call whose caller is gone."""
    if attempt.taken or attempt.caller_gone_at is not None or leg in dict(attempt.over):
        return attempt
    return replace(attempt, taken_by=leg, taken_at=at)


def _moved_by_taker(attempt: Attempt, at: float) -> Attempt:
    """Where others take the call in their own way (Flex), who took it has moved the caller to themselves."""
    together = attempt.moved and attempt.taken and not attempt.asks
    return _end(attempt, AttemptOutcome.ACCEPTED, at) if together else attempt


def _leg_over(attempt: Attempt, leg: str, how: LegOver, at: float) -> Attempt:
    if leg == attempt.taken_by or leg in dict(attempt.over) or how is LegOver.CANCELED:
        return attempt
    attempt = replace(attempt, over=(*attempt.over, (leg, how)))
    if not attempt.numbers or len(attempt.over) < attempt.numbers or attempt.taken:
        return attempt
    if attempt.caller_gone_at is not None:
        return _end(attempt, AttemptOutcome.CALLER_LEFT, attempt.caller_gone_at)
    return _end(attempt, _legs_say(attempt, AttemptOutcome.NO_ANSWER), at)


def _legs_say(attempt: Attempt, otherwise: AttemptOutcome) -> AttemptOutcome:
    how = {each for _, each in attempt.over}
    if LegOver.REFUSED in how:
        return AttemptOutcome.REFUSED
    if LegOver.NO_ANSWER in how:
        return AttemptOutcome.NO_ANSWER
    return AttemptOutcome.FAILED if LegOver.FAILED in how else otherwise


def _with_leg(attempt: Attempt, call_sid: str) -> Attempt:
    if not call_sid or call_sid in attempt.legs:
        return attempt
    return replace(attempt, legs=(*attempt.legs, call_sid))


def _end(attempt: Attempt, outcome: AttemptOutcome, at: float, *, wait: float | None = None) -> Attempt:
    if attempt.taken_at is not None:
        wait = attempt.taken_at - attempt.started_at
    if wait is None:
        wait = at - attempt.started_at
    return replace(attempt, outcome=outcome, ended_at=at, wait=max(0.0, wait))
