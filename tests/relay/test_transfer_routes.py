"""What the handoff routes believe, and what they answer to a reference nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from compliance.events import Kind
from evaluation.clock import run_virtual
from tests.carrier_calls import CALLER, OURS, Person
from tests.relay.running import ACCOUNT, PUBLIC
from tests.relay.scenes import CALL, DIAL, KIM, SALES, Scene, scene
from tests.task_router import TaskRouter
from tests.twilio_api import WORKFLOW, WORKSPACE

ROUTES = (
    "/twilio/action",
    "/twilio/status",
    "/twilio/handoff/wait",
    "/twilio/handoff/whisper",
    "/twilio/handoff/choice",
    "/twilio/handoff/result",
    "/twilio/handoff/leg",
    "/twilio/handoff/room",
    "/twilio/handoff/assignment",
    "/twilio/taskrouter",
    "/twilio/recording",
    "/twilio/amd",
)
OF_A_LEG = ("wait", "whisper", "choice", "result", "leg", "room")
REF = "f" * 32
FORM = {
    "AccountSid": ACCOUNT,
    "CallSid": CALL,
    "From": CALLER,
    "To": OURS,
    "CallStatus": "completed",
    "SessionId": "VX1",
    "SessionStatus": "ended",
    "HandoffData": '{"reason":"explicit_request"}',
    "Digits": "1",
    "QueueResult": "hangup",
    "EventType": "task.canceled",
    "TaskAttributes": f'{{"ref":"{REF}"}}',
    "RecordingSid": "RE" + "5" * 32,
    "StatusCallbackEvent": "conference-start",
    "AnsweredBy": "human",
}


async def waiting(the: Scene) -> None:
    router = TaskRouter(the.network, ())
    await the.arrives()
    await router.entered.wait()
    await the.network.told()


@pytest.mark.parametrize("route", ROUTES)
def test_only_twilio_and_only_our_account_is_believed(tmp_path: Path, route: str) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES) as the:
            await waiting(the)
            before = len(the.servers[0].told.events)
            url = f"{PUBLIC}{route}?ref={REF}"
            wrong = "another-secret-of-32-characters!"
            theirs = {**FORM, "AccountSid": "AC" + "9" * 32}
            for answer in (
                await the.network.post(url, FORM, signed=False),
                await the.network.post(url, FORM, token=wrong),
                await the.network.post(url, FORM, signed_url=f"{PUBLIC}{route}?ref=other"),
                await the.network.post(url, theirs),
            ):
                assert answer.status_code == 403
                assert "Response" not in answer.text
            assert len(the.servers[0].told.events) == before
            assert the.api.posted("/Tasks/") == []

    run_virtual(story())


@pytest.mark.parametrize("ref", ["", "0" * 32, f"{REF}.2"])
def test_a_reference_nobody_knows_ends_the_leg_that_brought_it(tmp_path: Path, ref: str) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES) as the:
            await waiting(the)
            before = len(the.servers[0].told.events)
            for name in OF_A_LEG:
                answer = await the.network.post(f"{PUBLIC}/twilio/handoff/{name}?ref={ref}", FORM)
                assert (answer.status_code, "<Hangup" in answer.text) == (200, True), name
            attributes = {**FORM, "TaskAttributes": f'{{"ref":"{ref}"}}'}
            offered = await the.network.post(f"{PUBLIC}/twilio/handoff/assignment", attributes)
            assert offered.json() == {"instruction": "reject"}
            event = await the.network.post(f"{PUBLIC}/twilio/taskrouter", attributes)
            assert event.status_code == 204
            assert len(the.servers[0].told.events) == before

    run_virtual(story())


@pytest.mark.parametrize("attributes", ["", "{", "[]", '{"ref": 7}', '"text"'])
def test_attributes_that_are_not_ours_are_rejected(tmp_path: Path, attributes: str) -> None:
    async def story() -> None:
        async with scene(tmp_path, SALES) as the:
            form = {"AccountSid": ACCOUNT, "WorkspaceSid": WORKSPACE, "EventType": "task.created"}
            form |= {"TaskAttributes": attributes, "WorkerAttributes": attributes, "WorkflowSid": WORKFLOW}
            offered = await the.network.post(f"{PUBLIC}/twilio/handoff/assignment", form)
            assert offered.json() == {"instruction": "reject"}
            assert (await the.network.post(f"{PUBLIC}/twilio/taskrouter", form)).status_code == 204

    run_virtual(story())


def test_a_late_result_of_another_kind_leads_nowhere(tmp_path: Path) -> None:
    """The call was led on already: nobody is rung again, and the call does not end for it."""

    async def story() -> None:
        async with scene(tmp_path, DIAL, then="voicemail") as the:
            leg = the.network.caller(CALL)
            await the.action(leg)
            url = f"{PUBLIC}/twilio/handoff/result?ref={REF}"
            first = await leg.ask(url, DialCallStatus="no-answer")
            assert "<Record" in first
            assert await leg.ask(url, DialCallStatus="no-answer") == first
            for late in ({"DialCallStatus": "busy"}, {"QueueResult": "hangup"}, {}):
                assert "<Record" not in await leg.ask(url, **late)
            assert len(the.facts(Kind.HANDOFF_OFFERED)) == 2
            assert the.attempts == [("first", "no_answer")]
            assert the.facts(Kind.CALL_ENDED) == []

    run_virtual(story())


def test_nothing_is_told_of_a_call_before_its_action(tmp_path: Path) -> None:
    """Requests out of order: a person's leg reports before the caller has been offered to anybody."""

    async def story() -> None:
        kim = Person(KIM)
        async with scene(tmp_path, DIAL, kim) as the:
            early = {**FORM, "CallStatus": "ringing"}
            answer = await the.network.post(f"{PUBLIC}/twilio/handoff/leg?ref={REF}", early)
            assert "<Hangup" in answer.text
            await the.ends(await the.arrives())
            assert the.attempts == [("first", "accepted")]
            assert the.outcome == "handed_off"

    run_virtual(story())
