"""Twilio's own requests during a handoff, read as what they tell the attempt.

Sources: Twilio, "<Enqueue>" (QueueResult, QueueTime, QueuePosition, AvgQueueTime), "<Dial>" (DialCallStatus),
call status callbacks, conference status callbacks, TaskRouter event callbacks and assignment callbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from handoff import documents
from handoff.port import Case, Hold, Leg
from handoff.told import (
    Accepted,
    AgentAnswered,
    AgentRinging,
    DialEnded,
    DialStatus,
    Left,
    LegFailed,
    LegOver,
    NotTogether,
    QueueResult,
    Refused,
    TaskCanceled,
    TaskKnown,
    Together,
    Told,
)

Form = Mapping[str, str]

CALL_OVER: Final = frozenset({"completed", "failed", "canceled", "busy", "no-answer"})
OFFERS: Final = frozenset({"task.created", "reservation.created"})
MOVED: Final = frozenset({QueueResult.REDIRECTED, QueueResult.REDIRECTED_FROM_BRIDGED, QueueResult.BRIDGING})
"""The caller's new TwiML is in charge, or a bridge is being made: nothing is to be done."""
TAKE_REFUSED: Final = "2"
LEGS: Final = {
    "busy": LegOver.NO_ANSWER,
    "no-answer": LegOver.NO_ANSWER,
    "completed": LegOver.NO_ANSWER,  # picked up, and no key: unless the leg has the caller, who decides
    "failed": LegOver.FAILED,
    "canceled": LegOver.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task offered to a worker. `contact` is the worker's `contact_uri`."""

    leg: Leg
    ref: str
    caller_call_sid: str
    contact: str = field(default="", repr=False)


def assignment(form: Form) -> Assignment:
    """`POST /twilio/handoff/assignment`: the assignment callback."""
    task = _attributes(form, "TaskAttributes")
    return Assignment(
        Leg(
            call_sid="",
            reservation_sid=form.get("ReservationSid", ""),
            task_sid=form.get("TaskSid", ""),
            workspace_sid=form.get("WorkspaceSid", ""),
        ),
        ref=task.get("ref", ""),
        caller_call_sid=task.get("call_sid", ""),
        contact=_attributes(form, "WorkerAttributes").get("contact_uri", ""),
    )


def leg(form: Form, query: Form) -> Leg:
    """The person's leg of a whisper, choice or progress request: SIDs are in the address we gave."""
    return Leg(
        call_sid=form.get("CallSid", ""),
        reservation_sid=query.get("reservation", ""),
        task_sid=query.get("task", ""),
        workspace_sid=query.get("workspace", ""),
    )


def takes(form: Form) -> bool:
    """Any key takes the call, 2 passes it on, and so does no key."""
    return form.get("Digits", "") not in ("", TAKE_REFUSED)


def not_taken(form: Form, of: Leg, at: float) -> Told:
    """Pressing 2 is a refusal; pressing nothing may be a machine."""
    if form.get("Digits", "") == TAKE_REFUSED:
        return Refused(at, of.id)
    return LegFailed(at, of.id, LegOver.NO_ANSWER)


def hold(form: Form) -> Hold:
    """`POST /twilio/handoff/wait`: what Twilio's queue says; a conference says nothing."""
    return Hold(
        waited=_number(form, "QueueTime") or 0.0,
        position=int(_number(form, "QueuePosition") or 0) or None,
        average=_number(form, "AvgQueueTime") or None,
    )


def result(form: Form, query: Form, at: float) -> Told | None:
    """`POST /twilio/handoff/result`: the caller's verb is over, or we moved the caller here (`why`).

    None for what says nothing of a person.
    """
    match query.get("why", ""):
        case documents.TIMED_OUT:
            return Left(at, QueueResult.LEAVE)
        case documents.NOT_JOINED:
            return NotTogether(at, caller_gone=_over(form))
    if queued := form.get("QueueResult"):
        return Left(at, QueueResult(queued), _number(form, "QueueTime")) if queued in _QUEUE else None
    dialled = form.get("DialCallStatus", "")
    if dialled not in _DIAL:
        return None
    talked = _number(form, "DialCallDuration") or 0.0
    return DialEnded(at, DialStatus(dialled), talked=talked, caller_gone=_over(form))


def progress(form: Form, of: Leg, at: float) -> Told | None:
    """`POST /twilio/handoff/leg`: the status callback of a person's leg."""
    status = form.get("CallStatus", "")
    if status in ("queued", "initiated", "ringing"):
        return AgentRinging(at, of.id, of.call_sid)
    if status in ("in-progress", "answered"):
        return AgentAnswered(at, of.id, of.call_sid)
    return LegFailed(at, of.id, LEGS[status]) if status in LEGS else None


def room(form: Form, at: float) -> Told | None:
    """`POST /twilio/handoff/room`: a conference "starts" when the person and the caller are both in it."""
    return Together(at) if form.get("StatusCallbackEvent") == "conference-start" else None


def event(form: Form, at: float, *, decides: bool) -> tuple[Told, ...]:
    """`POST /twilio/taskrouter`: the workspace's event callback. `decides`: nobody presses our key (Flex)."""
    reservation = form.get("ReservationSid", "")
    match form.get("EventType", ""):
        case "task.created":
            return (TaskKnown(at, form.get("WorkspaceSid", ""), form.get("TaskSid", "")),)
        case "task.canceled" | "workflow.timeout":
            return (TaskCanceled(at),)
        case "reservation.created":
            return (AgentRinging(at, reservation),)
        case "reservation.accepted" if decides:
            return (Accepted(at, reservation),)
        case "reservation.rejected" if decides:
            return (Refused(at, reservation),)
        case "reservation.timeout":
            return (LegFailed(at, reservation, LegOver.NO_ANSWER),)
        case "reservation.canceled":  # "pressed accept but whose leg failed"
            return (LegFailed(at, reservation, LegOver.FAILED),)
    return ()


def with_task(case: Case, form: Form) -> Case:
    return replace(case, workspace_sid=form.get("WorkspaceSid", ""), task_sid=form.get("TaskSid", ""))


def event_ref(form: Form) -> str:
    """Whose attempt an event belongs to; blank for tasks that are not ours."""
    return _attributes(form, "TaskAttributes").get("ref", "")


_QUEUE: Final = frozenset(QueueResult)
_DIAL: Final = frozenset(DialStatus)


def _over(form: Form) -> bool:
    return form.get("CallStatus", "") in CALL_OVER


def _number(form: Form, name: str) -> float | None:
    """None where Twilio says nothing, `-1` or no number."""
    text = form.get(name, "")
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None


def _attributes(form: Form, name: str) -> dict[str, str]:
    """The flat texts of a JSON parameter; what is not one is left out."""
    try:
        values = msgspec.json.decode(form.get(name, "") or "{}", type=dict[str, object])
    except msgspec.DecodeError:
        return {}
    return {key: value for key, value in values.items() if isinstance(value, str)}
