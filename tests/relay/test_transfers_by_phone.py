"""Handoffs to telephones, to a flow, to a callback, to a voicemail: over HTTP, signed, to their one end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from compliance.events import Fact, Kind
from evaluation.clock import run_virtual
from tests.carrier_calls import Does, Person
from tests.relay.running import ACCOUNT
from tests.relay.scenes import DESK, DIAL, KIM, LEE, scene

# -- telephones: dial, sip, conference -----------------------------------------------------------------------

SIP = f'first: {{type: sip, uri: "{DESK}", sla: 20s, on_timeout: THEN}}'
TWO = f'first: {{type: dial, numbers: ["{KIM}", "{LEE}"], sla: 20s, on_timeout: THEN}}'
TEAM = f'first: {{type: conference, numbers: ["{KIM}", "{LEE}"], sla: 20s, on_timeout: THEN}}'
SOLO = f'first: {{type: conference, numbers: ["{KIM}"], sla: 20s, on_timeout: THEN}}'


@pytest.mark.parametrize(("destination", "number"), [(DIAL, KIM), (SIP, DESK), (SOLO, KIM)])
@pytest.mark.parametrize(
    ("does", "attempt", "outcome"),
    [
        (Does.TAKES, "accepted", "handed_off"),
        (Does.REFUSES, "refused", "callback_scheduled"),
        (Does.PRESSES_NOTHING, "no_answer", "callback_scheduled"),
        (Does.HANGS_UP, "no_answer", "callback_scheduled"),
        (Does.NO_ANSWER, "no_answer", "callback_scheduled"),
        (Does.BUSY, "no_answer", "callback_scheduled"),
        (Does.FAILS, "failed", "callback_scheduled"),
    ],
)
def test_a_telephone_is_answered_or_the_call_goes_on(
    tmp_path: Path, destination: str, number: str, does: Does, attempt: str, outcome: str
) -> None:
    async def story() -> None:
        kim = Person(number, does)
        async with scene(tmp_path, destination, kim, twice=True) as the:
            await the.ends(await the.arrives())
            assert the.attempts == [("first", attempt)]
            assert the.outcome == outcome
            assert the.left_to_do == (set() if does is Does.TAKES else {"callback", "missed_sla"})
            the.nothing_is_left()

    run_virtual(story())


@pytest.mark.parametrize("destination", [DIAL, TWO, TEAM])
@pytest.mark.parametrize("after", [2.0, 8.0])
def test_a_caller_who_hangs_up_stops_the_telephones(tmp_path: Path, destination: str, after: float) -> None:
    async def story() -> None:
        kim, lee = Person(KIM), Person(LEE, Does.NO_ANSWER)
        async with scene(tmp_path, destination, kim, lee, twice=True) as the:
            leg = await the.arrives()
            await asyncio.sleep(after)
            leg.end()
            await the.ends(leg)
            the.ended_as([("first", "caller_left")], "abandoned_by_caller")

    run_virtual(story())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("destination", "does", "attempt"),
    [
        (TWO, Does.TAKES, "accepted"),
        (TEAM, Does.TAKES, "accepted"),
        (SOLO, Does.REFUSES, "refused"),
        (SOLO, Does.IS_LOST, "failed"),
        (DIAL, Does.REFUSES, "refused"),
    ],
)
def test_telephones_in_any_order(
    tmp_path: Path, destination: str, does: Does, attempt: str, seed: int
) -> None:
    async def story() -> None:
        kim, lee = Person(KIM, does), Person(LEE, Does.NO_ANSWER)
        async with scene(tmp_path, destination, kim, lee, seed=seed, twice=True) as the:
            await the.ends(await the.arrives())
            the.ended_as(
                [("first", attempt)], ("handed_off" if attempt == "accepted" else "callback_scheduled")
            )

    run_virtual(story())


def test_a_person_who_cannot_be_rung_does_not_keep_the_caller_from_what_comes_next(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, TEAM, Person(KIM), Person(LEE)) as the:
            the.api.fails_with = 503
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "failed")]
            assert the.outcome == "callback_scheduled"
            assert the.network.left_ringing() == []

    run_virtual(story())


# -- destinations that need nobody now -----------------------------------------------------------------------

VOICEMAIL = "first: {type: voicemail, sla: 1d}"
FLOW = "FW" + "7" * 32


def test_a_flow_gets_the_call_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, f"first: {{type: studio, flow_sid: {FLOW}, sla: 20s}}", twice=True) as the:
            await the.ends(await the.arrives())
            (url,) = the.network.flows
            assert f"/Accounts/{ACCOUNT}/Flows/{FLOW}?FlowEvent=return&reason=explicit_request" in url
            assert the.outcome == "handed_off"
            assert len(the.facts(Kind.HANDOFF_OFFERED)) == 1

    run_virtual(story())


def test_a_callback_is_noted_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with scene(tmp_path, "first: {type: callback, sla: 1d}", twice=True) as the:
            leg = await the.arrives()
            await the.ends(leg)
            assert "call you back" in leg.heard[0]
            assert the.outcome == "callback_scheduled"
            assert [each["what"] for each in the.facts(Kind.FOLLOW_UP)] == ["callback"]

    run_virtual(story())


@pytest.mark.parametrize("seed", [None, 3, 5])
@pytest.mark.parametrize(
    ("hangs_up_after", "message", "outcome", "left"),
    [
        (None, 9.0, "callback_scheduled", {"voicemail"}),
        (16.0, 30.0, "callback_scheduled", {"voicemail"}),  # while speaking: what was said is kept
        (2.0, 9.0, "abandoned_by_caller", set()),  # during the greeting
        (None, 0.0, "abandoned_by_caller", set()),  # nothing was said
    ],
)
def test_a_voicemail_is_a_message_or_the_caller_left(
    tmp_path: Path,
    hangs_up_after: float | None,
    message: float,
    outcome: str,
    left: set[Fact],
    seed: int | None,
) -> None:
    async def story() -> None:
        async with scene(tmp_path, VOICEMAIL, seed=seed, twice=True) as the:
            the.network.message_seconds = message
            leg = await the.arrives()
            if hangs_up_after is not None:
                await asyncio.sleep(hangs_up_after)
                leg.end()
            await the.ends(leg)
            assert the.outcome == outcome
            assert the.left_to_do == left

    run_virtual(story())
