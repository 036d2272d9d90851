"""Our requests to Twilio, by the vendor's SDK over a real socket, judged by its own OpenAPI files."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import httpx
import pytest

from handoff.twilio_http import TwilioHttp
from handoff.twilio_rest import (
    Amd,
    QueueNow,
    ReservationStatus,
    Task,
    TaskStatus,
    TwilioRefused,
    TwilioRest,
    TwilioUnavailable,
)
from tests.handoff.cases import CALL, CALLER, OURS, PERSON, rest_of
from tests.twilio_api import ACCOUNT, QUEUES, TOKEN, WORKFLOW, WORKSPACE, Statistics, TwilioApi


async def test_a_workflow_tells_its_workspace_and_queues(api: TwilioApi, rest: TwilioRest) -> None:
    assert await rest.workspace_of(WORKFLOW) == WORKSPACE
    assert await rest.queues_of(WORKSPACE, WORKFLOW) == QUEUES
    with pytest.raises(TwilioRefused):
        await rest.workspace_of("WW" + "9" * 32)


async def test_a_queue_tells_who_is_there_and_how_long_the_longest_waits(
    api: TwilioApi, rest: TwilioRest
) -> None:
    api.statistics[QUEUES[0]] = Statistics(eligible=3, available=2, longest_wait=40)
    assert await rest.queue_now(WORKSPACE, QUEUES[0]) == QueueNow(3, 2, 40.0)


async def test_a_task_is_made_found_changed_and_ended(api: TwilioApi, rest: TwilioRest) -> None:
    attributes = f'{{"call_sid":"{CALL}","worker_call_sid":"CA{"7" * 32}"}}'
    since = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    sid = await rest.create_task(
        WORKSPACE, WORKFLOW, attributes, lifetime=60, priority=5, waiting_since=since
    )
    made = api.posted("/Tasks")[0]
    assert (made["Timeout"], made["Priority"], made["VirtualStartTime"]) == (
        "60",
        "5",
        "2026-11-23T09:30:00Z",
    )
    task = Task(WORKSPACE, sid, TaskStatus.PENDING, "CA" + "7" * 32)
    assert await rest.tasks_of(WORKSPACE, WORKFLOW, CALL) == (task,)
    await rest.update_task(WORKSPACE, sid, '{"conversations":{"abandoned":"Follow-Up"}}')
    await rest.end_task(WORKSPACE, sid, TaskStatus.CANCELED, "caller gone")
    assert await rest.task(WORKSPACE, sid) == Task(WORKSPACE, sid, TaskStatus.CANCELED)
    with pytest.raises(TwilioRefused) as refused:
        await rest.end_task(WORKSPACE, sid, TaskStatus.CANCELED, "again")
    assert (refused.value.status, refused.value.nothing_there) == (400, False)


async def test_a_reservation_is_accepted_once(api: TwilioApi, rest: TwilioRest) -> None:
    task, reservation = api.task(1, CALL, "reserved"), api.reservation(1)
    await rest.decide_reservation(WORKSPACE, task, reservation, ReservationStatus.ACCEPTED)
    assert api.tasks[task]["assignment_status"] == "assigned"
    with pytest.raises(TwilioRefused):
        await rest.decide_reservation(WORKSPACE, task, reservation, ReservationStatus.REJECTED)


async def test_a_live_call_is_moved_and_a_call_that_is_over_is_told_apart(
    api: TwilioApi, rest: TwilioRest
) -> None:
    api.calls[CALL] = "in-progress"
    await rest.move_call(CALL, twiml="<Response><Hangup/></Response>")
    await rest.move_call(CALL, url="https://voice.example.com/twilio/handoff/result?ref=r")
    first, second = api.posted(CALL)
    assert first["Twiml"] == "<Response><Hangup/></Response>"
    assert "Url" not in first.form
    assert (second["Url"], second["Method"]) == (
        "https://voice.example.com/twilio/handoff/result?ref=r",
        "POST",
    )
    await rest.hang_up(CALL)
    assert api.calls[CALL] == "completed"
    with pytest.raises(TwilioRefused) as refused:
        await rest.move_call(CALL, twiml="<Response/>")
    assert refused.value.nothing_there


async def test_an_outbound_call_can_listen_for_a_machine(api: TwilioApi, rest: TwilioRest) -> None:
    plain = await rest.call(PERSON, OURS, "https://v/w")
    listening = await rest.call(
        PERSON,
        OURS,
        "https://v/w",
        progress="https://v/leg",
        ring_seconds=20,
        amd=Amd("https://v/amd", until_end_of_greeting=True),
    )
    assert plain != listening
    first, second = api.posted("Calls.json")
    assert set(first.form) == {"To", "From", "Url", "Method"}
    assert second.form["StatusCallbackEvent"] == ("initiated", "ringing", "answered", "completed")
    assert {name: second[name] for name in second.form if "Amd" in name or "Machine" in name} == {
        "MachineDetection": "DetectMessageEnd",
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": "https://v/amd",
        "AsyncAmdStatusCallbackMethod": "POST",
    }
    assert second["Timeout"] == "20"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_may_pass_later_is_unavailable(api: TwilioApi, rest: TwilioRest, status: int) -> None:
    api.fails_with = status
    with pytest.raises(TwilioUnavailable, match=f"HTTP {status}"):
        await rest.hang_up(CALL)


async def test_a_slow_and_an_absent_twilio_are_unavailable_in_time(api: TwilioApi) -> None:
    api.stall = threading.Event()
    async with rest_of(api, limit=0.2) as rest:
        with pytest.raises(TwilioUnavailable, match="ReadTimeout"):
            await rest.hang_up(CALL)
    api.stall.set()
    async with httpx.AsyncClient() as http:
        nobody = TwilioRest(ACCOUNT, TOKEN, http, base="http://127.0.0.1:1")
        with pytest.raises(TwilioUnavailable, match="ConnectError"):
            await nobody.hang_up(CALL)


async def test_an_answer_that_is_no_json_is_unavailable() -> None:
    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>a proxy's page</html>")

    async with httpx.AsyncClient(transport=httpx.MockTransport(page)) as http:
        with pytest.raises(TwilioUnavailable, match="JSONDecodeError"):
            await TwilioRest(ACCOUNT, TOKEN, http).hang_up(CALL)


async def test_no_text_of_ours_holds_a_secret_or_a_number(
    api: TwilioApi, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="twilio"):
        async with rest_of(api, token="wrong-token") as rest:
            with pytest.raises(TwilioRefused) as refused:
                await rest.call(CALLER, OURS, "https://v/w?ref=secret")
    texts = [repr(refused.value), str(refused.value), repr(rest), caplog.text]
    assert not any(word in text for word in (CALLER, OURS, "wrong-token", "secret") for text in texts)
    assert str(refused.value) == "new call: HTTP 401, Twilio code 20003"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MachineDetectoin", "Enable", "unknown parameter"),
        ("Timeout", "soon", "not of type 'integer'"),
        ("To", None, "'To' is a required property"),
    ],
)
async def test_the_judge_refuses_what_twilios_own_files_do_not_name(
    judge: TwilioApi, name: str, value: str | None, says: str
) -> None:
    form = {"To": PERSON, "From": OURS, "Url": "https://v/w", name: value}
    given = {key: text for key, text in form.items() if text is not None}
    async with httpx.AsyncClient(base_url=judge.url, auth=(ACCOUNT, TOKEN)) as http:
        answer = await http.post(f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", data=given)
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert judge.asked == []


async def test_the_judge_knows_closed_lists_and_sids(judge: TwilioApi) -> None:
    task = f"/v1/Workspaces/{WORKSPACE}/Tasks/{judge.task(1, CALL)}"
    async with httpx.AsyncClient(base_url=judge.url, auth=(ACCOUNT, TOKEN)) as http:
        assert (await http.post(task, data={"AssignmentStatus": "cancelled"})).status_code == 400
        assert (await http.post(f"{task}x", data={})).status_code == 400
        assert (await http.get("/v1/Workspaces", params={"Pagesize": "1"})).status_code == 400
        assert (await http.delete(task)).status_code == 501  # not an operation of ours


async def test_twilios_own_hosts_are_asked_where_nothing_else_is_set() -> None:
    seen: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"sid": CALL})

    async with httpx.AsyncClient(transport=httpx.MockTransport(note)) as http:
        await TwilioRest(ACCOUNT, TOKEN, http).hang_up(CALL)
        await TwilioRest(ACCOUNT, TOKEN, http, base="http://127.0.0.1:9/api/").hang_up(CALL)
        await TwilioHttp(http, timeout=1).request("GET", "https://taskrouter.twilio.com/v1/x?a=b")
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"
    assert seen == [
        f"https://api.twilio.com{path}",
        f"http://127.0.0.1:9/api{path}",
        "https://taskrouter.twilio.com/v1/x?a=b",
    ]
