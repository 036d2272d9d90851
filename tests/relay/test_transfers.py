"""Whole handoffs over HTTP, signed, against `tests.carrier` and `tests.task_router`: nobody is lost.

Each attempt has one outcome, each call one end, and no task, no ringing leg is left behind.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from compliance.events import Fact, Kind
from evaluation.clock import run_virtual
from handoff.sayings import KOREAN
from tests.carrier_calls import Does, Person
from tests.relay.scenes import CALL, KIM, LEE, SALES, scene
from tests.task_router import TaskRouter
from tests.twilio_api import QUEUES, Statistics

# -- TaskRouter: the warm transfer ---------------------------------------------------------------------------


@pytest.mark.parametrize("twice", [False, True])
def test_a_worker_hears_the_brief_takes_the_call_and_nothing_is_left(tmp_path: Path, twice: bool) -> None:
    async def story() -> None:
        kim = Person(KIM)
        async with scene(tmp_path, SALES, kim, twice=twice) as the:
            TaskRouter(the.network, (kim,))
            leg = await the.arrives()
            await the.ends(leg)
            assert leg.heard[0] == "You are next in line. Please hold."
            assert "Press 1 to take the call" in kim.heard
            assert the.attempts == [("first", "accepted")]
            assert the.outcome == "handed_off"
            assert the.left_to_do == set()
            the.nothing_is_left()
            assert [asked["ReservationStatus"] for asked in the.api.posted("/Reservations/")] == ["accepted"]
            assert len(the.api.posted(f"/Calls/{CALL}.json")) == 1
            (status,) = [
                asked["AssignmentStatus"]
                for asked in the.api.posted("/Tasks/WT")
                if "AssignmentStatus" in asked.form
            ]
            assert status == "completed"

    run_virtual(story())


def test_a_refusal_goes_to_the_next_worker(tmp_path: Path) -> None:
    async def story() -> None:
        lee, kim = Person(LEE, Does.REFUSES), Person(KIM)
        async with scene(tmp_path, SALES, lee, kim) as the:
            TaskRouter(the.network, (lee, kim))
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "accepted")]
            assert "passed on" in lee.heard
            assert the.outcome == "handed_off"
            the.nothing_is_left()
            assert [asked["ReservationStatus"] for asked in the.api.posted("/Reservations/")] == [
                "rejected",
                "accepted",
            ]

    run_virtual(story())


@pytest.mark.parametrize("does", [Does.NO_ANSWER, Does.BUSY, Does.FAILS, Does.PRESSES_NOTHING, Does.HANGS_UP])
def test_a_worker_whose_leg_fails_is_followed_by_the_next(tmp_path: Path, does: Does) -> None:
    """A reservation runs for two minutes: it is given back, or the caller waits for nobody."""

    async def story() -> None:
        lee, kim = Person(LEE, does), Person(KIM)
        async with scene(tmp_path, SALES.replace("30s", "60s"), lee, kim) as the:
            TaskRouter(the.network, (lee, kim))
            await the.ends(await the.arrives())
            the.ended_as([("first", "accepted")], "handed_off")

    run_virtual(story())


def test_a_worker_whose_leg_is_lost_after_the_key_does_not_keep_the_caller(tmp_path: Path) -> None:
    async def story() -> None:
        kim, lee = Person(KIM, Does.IS_LOST), Person(LEE)
        async with scene(tmp_path, SALES, kim, lee, then="duty") as the:
            TaskRouter(the.network, (kim,))
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "failed"), ("duty", "accepted")]
            assert the.outcome == "handed_off"
            assert the.left_to_do == {"missed_sla"}
            the.nothing_is_left()

    run_virtual(story())


def test_nobody_there_is_known_before_the_caller_is_queued(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES) as the:
            the.api.statistics = {queue: Statistics(eligible=2, available=0) for queue in QUEUES}
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "no_answer")]
            assert [each["reason"] for each in the.facts(Kind.HANDOFF_REFUSED)] == ["nobody_there"]
            assert the.outcome == "callback_scheduled"
            assert the.left_to_do == {"callback", "missed_sla"}
            assert the.api.tasks == {}

    run_virtual(story())


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize(
    ("then", "outcome", "left"),
    [
        ("callback", "callback_scheduled", {"callback", "missed_sla"}),
        ("voicemail", "callback_scheduled", {"voicemail", "missed_sla"}),
        ("duty", "handed_off", {"missed_sla"}),
    ],
)
def test_at_the_sla_the_caller_leaves_and_the_task_is_canceled(
    tmp_path: Path, then: str, outcome: str, left: set[Fact], events: bool
) -> None:
    async def story() -> None:
        lee = Person(LEE)
        async with scene(tmp_path, SALES, lee, then=then) as the:
            TaskRouter(the.network, (), events=events)
            await the.ends(await the.arrives())
            assert the.attempts[0] == ("first", "timed_out")
            assert len(the.attempts) == (2 if then == "duty" else 1)
            assert the.outcome == outcome
            assert the.left_to_do == left
            the.nothing_is_left()
            (canceled,) = the.api.posted("/Tasks/WT")
            assert canceled["AssignmentStatus"] == "canceled"
            waited = the.facts(Kind.HANDOFF_ENDED)[0]
            assert waited["sla_met"] is False
            assert 30 <= float(str(waited["wait_s"])) < 32

    run_virtual(story())


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize("after", [0.5, 5.5, 7.0, 11.0])
def test_a_caller_who_hangs_up_while_waiting_is_offered_to_nobody(
    tmp_path: Path, after: float, events: bool
) -> None:
    """Before anybody is offered the call; while a telephone rings; while the brief is read."""

    async def story() -> None:
        kim, lee = Person(KIM, answers_after=5.0), Person(LEE)
        async with scene(tmp_path, SALES, kim, lee) as the:
            TaskRouter(the.network, (kim, lee), events=events)
            leg = await the.arrives()
            await asyncio.sleep(after)
            leg.end()
            await the.ends(leg)
            assert the.attempts == [("first", "caller_left")]
            assert the.outcome == "abandoned_by_caller"
            assert the.left_to_do == {"missed_sla"}
            assert lee.legs == []
            the.nothing_is_left()

    run_virtual(story())


@pytest.mark.parametrize("seed", range(5))
def test_callbacks_in_any_order_and_repeated_end_the_same(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        lee, kim = Person(LEE, Does.REFUSES), Person(KIM)
        async with scene(tmp_path, SALES, lee, kim, seed=seed, twice=True) as the:
            TaskRouter(the.network, (lee, kim))
            await the.ends(await the.arrives())
            the.ended_as([("first", "accepted")], "handed_off")

    run_virtual(story())


@pytest.mark.parametrize("seed", range(5))
def test_a_hang_up_told_in_any_order_ends_the_same(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        kim = Person(KIM, answers_after=9.0)
        async with scene(tmp_path, SALES, kim, seed=seed, twice=True) as the:
            TaskRouter(the.network, (kim,))
            leg = await the.arrives()
            await asyncio.sleep(2.0 + seed / 2)  # before, while and after a worker is rung
            leg.end()
            await the.ends(leg)
            the.ended_as([("first", "caller_left")], "abandoned_by_caller")

    run_virtual(story())


@pytest.mark.parametrize("seed", range(4))
def test_any_process_can_answer_any_request(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        lee, kim = Person(LEE, Does.REFUSES), Person(KIM)
        async with scene(tmp_path, SALES, lee, kim, seed=seed, processes=2) as the:
            TaskRouter(the.network, (lee, kim))
            await the.ends(await the.arrives())
            the.ended_as([("first", "accepted")], "handed_off")


@pytest.mark.parametrize("seed", range(4))
def test_a_caller_who_hangs_up_between_two_processes_is_told_of_once(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        kim = Person(KIM, answers_after=9.0)
        async with scene(tmp_path, SALES, kim, seed=seed, processes=2) as the:
            TaskRouter(the.network, (kim,))
            leg = await the.arrives()
            await asyncio.sleep(3.0 + seed)  # at another point of the ringing with each seed
            leg.end()
            await the.ends(leg)
            the.ended_as([("first", "caller_left")], "abandoned_by_caller")

    run_virtual(story())


@pytest.mark.parametrize("sla", ["10s", "30s", "75s"])
def test_the_wait_never_goes_beyond_the_sla(tmp_path: Path, sla: str) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES.replace("30s", sla), language="ko-KR") as the:
            TaskRouter(the.network, ())
            leg = await the.arrives()
            await the.ends(leg)
            assert leg.heard[0] == KOREAN.next_in_line
            assert leg.heard[-1] == KOREAN.callback
            (ended,) = the.facts(Kind.HANDOFF_ENDED)
            assert float(sla[:-1]) <= float(str(ended["wait_s"])) < float(sla[:-1]) + 1.5

    run_virtual(story())


def test_a_rest_api_that_is_away_does_not_keep_the_caller_waiting(tmp_path: Path) -> None:
    async def story() -> None:
        kim = Person(KIM)
        async with scene(tmp_path, SALES, kim, then="voicemail") as the:
            router = TaskRouter(the.network, (kim,))
            leg = await the.arrives()
            await router.entered.wait()
            the.api.fails_with = 503
            await the.ends(leg)
            assert the.attempts == [("first", "failed")]
            assert the.outcome == "callback_scheduled"
            assert "no longer waiting" in kim.heard
            assert the.network.left_ringing() == []

    run_virtual(story())


def test_a_server_that_stops_settles_what_it_knows(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES) as the:
            TaskRouter(the.network, ())
            leg = await the.arrives()
            await asyncio.sleep(5.0)  # queued, and nobody is there
            leg.end()
            await asyncio.sleep(1.0)  # on the virtual clock: less than a settlement waits
            await the.network.told()
            assert the.attempts == [("first", "caller_left")]
            told = the
        assert told.outcome == "abandoned_by_caller"

    run_virtual(story())


# -- Flex and the plain queue --------------------------------------------------------------------------------

FLEX = SALES.replace("taskrouter", "flex")
QUEUE = "first: {type: queue, name: support, sla: 30s, on_timeout: THEN}"


@pytest.mark.parametrize("events", [True, False])
def test_flex_takes_the_call_by_itself(tmp_path: Path, events: bool) -> None:
    async def story() -> None:
        kim = Person(KIM)
        async with scene(tmp_path, FLEX, kim) as the:
            router = TaskRouter(the.network, (kim,), events=events, by_flex=True)
            await the.ends(await the.arrives())
            assert router.attributes[0]["name"] == "explicit request, en-US"
            the.ended_as([("first", "accepted")], "handed_off")
            assert the.api.posted("/Reservations/") == []

    run_virtual(story())


@pytest.mark.parametrize("seed", range(4))
def test_flex_in_any_order(tmp_path: Path, seed: int) -> None:
    async def story() -> None:
        kim = Person(KIM, talks=20.0)
        async with scene(tmp_path, FLEX, kim, seed=seed, twice=True) as the:
            TaskRouter(the.network, (kim,), by_flex=True)
            await the.ends(await the.arrives())
            the.ended_as([("first", "accepted")], "handed_off")

    run_virtual(story())


def test_nobody_in_flex_and_a_caller_gone_in_flex_leave_no_task(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, FLEX) as the:
            TaskRouter(the.network, (), by_flex=True)
            await the.ends(await the.arrives())
            the.ended_as([("first", "timed_out")], "callback_scheduled")

    async def gone() -> None:
        kim = Person(KIM, answers_after=20.0)
        async with scene(tmp_path / "second", FLEX, kim) as the:
            TaskRouter(the.network, (kim,), by_flex=True)
            leg = await the.arrives()
            await asyncio.sleep(9.0)
            leg.end()
            await the.ends(leg)
            the.ended_as([("first", "caller_left")], "abandoned_by_caller")

    run_virtual(story())
    (tmp_path / "second").mkdir()
    run_virtual(gone())


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_plain_queue_gives_the_caller_to_who_takes_them(tmp_path: Path, hangs_up: bool) -> None:
    async def story() -> None:
        async with scene(tmp_path, QUEUE) as the:
            leg = await the.arrives()
            await asyncio.sleep(12.0)
            leg.take_from_queue(60.0)
            if hangs_up:
                await asyncio.sleep(30.0)
                leg.end()
            await the.ends(leg)
            assert the.attempts == [("first", "accepted")]
            assert the.outcome == "handed_off"

    run_virtual(story())


@pytest.mark.parametrize("result", ["queue-full", "error", "system-error"])
def test_a_queue_that_takes_nobody_leads_on_at_once(tmp_path: Path, result: str) -> None:
    async def story() -> None:
        async with scene(tmp_path, QUEUE) as the:
            the.network.queue_fails = result
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "failed")]
            assert the.outcome == "callback_scheduled"

    run_virtual(story())


def test_a_plain_queue_is_left_at_the_sla_or_by_the_caller(tmp_path: Path) -> None:
    async def nobody() -> None:
        async with scene(tmp_path, QUEUE) as the:
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "timed_out")]
            assert the.outcome == "callback_scheduled"

    async def gone() -> None:
        async with scene(tmp_path / "second", QUEUE) as the:
            leg = await the.arrives()
            await asyncio.sleep(9.0)
            leg.end()
            await the.ends(leg)
            assert the.attempts == [("first", "caller_left")]
            assert the.outcome == "abandoned_by_caller"

    run_virtual(nobody())
    (tmp_path / "second").mkdir()
    run_virtual(gone())
