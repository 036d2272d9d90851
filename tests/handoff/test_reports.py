"""Twilio's requests, read; what is missing, new or no number is no fault of the call."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff import reports
from handoff.port import Hold, Leg
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
    Told,
)

LEG = Leg("CA1", "WR1", "WT1", "WS1")


@pytest.mark.parametrize(
    ("form", "query", "told"),
    [
        ({"QueueResult": "leave", "QueueTime": "30"}, {}, Left(1, QueueResult.LEAVE, 30.0)),
        ({"QueueResult": "error"}, {}, Left(1, QueueResult.ERROR)),
        ({"QueueResult": "something-new"}, {}, None),
        (
            {"DialCallStatus": "completed", "DialCallDuration": "12", "CallStatus": "completed"},
            {},
            DialEnded(1, DialStatus.COMPLETED, 12.0, caller_gone=True),
        ),
        (
            {"DialCallStatus": "no-answer", "CallStatus": "in-progress"},
            {},
            DialEnded(1, DialStatus.NO_ANSWER),
        ),
        ({"DialCallStatus": "something-new"}, {}, None),
        ({"CallStatus": "in-progress"}, {"why": "timed_out"}, Left(1, QueueResult.LEAVE)),
        ({"CallStatus": "in-progress"}, {"why": "not_joined"}, NotTogether(1, caller_gone=False)),
        ({"CallStatus": "completed"}, {"why": "not_joined"}, NotTogether(1, caller_gone=True)),
        ({}, {}, None),
    ],
)
def test_the_result_of_the_callers_verb(
    form: dict[str, str], query: dict[str, str], told: Told | None
) -> None:
    assert reports.result(form, query, 1) == told


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("initiated", AgentRinging(1, "WR1", "CA1")),
        ("ringing", AgentRinging(1, "WR1", "CA1")),
        ("in-progress", AgentAnswered(1, "WR1", "CA1")),
        ("busy", LegFailed(1, "WR1", LegOver.NO_ANSWER)),
        ("no-answer", LegFailed(1, "WR1", LegOver.NO_ANSWER)),
        ("completed", LegFailed(1, "WR1", LegOver.NO_ANSWER)),
        ("failed", LegFailed(1, "WR1", LegOver.FAILED)),
        ("canceled", LegFailed(1, "WR1", LegOver.CANCELED)),
        ("something-new", None),
    ],
)
def test_the_progress_of_a_persons_leg(status: str, told: Told | None) -> None:
    assert reports.progress({"CallStatus": status}, LEG, 1) == told


@pytest.mark.parametrize(
    ("digits", "takes", "told"),
    [
        ({"Digits": "1"}, True, None),
        ({"Digits": "#"}, True, None),
        ({"Digits": "2"}, False, Refused(1, "WR1")),
        ({"Digits": ""}, False, LegFailed(1, "WR1", LegOver.NO_ANSWER)),
        ({}, False, LegFailed(1, "WR1", LegOver.NO_ANSWER)),
    ],
)
def test_a_key_takes_two_refuses_and_none_may_be_a_machine(
    digits: dict[str, str], takes: bool, told: Told | None
) -> None:
    assert reports.takes(digits) is takes
    if told is not None:
        assert reports.not_taken(digits, LEG, 1) == told


@pytest.mark.parametrize(
    ("kind", "decides", "told"),
    [
        ("task.created", False, (TaskKnown(1, "WS1", "WT1"),)),
        ("task.canceled", False, (TaskCanceled(1),)),
        ("workflow.timeout", False, (TaskCanceled(1),)),
        ("reservation.created", False, (AgentRinging(1, "WR1"),)),
        ("reservation.timeout", False, (LegFailed(1, "WR1", LegOver.NO_ANSWER),)),
        ("reservation.canceled", False, (LegFailed(1, "WR1", LegOver.FAILED),)),
        ("reservation.accepted", False, ()),  # our own doing
        ("reservation.accepted", True, (Accepted(1, "WR1"),)),
        ("reservation.rejected", False, ()),
        ("reservation.rejected", True, (Refused(1, "WR1"),)),
        ("worker.activity.update", True, ()),
    ],
)
def test_events_of_the_workspace(kind: str, decides: bool, told: tuple[Told, ...]) -> None:
    form = {"EventType": kind, "WorkspaceSid": "WS1", "TaskSid": "WT1", "ReservationSid": "WR1"}
    assert reports.event(form, 1, decides=decides) == told


def test_what_the_queue_says_and_what_it_does_not_know() -> None:
    form = {"QueueTime": "12", "QueuePosition": "2", "AvgQueueTime": "40.5"}
    assert reports.hold(form) == Hold(12.0, position=2, average=40.5)
    unknown = {"QueueTime": "", "QueuePosition": "-1", "AvgQueueTime": "0"}
    assert reports.hold(unknown) == reports.hold({}) == Hold(0.0)


def test_a_leg_is_known_by_its_address() -> None:
    query = {"ref": "r", "reservation": "WR1", "task": "WT1", "workspace": "WS1"}
    assert reports.leg({"CallSid": "CA1"}, query) == LEG
    assert (LEG.id, reports.leg({"CallSid": "CA1"}, {"ref": "r"}).id) == ("WR1", "CA1")


@given(st.text() | st.dictionaries(st.text(), st.none() | st.integers() | st.text()).map(json.dumps))
def test_attributes_that_are_not_ours_are_no_fault(text: str) -> None:
    found = reports.assignment({"TaskAttributes": text, "WorkerAttributes": text})
    assert isinstance(found.ref, str)
    assert isinstance(reports.event_ref({"TaskAttributes": text}), str)
