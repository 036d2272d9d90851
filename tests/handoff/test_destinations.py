"""What each destination answers the caller's leg with, and the person's."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import TypeAdapter

from handoff import callback, conference, dial, flex, queue, studio, taskrouter, voicemail
from handoff.attempt import Attempt
from handoff.destinations import begin, connect
from handoff.port import (
    Asks,
    Case,
    DestinationUnavailable,
    Finishes,
    Hold,
    Joined,
    Leg,
    NotJoined,
    Unavailable,
    Waits,
    WhyNot,
)
from handoff.reports import Assignment, assignment
from handoff.sayings import ENGLISH, KOREAN, Sayings
from handoff.twilio_rest import TwilioRest
from policies import agent_destinations as configured
from tests.handoff.cases import (
    CALL,
    CASE,
    KOREAN_CASE,
    OURS,
    PERSON,
    REF,
    URLS,
    Clock,
    asks,
    made,
    only,
    verbs,
    xml,
)
from tests.twilio_api import ACCOUNT, QUEUES, WORKFLOW, WORKSPACE, Statistics, TwilioApi

FLOW = "FW" + "5" * 32
LEG = "CA" + "d" * 32
CONFIGURED: TypeAdapter[configured.Destination] = TypeAdapter(configured.Destination)


def config(**keys: object) -> configured.Destination:
    return CONFIGURED.validate_python({"sla": "30s", **keys})


def offered(api: TwilioApi, *, contact: str = PERSON) -> Assignment:
    """As the assignment callback tells it."""
    return assignment(
        {
            "WorkspaceSid": WORKSPACE,
            "TaskSid": api.task(1, CALL, "reserved", ref=REF),
            "ReservationSid": api.reservation(1),
            "TaskAttributes": json.dumps({"call_sid": CALL, "ref": REF}),
            "WorkerAttributes": json.dumps({"contact_uri": contact}),
        }
    )


def router(rest: TwilioRest | None) -> taskrouter.TaskRouter:
    return taskrouter.connect(
        made(configured.TaskRouter, type="taskrouter", sla="30s", workflow_sid=WORKFLOW), rest, Clock()
    )


async def test_taskrouter_queues_the_call_with_its_attributes(rest: TwilioRest) -> None:
    twiml = await router(rest).accept(CASE, URLS)
    assert verbs(twiml) == ["Enqueue"]
    verb = only(twiml, "Enqueue")
    assert verb.get("workflowSid") == WORKFLOW
    assert asks(verb.get("action")) == ("/twilio/handoff/result", {"ref": REF})
    assert asks(verb.get("waitUrl")) == ("/twilio/handoff/wait", {"ref": REF})
    assert (verb.get("method"), verb.get("waitUrlMethod")) == ("POST", "POST")
    task = only(twiml, "Enqueue/Task")
    assert json.loads(task.text or "")["reason"] == "explicit_request"
    assert task.get("timeout") == "45"  # above the SLA, so that our own timer comes first
    assert not (verb.text or "").strip()  # no queue name beside a workflow


async def test_taskrouter_offers_nothing_to_an_empty_house(api: TwilioApi, rest: TwilioRest) -> None:
    for each in QUEUES:
        api.statistics[each] = Statistics(eligible=2, available=0)
    with pytest.raises(DestinationUnavailable) as unavailable:
        await router(rest).accept(CASE, URLS)
    assert unavailable.value.reason is Unavailable.NOBODY_THERE


async def test_without_credentials_the_call_is_queued_all_the_same() -> None:
    to = router(None)
    assert verbs(await to.accept(CASE, URLS)) == ["Enqueue"]
    await to.abandon(CASE)
    await to.finish(CASE)
    taken = await to.take(CASE, URLS, Leg(LEG, "WR", "WT", "WS"))
    assert isinstance(taken, NotJoined)


@pytest.mark.parametrize(
    ("hold", "language", "said"),
    [
        (Hold(0.0, position=1), "en-US", ENGLISH.next_in_line),
        (Hold(0.0, position=2, average=61.0), "ko-KR", KOREAN.waiting(2, 61.0)),
        (Hold(12.0), "en-US", ENGLISH.hold),
    ],
)
async def test_a_waiting_caller_hears_where_they_stand(hold: Hold, language: str, said: str) -> None:
    twiml = await router(None).wait(replace(CASE, language=language), URLS, hold)
    assert verbs(twiml) == ["Say", "Pause"]
    assert (only(twiml, "Say").text, only(twiml, "Say").get("language")) == (said, language)
    assert 1 <= int(only(twiml, "Pause").get("length") or 0) <= 8


@pytest.mark.parametrize("hold", [Hold(30.0), Hold(31.0, position=1), Hold(3.0, over=True)])
async def test_at_the_sla_the_caller_leaves_the_queue(hold: Hold) -> None:
    assert verbs(await router(None).wait(CASE, URLS, hold)) == ["Leave"]


async def test_the_last_pause_ends_with_the_sla_and_so_do_the_words() -> None:
    twiml = await router(None).wait(CASE, URLS, Hold(25.0, position=1))
    assert verbs(twiml) == ["Say", "Pause"]
    assert only(twiml, "Pause").get("length") == "2"
    twiml = await router(None).wait(CASE, URLS, Hold(27.0, position=1))
    assert verbs(twiml) == ["Pause"]
    assert only(twiml, "Pause").get("length") == "3"


def test_a_worker_is_rung_and_hears_our_document_first(api: TwilioApi) -> None:
    who = offered(api)
    answer = router(None).assign(CASE, URLS, who, remaining=12.7)
    assert (who.ref, who.caller_call_sid) == (REF, CALL)
    ids = {"reservation": who.leg.reservation_sid, "task": who.leg.task_sid, "workspace": WORKSPACE}
    assert asks(answer.pop("url")) == ("/twilio/handoff/whisper", {"ref": REF, **ids})
    assert asks(answer.pop("status_callback_url")) == ("/twilio/handoff/leg", {"ref": REF, **ids})
    assert answer == {
        "instruction": "call",
        "to": PERSON,
        "from": OURS,
        "accept": "false",
        "timeout": "12",
    }


def test_a_worker_without_an_address_or_a_caller_out_of_time_is_not_rung(api: TwilioApi) -> None:
    assert router(None).assign(CASE, URLS, offered(api, contact=""), 20) == {"instruction": "reject"}
    assert router(None).assign(CASE, URLS, offered(api), 0.5) == {"instruction": "reject"}


def test_the_person_hears_the_brief_and_is_asked_for_a_key() -> None:
    leg = Leg(LEG, "WR1", "WT1", "WS1")
    twiml = router(None).whisper(replace(CASE, brief_language="ko-KR"), URLS, leg)
    assert verbs(twiml) == ["Gather", "Hangup"]
    gather = only(twiml, "Gather")
    assert asks(gather.get("action")) == (
        "/twilio/handoff/choice",
        {"ref": REF, "reservation": "WR1", "task": "WT1", "workspace": "WS1"},
    )
    assert {name: gather.get(name) for name in ("input", "numDigits", "timeout", "finishOnKey")} == {
        "input": "dtmf",
        "numDigits": "1",
        "timeout": "8",
        "finishOnKey": "",
    }
    assert gather.get("actionOnEmptyResult") == "true"  # no key is an answer too
    said = [(say.get("language"), say.text) for say in gather]
    assert said == [("ko-KR", KOREAN.transfer.format(brief=CASE.brief)), ("ko-KR", KOREAN.choose)]


def test_what_the_brief_says_is_text_and_no_markup() -> None:
    brief = 'Price < 10 & "free" <Dial>'
    twiml = router(None).whisper(replace(CASE, brief=brief), URLS, Leg(LEG))
    assert (only(twiml, "Gather")[0].text or "").endswith(brief)


async def test_taking_accepts_the_reservation_and_brings_both_into_one_room(
    api: TwilioApi, rest: TwilioRest
) -> None:
    leg = replace(offered(api).leg, call_sid=LEG)
    api.calls[CALL] = "in-progress"
    taken = await router(rest).take(CASE, URLS, leg)
    assert isinstance(taken, Joined)
    room = only(taken.twiml, "Dial/Conference")
    assert room.text == leg.task_sid
    assert room.get("startConferenceOnEnter") == room.get("endConferenceOnExit") == "true"
    assert room.get("participantLabel") == "agent"
    moved = api.posted(CALL)[0]["Twiml"]
    caller = only(moved, "Dial/Conference")
    assert caller.text == leg.task_sid
    assert (caller.get("startConferenceOnEnter"), caller.get("endConferenceOnExit")) == ("true", "false")
    assert asks(only(moved, "Dial").get("action")) == ("/twilio/handoff/result", {"ref": REF})
    for each in (room, caller):
        assert asks(each.get("statusCallback"))[0] == "/twilio/handoff/room"
        assert each.get("beep") == "false"
    assert api.reservations[leg.reservation_sid] == "accepted"
    await router(rest).finish(CASE)
    assert api.tasks[leg.task_sid]["assignment_status"] == "completed"


async def test_a_reservation_that_ran_out_takes_nobody_and_moves_nobody(
    api: TwilioApi, rest: TwilioRest
) -> None:
    leg = offered(api).leg
    api.reservations[leg.reservation_sid] = "timeout"
    taken = await router(rest).take(CASE, URLS, leg)
    assert isinstance(taken, NotJoined)
    assert taken.why is WhyNot.OFFER_OVER
    assert (verbs(taken.twiml), only(taken.twiml, "Say").text) == (["Say", "Hangup"], ENGLISH.too_late)
    assert api.posted(CALL) == []


async def test_a_caller_who_is_gone_when_taken_leaves_no_open_task(api: TwilioApi, rest: TwilioRest) -> None:
    leg = offered(api).leg
    api.calls[CALL] = "completed"
    taken = await router(rest).take(CASE, URLS, leg)
    assert isinstance(taken, NotJoined)
    assert taken.why is WhyNot.CALLER_GONE
    assert api.tasks[leg.task_sid]["assignment_status"] == "completed"


async def test_passing_on_rejects_the_reservation_so_that_the_next_worker_gets_it(
    api: TwilioApi, rest: TwilioRest
) -> None:
    leg = offered(api).leg
    twiml = await router(rest).pass_on(CASE, leg)
    assert verbs(twiml) == ["Say", "Hangup"]
    assert api.reservations[leg.reservation_sid] == "rejected"
    assert verbs(await router(rest).pass_on(CASE, leg)) == ["Say", "Hangup"]  # a repeated request


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("pending", "canceled"),
        ("reserved", "canceled"),
        ("assigned", "completed"),
        ("wrapping", "completed"),
        ("completed", "completed"),
        ("canceled", "canceled"),
    ],
)
async def test_abandoning_leaves_no_task_and_no_ringing_leg(
    api: TwilioApi, rest: TwilioRest, known: bool, before: str, after: str
) -> None:
    task = api.task(1, CALL, before, worker_call_sid=LEG)
    somebody_elses = api.task(2, "CA" + "9" * 32)
    api.calls[LEG] = "ringing"
    case = replace(CASE, workspace_sid=WORKSPACE, task_sid=task) if known else CASE
    await router(rest).abandon(case)
    assert api.tasks[task]["assignment_status"] == after
    assert api.tasks[somebody_elses]["assignment_status"] == "pending"
    assert api.calls[LEG] == "completed"


async def test_a_task_accepted_while_it_was_being_canceled_is_completed(
    api: TwilioApi, rest: TwilioRest
) -> None:
    task = api.task(1, CALL, "reserved")
    api.accepted_meanwhile.add(task)
    await router(rest).abandon(CASE)
    assert api.tasks[task]["assignment_status"] == "completed"


async def test_abandoning_survives_a_twilio_that_is_away(api: TwilioApi, rest: TwilioRest) -> None:
    api.fails_with = 500
    await router(rest).abandon(replace(CASE, legs=(LEG,)))
    assert api.asked == []


async def test_flex_gets_a_title_that_says_it_all_and_is_left_to_accept(rest: TwilioRest) -> None:
    to = flex.connect(made(configured.Flex, type="flex", sla="30s", workflow_sid=WORKFLOW), rest, Clock())
    twiml = await to.accept(CASE, URLS)
    values = json.loads(only(twiml, "Enqueue/Task").text or "")
    assert values["name"] == "vip, explicit request, en-US: Check the notice period."
    assert values["conversations"]["ivr_path"] == "ai"
    assert values["conversations"]["language"] == "en-US"
    assert not isinstance(to, Asks)
    assert verbs(await to.wait(CASE, URLS, Hold(30.0))) == ["Leave"]


async def test_a_plain_queue_holds_the_caller_in_our_loop() -> None:
    to = queue.connect(made(configured.Queue, type="queue", sla="30s", name="sales line"))
    verb = only(await to.accept(CASE, URLS), "Enqueue")
    assert verb.text == "sales line"
    assert verb.get("workflowSid") is None
    assert asks(verb.get("action")) == ("/twilio/handoff/result", {"ref": REF})
    assert verbs(await to.wait(CASE, URLS, Hold(30.0))) == ["Leave"]


async def test_a_dial_rings_all_numbers_from_ours_and_asks_each_for_a_key() -> None:
    to = dial.connect(made(configured.Dial, type="dial", sla="20s", numbers=(PERSON, "+15550100004")))
    twiml = await to.accept(CASE, URLS)
    verb = only(twiml, "Dial")
    assert (verb.get("callerId"), verb.get("timeout"), verb.get("answerOnBridge")) == (OURS, "20", "true")
    assert asks(verb.get("action")) == ("/twilio/handoff/result", {"ref": REF})
    assert [number.text for number in verb] == [PERSON, "+15550100004"]
    for number in verb:
        assert asks(number.get("url")) == ("/twilio/handoff/whisper", {"ref": REF})
        assert asks(number.get("statusCallback")) == ("/twilio/handoff/leg", {"ref": REF})
    leg = Leg(LEG)
    assert asks(only(to.whisper(CASE, URLS, leg), "Gather").get("action"))[1] == {"ref": REF}
    taken = await to.take(CASE, URLS, leg)
    assert isinstance(taken, Joined)
    assert verbs(taken.twiml) == []  # the document ends, and Twilio joins the two
    assert verbs(await to.pass_on(CASE, leg)) == ["Say", "Hangup"]


async def test_without_a_whisper_the_person_is_joined_at_once() -> None:
    to = dial.connect(made(configured.Dial, type="dial", sla="700s", number=PERSON, whisper=False))
    twiml = await to.accept(replace(CASE, ours=""), URLS)
    assert only(twiml, "Dial/Number").get("url") is None
    assert (only(twiml, "Dial").get("timeout"), only(twiml, "Dial").get("callerId")) == ("600", None)


@pytest.mark.parametrize(
    ("uri", "rung"),
    [
        ("sip:duty@example.com", f"sip:duty@example.com?X-FiveGates-Ref={REF}"),
        ("sip:duty@example.com?X-Team=a", f"sip:duty@example.com?X-Team=a&X-FiveGates-Ref={REF}"),
    ],
)
async def test_a_sip_address_gets_our_reference_as_a_header(uri: str, rung: str) -> None:
    to = dial.connect(made(configured.Sip, type="sip", sla="20s", uri=uri))
    noun = only(await to.accept(CASE, URLS), "Dial/Sip")
    assert noun.text == rung
    assert asks(noun.get("url"))[0] == "/twilio/handoff/whisper"


def team(rest: TwilioRest | None) -> conference.Conference:
    numbers = (PERSON, "+15550100004")
    return conference.connect(
        made(configured.Conference, type="conference", sla="20s", numbers=numbers), rest
    )


async def test_a_conference_rings_everybody_while_the_caller_waits_in_the_room(
    api: TwilioApi, rest: TwilioRest
) -> None:
    twiml = await team(rest).accept(CASE, URLS)
    room = only(twiml, "Dial/Conference")
    assert room.text == f"fivegates-{CALL}"
    assert room.get("startConferenceOnEnter") == "false"  # it begins with the person
    assert asks(room.get("waitUrl")) == ("/twilio/handoff/wait", {"ref": REF})
    rung = api.posted("Calls.json")
    assert {each["To"] for each in rung} == {PERSON, "+15550100004"}
    for each in rung:
        assert (each["From"], each["Timeout"]) == (OURS, "20")
        assert asks(each["Url"]) == ("/twilio/handoff/whisper", {"ref": REF})
        assert asks(each["StatusCallback"]) == ("/twilio/handoff/leg", {"ref": REF})


async def test_who_takes_a_conference_joins_it_and_the_others_stop_ringing(
    api: TwilioApi, rest: TwilioRest
) -> None:
    await team(rest).accept(CASE, URLS)
    first, second = api.calls
    case = replace(CASE, legs=(first, second))
    taken = await team(rest).take(case, URLS, Leg(first))
    assert isinstance(taken, Joined)
    assert only(taken.twiml, "Dial/Conference").text == f"fivegates-{CALL}"
    assert (api.calls[first], api.calls[second]) == ("queued", "completed")
    await team(rest).abandon(case)
    assert set(api.calls.values()) == {"completed"}


async def test_a_caller_in_a_room_is_moved_at_the_sla_since_a_room_has_no_leave(
    api: TwilioApi, rest: TwilioRest
) -> None:
    api.calls[CALL] = "in-progress"
    to = team(rest)
    assert verbs(await to.wait(CASE, URLS, Hold(5.0))) == ["Say", "Pause"]
    assert api.posted(CALL) == []
    assert verbs(await to.wait(CASE, URLS, Hold(20.0))) == ["Say", "Pause"]
    assert asks(api.posted(CALL)[0]["Url"]) == (
        "/twilio/handoff/result",
        {"ref": REF, "why": "timed_out"},
    )
    assert only(to.rejoin(CASE, URLS), "Dial/Conference").get("startConferenceOnEnter") == "true"


@pytest.mark.parametrize("kind", ["taskrouter", "conference"])
async def test_a_person_whose_leg_broke_after_the_key_does_not_keep_the_caller(
    api: TwilioApi, rest: TwilioRest, kind: str
) -> None:
    api.calls[CALL] = "in-progress"
    to = router(rest) if kind == "taskrouter" else team(rest)
    said = only(await to.wait(CASE, URLS, Hold(60.0, since_taken=2.0)), "Say").text
    assert said == ENGLISH.connecting
    assert api.posted(CALL) == []  # the SLA is no limit any more once somebody took it
    await to.wait(CASE, URLS, Hold(80.0, since_taken=16.0))
    assert asks(api.posted(CALL)[0]["Url"])[1] == {"ref": REF, "why": "not_joined"}


async def test_a_slow_twilio_does_not_keep_the_caller_from_the_fallback(
    api: TwilioApi, rest: TwilioRest
) -> None:
    api.stall = threading.Event()
    begun = asyncio.get_running_loop().time()
    with pytest.raises(DestinationUnavailable):
        await team(rest).accept(CASE, URLS)
    assert asyncio.get_running_loop().time() - begun < 3
    api.stall.set()


async def test_nobody_can_be_rung_without_twilio(api: TwilioApi, rest: TwilioRest) -> None:
    api.fails_with = 500
    for client in (rest, None):
        with pytest.raises(DestinationUnavailable) as unavailable:
            await team(client).accept(CASE, URLS)
        assert unavailable.value.reason is Unavailable.FAILED
    await team(None).abandon(CASE)


async def test_studio_gets_the_call_back_in_the_configured_flow_alone() -> None:
    to = studio.connect(made(configured.Studio, type="studio", sla="30s", flow_sid=FLOW))
    redirect = only(await to.accept(CASE, URLS), "Redirect")
    address = urlsplit(redirect.text or "")
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        f"https://webhooks.twilio.com/v1/Accounts/{ACCOUNT}/Flows/{FLOW}"
    )
    assert parse_qs(address.query) == {
        "FlowEvent": ["return"],
        "reason": ["explicit_request"],
        "ref": [REF],
        "summary_id": [REF],
        "outcome": ["handed_off"],
    }
    assert redirect.get("method") == "POST"


@pytest.mark.parametrize(("case", "texts"), [(CASE, ENGLISH), (KOREAN_CASE, KOREAN)])
async def test_a_callback_is_confirmed_and_the_call_ends(case: Case, texts: Sayings) -> None:
    twiml = await callback.connect().accept(case, URLS)
    assert verbs(twiml) == ["Say", "Hangup"]
    assert only(twiml, "Say").text == texts.callback


async def test_a_voicemail_is_recorded_and_reported_and_silence_is_told() -> None:
    to = voicemail.connect()
    twiml = await to.accept(KOREAN_CASE, URLS)
    assert verbs(twiml) == ["Say", "Record", "Say", "Hangup"]
    assert [say.text for say in xml(twiml).findall("Say")] == [KOREAN.voicemail, KOREAN.voicemail_empty]
    record = only(twiml, "Record")
    assert asks(record.get("action")) == ("/twilio/handoff/result", {"ref": REF})
    assert asks(record.get("recordingStatusCallback")) == ("/twilio/recording", {"ref": REF})
    assert (record.get("maxLength"), record.get("finishOnKey"), record.get("playBeep")) == (
        "120",
        "#",
        "true",
    )
    assert record.get("recordingStatusCallbackEvent") == "completed absent"
    assert verbs(to.kept(CASE)) == ["Say", "Hangup"]
    own = voicemail.connect(made(configured.Voicemail, type="voicemail", sla="5m", greeting="Leave word."))
    assert xml(await own.accept(CASE, URLS)).findall("Say")[0].text == "Leave word."


@pytest.mark.parametrize(
    ("keys", "abilities", "attempt"),
    [
        ({"type": "taskrouter", "workflow_sid": WORKFLOW}, "waits asks finishes", {"asks": True}),
        ({"type": "flex", "workflow_sid": WORKFLOW}, "waits finishes", {}),
        ({"type": "queue", "name": "q"}, "waits", {}),
        ({"type": "dial", "number": PERSON}, "asks", {"asks": True}),
        ({"type": "dial", "number": PERSON, "whisper": False}, "asks", {}),
        ({"type": "sip", "uri": "sip:a@b.c"}, "asks", {"asks": True}),
        (
            {"type": "conference", "numbers": (PERSON, "+15550100004")},
            "waits asks",
            {"asks": True, "in_room": True, "numbers": 2},
        ),
        ({"type": "studio", "flow_sid": FLOW}, "", None),
        ({"type": "callback"}, "", None),
        ({"type": "voicemail"}, "", None),
    ],
)
def test_every_destination_of_the_agent_file_is_there(
    keys: dict[str, object], abilities: str, attempt: dict[str, object] | None
) -> None:
    chosen = config(**keys)
    to = connect(chosen, None, Clock())
    found = {"waits": isinstance(to, Waits), "asks": isinstance(to, Asks)}
    found["finishes"] = isinstance(to, Finishes)
    assert {name for name, able in found.items() if able} == set(abilities.split())
    begun = begin("sales", chosen, CASE, 100.0)
    assert begun == (
        None
        if attempt is None
        else Attempt(ref=REF, destination="sales", sla=30.0, started_at=100.0, **attempt)  # type: ignore[arg-type]
    )
