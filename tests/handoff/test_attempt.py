"""An attempt has one outcome, whatever the order and repetition of what it is told."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.attempt import Attempt, AttemptOutcome, tell
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

QUEUED = Attempt(ref="r", destination="sales", sla=30.0, started_at=100.0, asks=True)
PLAIN = Attempt(ref="r", destination="queue", sla=30.0, started_at=100.0)
DIALLED = Attempt(ref="r", destination="duty", sla=20.0, started_at=100.0, asks=True)
SILENT_DIAL = Attempt(ref="r", destination="duty", sla=20.0, started_at=100.0)
TWO_NUMBERS = Attempt(
    ref="r", destination="team", sla=20.0, started_at=100.0, asks=True, in_room=True, numbers=2
)


def after(attempt: Attempt, *told: Told) -> Attempt:
    for each in told:
        attempt = tell(attempt, each)
    return attempt


@pytest.mark.parametrize(
    ("attempt", "told", "outcome"),
    [
        (QUEUED, [NotOffered(100, Unavailable.NOBODY_THERE)], "no_answer"),
        (QUEUED, [NotOffered(100, Unavailable.WAIT_TOO_LONG)], "timed_out"),
        (QUEUED, [NotOffered(100, Unavailable.CLOSED)], "closed"),
        (QUEUED, [NotOffered(100, Unavailable.FAILED)], "failed"),
        (QUEUED, [Accepted(110, "a"), Together(112)], "accepted"),
        (QUEUED, [Left(130, QueueResult.LEAVE, 30)], "timed_out"),
        (QUEUED, [Left(110, QueueResult.HANGUP, 10)], "caller_left"),
        (QUEUED, [Left(110, QueueResult.QUEUE_FULL)], "failed"),
        (QUEUED, [Left(110, QueueResult.ERROR)], "failed"),
        (QUEUED, [Left(110, QueueResult.SYSTEM_ERROR)], "failed"),
        (QUEUED, [Left(110, QueueResult.BRIDGING)], None),
        (QUEUED, [Accepted(110, "a"), Left(110, QueueResult.REDIRECTED)], None),
        (QUEUED, [Accepted(110, "a"), NotTogether(111, caller_gone=True)], "caller_left"),
        (QUEUED, [Accepted(110, "a"), NotTogether(130, caller_gone=False)], "failed"),
        (QUEUED, [Accepted(110, "a"), Released(111, "a"), NotTogether(120, caller_gone=False)], "timed_out"),
        (PLAIN, [Accepted(110, "a"), Left(110, QueueResult.REDIRECTED)], "accepted"),
        (PLAIN, [Left(110, QueueResult.REDIRECTED), Accepted(111, "a")], "accepted"),
        (PLAIN, [Left(110, QueueResult.REDIRECTED)], None),
        (PLAIN, [Left(110, QueueResult.REDIRECTED, 10), CallerHungUp(200), Settled(210)], "accepted"),
        (QUEUED, [Left(110, QueueResult.REDIRECTED, 10), CallerHungUp(200), Settled(210)], "caller_left"),
        (QUEUED, [Refused(110, "a"), LegFailed(115, "b", LegOver.FAILED)], None),
        (QUEUED, [Accepted(110, "a"), Released(111, "a"), Accepted(115, "b"), Together(116)], "accepted"),
        (QUEUED, [TaskCanceled(110), Settled(120)], "timed_out"),
        (QUEUED, [CallerHungUp(110), Settled(120)], "caller_left"),
        (QUEUED, [Settled(120)], "failed"),
        (QUEUED, [Accepted(110, "a"), CallerHungUp(112), Settled(120)], "caller_left"),
        (QUEUED, [Accepted(110, "a"), CallerHungUp(200), Settled(220)], "accepted"),
        (PLAIN, [Left(190, QueueResult.BRIDGED, 12)], "accepted"),
        (DIALLED, [DialEnded(120, DialStatus.NO_ANSWER)], "no_answer"),
        (DIALLED, [DialEnded(120, DialStatus.BUSY)], "no_answer"),
        (DIALLED, [DialEnded(120, DialStatus.NO_ANSWER, caller_gone=True)], "caller_left"),
        (DIALLED, [DialEnded(120, DialStatus.CANCELED)], "caller_left"),
        (DIALLED, [DialEnded(120, DialStatus.FAILED)], "failed"),
        (DIALLED, [DialEnded(120, DialStatus.COMPLETED)], "no_answer"),
        (DIALLED, [Refused(110, "a"), DialEnded(111, DialStatus.COMPLETED)], "refused"),
        (DIALLED, [Refused(110, "a"), DialEnded(111, DialStatus.NO_ANSWER)], "refused"),
        (DIALLED, [Accepted(110, "a"), DialEnded(300, DialStatus.COMPLETED)], "accepted"),
        (SILENT_DIAL, [DialEnded(300, DialStatus.COMPLETED, talked=190)], "accepted"),
        (SILENT_DIAL, [AgentAnswered(110, "a"), DialEnded(300, DialStatus.COMPLETED)], "accepted"),
        (TWO_NUMBERS, [LegFailed(110, "a", LegOver.NO_ANSWER)], None),
        (
            TWO_NUMBERS,
            [LegFailed(110, "a", LegOver.NO_ANSWER), LegFailed(111, "b", LegOver.NO_ANSWER)],
            "no_answer",
        ),
        (TWO_NUMBERS, [Refused(110, "a"), LegFailed(111, "b", LegOver.NO_ANSWER)], "refused"),
        (
            TWO_NUMBERS,
            [LegFailed(110, "a", LegOver.FAILED), LegFailed(110, "b", LegOver.FAILED)],
            "failed",
        ),
        (
            TWO_NUMBERS,
            [CallerHungUp(109), LegFailed(110, "a", LegOver.FAILED), Refused(111, "b")],
            "caller_left",
        ),
        (TWO_NUMBERS, [DialEnded(110, DialStatus.ANSWERED)], "caller_left"),
    ],
)
def test_each_way_it_can_end_has_its_outcome(attempt: Attempt, told: list[Told], outcome: str | None) -> None:
    assert after(attempt, *told).outcome == outcome


def test_the_wait_lasts_until_the_person_took_the_call_and_meets_the_sla_or_misses_it() -> None:
    fast = after(QUEUED, Accepted(129, "a"), Together(131))
    assert (fast.wait, fast.sla_met) == (29, True)
    slow = after(QUEUED, Accepted(131, "a"), Together(132))
    assert (slow.wait, slow.sla_met) == (31, False)
    left = after(QUEUED, Left(131, QueueResult.LEAVE, 30.5))
    assert (left.wait, left.sla_met) == (30.5, False)
    bridged = after(PLAIN, Left(400, QueueResult.BRIDGED, 12))
    assert (bridged.wait, bridged.sla_met) == (12, True)
    talked = after(SILENT_DIAL, DialEnded(300, DialStatus.COMPLETED, talked=190))
    assert (talked.wait, talked.sla_met) == (10, True)
    assert QUEUED.sla_met is None


def test_a_caller_taken_out_of_the_queue_waited_until_then() -> None:
    moved = after(PLAIN, Left(112, QueueResult.REDIRECTED, 12), CallerHungUp(300), Settled(310))
    assert (moved.wait, moved.sla_met) == (12, True)
    untold = after(PLAIN, Left(112, QueueResult.REDIRECTED), Settled(310))
    assert untold.wait == 12


def test_an_outcome_is_recorded_once_and_nothing_before_it() -> None:
    assert not after(QUEUED, Recorded()).recorded
    ended = after(QUEUED, Left(130, QueueResult.LEAVE), Recorded())
    assert ended.recorded
    assert tell(ended, Recorded()) == ended


def test_the_first_request_leads_the_caller_on() -> None:
    ended = after(QUEUED, Left(130, QueueResult.LEAVE), LedOn("leave"), LedOn("hangup"))
    assert (ended.led_on, ended.outcome) == ("leave", AttemptOutcome.TIMED_OUT)


def test_the_first_of_two_people_has_the_caller() -> None:
    attempt = after(TWO_NUMBERS, Accepted(110, "a"), Accepted(110, "b"))
    assert attempt.granted("a")
    assert not attempt.granted("b")


@pytest.mark.parametrize(
    "before",
    [Left(110, QueueResult.LEAVE), Left(110, QueueResult.HANGUP), CallerHungUp(110), Refused(109, "a")],
)
def test_a_key_pressed_too_late_takes_nobody(before: Told) -> None:
    attempt = after(QUEUED, before)
    now = tell(attempt, Accepted(111, "a"))
    assert not now.granted("a")
    assert now.outcome == attempt.outcome


def test_a_caller_who_left_at_the_moment_they_were_taken_is_taken() -> None:
    attempt = after(QUEUED, Accepted(129.9, "a"), Left(130, QueueResult.LEAVE, 30))
    assert attempt.granted("a")
    assert tell(attempt, Together(131)).outcome is AttemptOutcome.ACCEPTED


def test_legs_are_noted_even_when_it_is_over_so_that_they_can_be_hung_up() -> None:
    attempt = after(QUEUED, AgentRinging(101, "WR1", "CA1"), Left(130, QueueResult.LEAVE))
    assert tell(attempt, AgentRinging(131, "WR2", "CA2")).legs == ("CA1", "CA2")


def test_twilios_longer_wait_counts() -> None:
    attempt = after(QUEUED, Waiting(105, 9), Waiting(106, 7), TaskKnown(106, "WS", "WT"))
    assert (attempt.waited_at(106), attempt.waited_at(120)) == (9, 20)
    assert (attempt.workspace_sid, attempt.task_sid) == ("WS", "WT")


# A story: what Twilio reports after our own decisions, which are told in the order they were made.
STORIES: list[tuple[Attempt, list[Told], list[Told], AttemptOutcome]] = [
    (
        QUEUED,
        [Refused(105, "WR1"), Accepted(110, "WR2")],
        [
            AgentRinging(102, "WR1", "CA1"),
            LegFailed(106, "WR1", LegOver.NO_ANSWER),
            AgentAnswered(107, "WR2", "CA2"),
            Left(110, QueueResult.REDIRECTED, 10),
            Together(111),
            DialEnded(300, DialStatus.COMPLETED),
            LegFailed(300, "WR2", LegOver.NO_ANSWER),
            CallerHungUp(301),
            TaskCanceled(302),
        ],
        AttemptOutcome.ACCEPTED,
    ),
    (
        QUEUED,
        [],
        [
            AgentRinging(102, "WR1", "CA1"),
            LegFailed(110, "WR1", LegOver.CANCELED),
            Left(109, QueueResult.HANGUP, 9),
            CallerHungUp(109),
            TaskCanceled(109),
        ],
        AttemptOutcome.CALLER_LEFT,
    ),
    (
        QUEUED,
        [Refused(105, "WR1")],
        [
            LegFailed(106, "WR1", LegOver.NO_ANSWER),
            LegFailed(120, "WR2", LegOver.FAILED),
            TaskCanceled(130),
            Left(130, QueueResult.LEAVE, 30),
        ],
        AttemptOutcome.TIMED_OUT,
    ),
    (
        DIALLED,
        [Refused(110, "CA1")],
        [
            AgentRinging(101, "CA1", "CA1"),
            AgentAnswered(104, "CA1", "CA1"),
            LegFailed(110, "CA1", LegOver.NO_ANSWER),
            DialEnded(111, DialStatus.COMPLETED),
        ],
        AttemptOutcome.REFUSED,
    ),
    (
        PLAIN,
        [],
        [Left(200, QueueResult.BRIDGED, 12), CallerHungUp(200)],
        AttemptOutcome.ACCEPTED,
    ),
    (
        SILENT_DIAL,
        [],
        [
            AgentAnswered(110, "CA1", "CA1"),
            DialEnded(200, DialStatus.COMPLETED, talked=90, caller_gone=True),
            CallerHungUp(200),
            LegFailed(200, "CA1", LegOver.NO_ANSWER),
        ],
        AttemptOutcome.ACCEPTED,
    ),
    (
        TWO_NUMBERS,
        [Accepted(110, "CA2")],
        [
            LegFailed(109, "CA1", LegOver.NO_ANSWER),
            LegFailed(111, "CA1", LegOver.CANCELED),
            Together(111),
            DialEnded(200, DialStatus.ANSWERED),
            LegFailed(200, "CA2", LegOver.NO_ANSWER),
            CallerHungUp(201),
        ],
        AttemptOutcome.ACCEPTED,
    ),
]


@given(st.data())
def test_status_callbacks_may_be_shuffled_and_repeated(data: st.DataObject) -> None:
    attempt, ours, theirs, outcome = data.draw(st.sampled_from(STORIES))
    repeated = data.draw(st.lists(st.sampled_from(theirs), max_size=3))
    shuffled = data.draw(st.permutations([*theirs, *repeated]))
    attempt = after(attempt, *ours)
    outcomes = set()
    for each in shuffled:
        attempt = Attempt.decode(tell(attempt, each).encode())  # any process can go on
        outcomes.add(attempt.outcome)
    attempt = tell(attempt, Settled(400))
    assert outcomes | {attempt.outcome} <= {None, outcome}
    assert attempt.outcome is outcome
    assert attempt.wait is not None
    assert attempt.sla_met is not None


def test_every_order_of_the_longest_dial_gives_the_same() -> None:
    attempt, ours, theirs, outcome = STORIES[6]
    for order in permutations(theirs):
        assert after(attempt, *ours, *order, Settled(400)).outcome is outcome


TOLD = st.one_of(
    [
        st.sampled_from(
            [
                *[event for _, ours, theirs, _ in STORIES for event in (*ours, *theirs)],
                Released(111, "WR2"),
                NotTogether(112, caller_gone=False),
                NotTogether(112, caller_gone=True),
                NotOffered(101, Unavailable.FAILED),
                Settled(400),
            ]
        )
    ]
)


@given(st.sampled_from([QUEUED, PLAIN, DIALLED, SILENT_DIAL, TWO_NUMBERS]), st.lists(TOLD, max_size=12))
def test_an_outcome_is_never_taken_back(attempt: Attempt, told: list[Told]) -> None:
    facts = None
    for each in told:
        attempt = tell(attempt, each)
        assert tell(attempt, each).outcome == attempt.outcome
        if facts is not None:
            assert (attempt.outcome, attempt.wait, attempt.ended_at) == facts
        elif attempt.outcome is not None:
            facts = (attempt.outcome, attempt.wait, attempt.ended_at)
    assert Attempt.decode(attempt.encode()) == attempt
    assert tell(attempt, Settled(500)).outcome is not None
