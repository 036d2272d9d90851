"""Whether somebody is there is asked quickly, seldom, and never stands in a caller's way."""

from __future__ import annotations

import asyncio
import threading

import pytest

from handoff.port import Unavailable
from handoff.pressure import Pressure
from handoff.twilio_rest import TwilioRest
from tests.handoff.cases import Clock, rest_of
from tests.twilio_api import QUEUES, WORKFLOW, Statistics, TwilioApi


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (Statistics(), Statistics(), None),
        (Statistics(available=0), Statistics(available=1), None),
        (Statistics(eligible=0, available=0), Statistics(eligible=0, available=0), Unavailable.NOBODY_THERE),
        (Statistics(eligible=3, available=0), Statistics(eligible=1, available=0), Unavailable.NOBODY_THERE),
        (Statistics(longest_wait=31), Statistics(longest_wait=90), Unavailable.WAIT_TOO_LONG),
        (Statistics(longest_wait=31), Statistics(longest_wait=30), None),
        (Statistics(longest_wait=31), Statistics(available=0), Unavailable.WAIT_TOO_LONG),
    ],
)
async def test_nobody_is_offered_a_call_that_nobody_can_take_in_time(
    api: TwilioApi, rest: TwilioRest, first: Statistics, second: Statistics, fault: Unavailable | None
) -> None:
    api.statistics = dict(zip(QUEUES, (first, second), strict=True))
    assert await Pressure(rest, WORKFLOW, Clock()).fault(30.0) is fault


async def test_many_calls_at_once_ask_once_and_later_ones_ask_again(api: TwilioApi, rest: TwilioRest) -> None:
    clock = Clock()
    pressure = Pressure(rest, WORKFLOW, clock)
    assert await asyncio.gather(*(pressure.fault(30.0) for _ in range(20))) == [None] * 20
    asked = [each.path for each in api.asked if "RealTimeStatistics" in each.path]
    assert len(asked) == len(QUEUES)
    clock.now += 4
    await pressure.fault(30.0)
    assert len([each for each in api.asked if "RealTime" in each.path]) == len(QUEUES)
    clock.now += 2
    api.statistics = {each: Statistics(available=0) for each in QUEUES}
    assert await pressure.fault(30.0) is Unavailable.NOBODY_THERE


async def test_a_twilio_that_fails_lets_the_call_be_queued(api: TwilioApi, rest: TwilioRest) -> None:
    api.fails_with = 503
    assert await Pressure(rest, WORKFLOW, Clock()).fault(30.0) is None


async def test_a_slow_twilio_is_waited_for_one_second_and_its_answer_is_kept(api: TwilioApi) -> None:
    api.stall = threading.Event()
    api.statistics = {each: Statistics(available=0) for each in QUEUES}
    async with rest_of(api) as rest:
        pressure = Pressure(rest, WORKFLOW, Clock())
        begun = asyncio.get_running_loop().time()
        assert await pressure.fault(30.0) is None
        assert asyncio.get_running_loop().time() - begun < 1.5
        api.stall.set()
        assert await pressure.fault(30.0) is Unavailable.NOBODY_THERE


async def test_an_unknown_workflow_lets_the_call_be_queued(rest: TwilioRest) -> None:
    assert await Pressure(rest, "WW" + "9" * 32, Clock()).fault(30.0) is None
