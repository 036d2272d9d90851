"""Whole handoffs, webhook by webhook: one outcome each, no orphaned task, nobody offered a gone caller."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from handoff import conference, dial, flex, queue, taskrouter
from handoff.attempt import Attempt, AttemptOutcome
from handoff.destinations import begin
from handoff.port import DestinationUnavailable, Leg, Urls
from handoff.reports import assignment, event_ref, leg
from handoff.sayings import ENGLISH
from handoff.steps import AttemptUnknown, Steps
from handoff.told import Accepted, NotTogether, Released
from handoff.twilio_rest import TwilioRest
from policies import agent_destinations as configured
from tests.handoff.cases import CALL, CASE, PERSON, REF, URLS, Clock, Kept, asks, made, only, verbs
from tests.twilio_api import QUEUES, WORKFLOW, WORKSPACE, Statistics, TwilioApi

SALES = made(configured.TaskRouter, type="taskrouter", sla="30s", workflow_sid=WORKFLOW)
DUTY = made(configured.Dial, type="dial", sla="20s", number=PERSON)
TEAM = made(configured.Conference, type="conference", sla="20s", numbers=(PERSON, "+15550100004"))


@dataclass
class Story:
    """TaskRouter as the reference tells it: what it asks us, in our own fields' names."""

    api: TwilioApi
    steps: Steps
    clock: Clock
    kept: Kept
    to: taskrouter.TaskRouter
    task: str = ""
    workers: list[Leg] = field(default_factory=list)

    async def begin(self) -> str:
        self.api.calls[CALL] = "in-progress"
        twiml = await self.steps.offer(begin("sales", SALES, CASE, self.clock()), CASE, self.to)
        attributes = json.loads(only(twiml, "Enqueue/Task").text or "")
        self.task = self.api.task(1, CALL, "pending", **attributes)
        return twiml

    async def wait(self, queue_time: int) -> list[str]:
        form = {"QueueTime": str(queue_time), "QueuePosition": "1", "AvgQueueTime": "0"}
        return verbs(await self.steps.wait(CASE, self.to, form))

    async def reserve(self) -> dict[str, str]:
        """TaskRouter reserves the next worker and asks for an instruction."""
        reservation = self.api.reservation(len(self.workers) + 1)
        self.api.tasks[self.task]["assignment_status"] = "reserved"
        offered = assignment(
            {
                "WorkspaceSid": WORKSPACE,
                "TaskSid": self.task,
                "ReservationSid": reservation,
                "TaskAttributes": str(self.api.tasks[self.task]["attributes"]),
                "WorkerAttributes": json.dumps({"contact_uri": PERSON}),
            }
        )
        answer = await self.steps.assign(CASE, self.to, offered)
        if answer["instruction"] == "call":
            sid = f"CA{len(self.workers) + 0xA0:032x}"
            self.api.calls[sid] = "ringing"
            _, query = asks(answer["url"])
            self.workers.append(leg({"CallSid": sid}, query))
        return answer

    async def answer(self) -> str:
        """The worker last rung picks up."""
        self.api.calls[self.workers[-1].call_sid] = "in-progress"
        return await self.steps.whisper(CASE, self.to, self.workers[-1])

    async def press(self, key: str) -> str:
        return await self.steps.choice(CASE, self.to, self.workers[-1], {"Digits": key})

    async def progress(self, status: str, worker: int = -1) -> None:
        await self.steps.leg(CASE, self.to, self.workers[worker], {"CallStatus": status})

    async def result(self, **form: str) -> str | None:
        return await self.steps.result(CASE, self.to, form, {})

    async def attempt(self) -> Attempt:
        found = await self.kept.load(REF)
        assert found is not None
        return found

    def no_orphan(self) -> None:
        assert self.api.tasks[self.task]["assignment_status"] in ("canceled", "completed")


@pytest.fixture
def story(api: TwilioApi, rest: TwilioRest) -> Story:
    clock, kept = Clock(), Kept()
    return Story(api, Steps(kept, URLS, clock), clock, kept, taskrouter.connect(SALES, rest, clock))


async def test_a_worker_hears_the_brief_presses_a_key_and_has_the_caller(story: Story) -> None:
    assert verbs(await story.begin()) == ["Enqueue"]
    assert await story.wait(0) == ["Say", "Pause"]
    story.clock.now += 6
    assert (await story.reserve())["to"] == PERSON
    assert CASE.brief in (only(await story.answer(), "Gather")[0].text or "")
    story.clock.now += 4
    room = only(await story.press("1"), "Dial/Conference")
    assert room.text == story.task
    await story.steps.room(CASE, {"StatusCallbackEvent": "conference-start"})
    attempt = await story.attempt()
    assert (attempt.outcome, attempt.wait, attempt.sla_met) == (AttemptOutcome.ACCEPTED, 10, True)
    story.clock.now += 200
    assert await story.result(DialCallStatus="answered", DialCallDuration="200") is None
    story.no_orphan()
    assert len(story.api.posted(f"Calls/{CALL}")) == 1


async def test_the_queues_own_result_is_answered_with_nothing_while_the_caller_is_moved(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.press("1")
    answer = await story.result(QueueResult="redirected")
    assert answer is not None
    assert verbs(answer) == []
    assert story.api.tasks[story.task]["assignment_status"] == "assigned"


async def test_a_queue_that_reports_late_does_not_end_the_conversation(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.press("1")
    await story.steps.room(CASE, {"StatusCallbackEvent": "conference-start"})
    answer = await story.result(QueueResult="redirected")
    assert answer is not None
    assert verbs(answer) == []
    assert story.api.tasks[story.task]["assignment_status"] == "assigned"
    assert (await story.attempt()).outcome is AttemptOutcome.ACCEPTED


async def test_a_caller_left_in_the_queue_by_a_failed_move_leaves_it_at_once(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.steps.tell(REF, Accepted(story.clock(), story.workers[0].id))
    await story.steps.tell(REF, NotTogether(story.clock(), caller_gone=False))
    assert await story.wait(5) == ["Leave"]
    assert await story.result(QueueResult="leave") is None


async def test_a_worker_released_while_the_caller_waited_for_them_frees_the_caller(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.steps.tell(REF, Accepted(story.clock(), story.workers[0].id))
    rejoin = await story.result(QueueResult="leave", QueueTime="30")
    assert rejoin is not None
    _, query = asks(only(rejoin, "Redirect").text)
    await story.steps.tell(REF, Released(story.clock(), story.workers[0].id))
    assert await story.steps.result(CASE, story.to, {"CallStatus": "in-progress"}, query) is None
    assert (await story.attempt()).outcome is AttemptOutcome.TIMED_OUT
    story.no_orphan()


async def test_a_key_request_that_is_repeated_gets_the_same_answer_and_moves_nobody_twice(
    story: Story,
) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    first = await story.press("1")
    assert await story.press("1") == first
    assert await story.press("2") == first
    assert len(story.api.posted("/Reservations/")) == 1
    assert len(story.api.posted(f"Calls/{CALL}")) == 1


async def test_two_key_requests_at_once_move_the_caller_once(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    first, second = await asyncio.gather(story.press("1"), story.press("1"))
    assert first == second
    assert len(story.api.posted("/Reservations/")) == 1


@pytest.mark.parametrize("key", ["2", ""])
async def test_a_refusal_goes_to_the_next_worker_who_takes_it(story: Story, key: str) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    assert verbs(await story.press(key)) == ["Say", "Hangup"]
    assert story.api.reservations[story.workers[0].reservation_sid] == "rejected"
    await story.progress("completed")
    assert (await story.attempt()).outcome is None
    assert await story.wait(8) == ["Say", "Pause"]
    await story.reserve()
    await story.answer()
    assert verbs(await story.press("1")) == ["Dial"]
    await story.result(DialCallStatus="answered")
    assert (await story.attempt()).outcome is AttemptOutcome.ACCEPTED
    story.no_orphan()


async def test_nobody_in_time_the_caller_leaves_and_the_task_is_canceled(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.progress("no-answer")
    story.clock.now += 30
    assert await story.wait(30) == ["Leave"]
    assert await story.result(QueueResult="leave", QueueTime="30") is None
    assert await story.result(QueueResult="leave", QueueTime="30") is None  # asked again: the same
    attempt = await story.attempt()
    assert (attempt.outcome, attempt.wait, attempt.sla_met) == (AttemptOutcome.TIMED_OUT, 30, False)
    assert story.api.tasks[story.task]["assignment_status"] == "canceled"


async def test_our_own_clock_ends_the_wait_when_twilios_queue_time_begins_again(story: Story) -> None:
    await story.begin()
    story.clock.now += 31
    assert await story.wait(0) == ["Leave"]


async def test_a_worker_who_answers_after_the_caller_left_is_told_so(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.result(QueueResult="leave")
    assert only(await story.answer(), "Say").text == ENGLISH.too_late
    assert only(await story.press("1"), "Say").text == ENGLISH.too_late
    assert (await story.attempt()).outcome is AttemptOutcome.TIMED_OUT
    assert story.api.posted("/Reservations/") == []


@pytest.mark.parametrize("first", ["status", "queue"])
async def test_a_caller_who_hangs_up_while_waiting_is_offered_to_nobody(story: Story, first: str) -> None:
    await story.begin()
    await story.reserve()
    ringing = story.workers[0].call_sid
    await story.progress("ringing")
    story.clock.now += 7
    story.api.calls[CALL] = "completed"
    if first == "status":
        await story.steps.hung_up(CASE, story.to)
    await story.result(QueueResult="hangup", QueueTime="7", CallStatus="completed")
    if first == "queue":
        await story.steps.hung_up(CASE, story.to)
    assert story.api.calls[ringing] == "completed"
    assert (await story.reserve())["instruction"] == "reject"
    attempt = await story.steps.settle(CASE)
    assert (attempt.outcome, attempt.wait) == (AttemptOutcome.CALLER_LEFT, 7)
    story.no_orphan()


async def test_a_hang_up_of_which_the_queue_never_tells_is_settled(story: Story) -> None:
    await story.begin()
    story.api.calls[CALL] = "completed"
    story.clock.now += 5
    await story.steps.hung_up(CASE, story.to)
    story.clock.now += 10
    attempt = await story.steps.settle(CASE)
    assert (attempt.outcome, attempt.wait) == (AttemptOutcome.CALLER_LEFT, 5)
    story.no_orphan()


async def test_a_task_that_appears_after_the_caller_left_is_canceled(story: Story) -> None:
    await story.begin()
    late = story.api.tasks.pop(story.task)
    await story.result(QueueResult="hangup")
    story.api.tasks[story.task] = late
    form = {
        "EventType": "task.created",
        "WorkspaceSid": WORKSPACE,
        "TaskSid": story.task,
        "TaskAttributes": str(late["attributes"]),
    }
    assert event_ref(form) == REF
    await story.steps.event(CASE, story.to, form)
    assert late["assignment_status"] == "canceled"


async def test_a_task_canceled_by_others_frees_the_caller_at_the_next_piece_of_hold(story: Story) -> None:
    await story.begin()
    await story.steps.event(CASE, story.to, {"EventType": "workflow.timeout"})
    assert await story.wait(3) == ["Leave"]


async def test_a_worker_whose_reservation_ran_out_is_released_for_the_next(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    story.api.reservations[story.workers[0].reservation_sid] = "timeout"
    assert verbs(await story.press("1")) == ["Say", "Hangup"]
    await story.reserve()
    await story.answer()
    assert verbs(await story.press("1")) == ["Dial"]


async def test_a_caller_gone_at_the_moment_of_the_key_leaves_no_task(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    story.api.calls[CALL] = "completed"
    assert only(await story.press("1"), "Say").text == ENGLISH.too_late
    assert (await story.attempt()).outcome is AttemptOutcome.CALLER_LEFT
    story.no_orphan()


async def test_a_worker_whose_leg_fails_after_the_key_does_not_keep_the_caller(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.press("1")
    story.clock.now += 16
    await story.wait(0)  # in the room, alone
    moved = story.api.posted(f"Calls/{CALL}")[-1]
    path, query = asks(moved["Url"])
    assert path == "/twilio/handoff/result"
    assert await story.steps.result(CASE, story.to, {"CallStatus": "in-progress"}, query) is None
    assert (await story.attempt()).outcome is AttemptOutcome.FAILED
    story.no_orphan()


async def test_a_caller_who_leaves_at_the_moment_they_are_taken_stays_for_the_room(story: Story) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.press("1")
    answer = await story.result(QueueResult="leave", QueueTime="30")
    assert answer is not None
    assert verbs(answer) == ["Say", "Pause", "Redirect"]
    assert story.api.tasks[story.task]["assignment_status"] == "assigned"


@pytest.mark.parametrize("seed", range(8))
async def test_status_callbacks_in_any_order_end_the_same(story: Story, seed: int) -> None:
    await story.begin()
    await story.reserve()
    await story.answer()
    await story.press("1")
    late: list[Callable[[], object]] = [
        lambda: story.progress("ringing"),
        lambda: story.progress("in-progress"),
        lambda: story.progress("completed"),
        lambda: story.progress("completed"),
        lambda: story.steps.room(CASE, {"StatusCallbackEvent": "participant-join"}),
        lambda: story.steps.room(CASE, {"StatusCallbackEvent": "conference-start"}),
        lambda: story.result(QueueResult="redirected"),
        lambda: story.result(DialCallStatus="answered", CallStatus="completed"),
        lambda: story.steps.event(CASE, story.to, {"EventType": "reservation.accepted"}),
        lambda: story.steps.hung_up(CASE, story.to),
    ]
    random.Random(seed).shuffle(late)
    for each in late:
        await each()  # type: ignore[misc]
    attempt = await story.steps.settle(CASE)
    assert attempt.outcome is AttemptOutcome.ACCEPTED
    story.no_orphan()


async def test_an_empty_house_is_an_attempt_too(story: Story) -> None:
    for each in QUEUES:
        story.api.statistics[each] = Statistics(available=0)
    with pytest.raises(DestinationUnavailable):
        await story.begin()
    attempt = await story.attempt()
    assert (attempt.outcome, attempt.wait, attempt.sla_met) == (AttemptOutcome.NO_ANSWER, 0, False)


async def test_a_reference_nobody_keeps_is_an_error(story: Story) -> None:
    with pytest.raises(AttemptUnknown):
        await story.wait(0)


@pytest.mark.parametrize(
    ("key", "status", "outcome"),
    [
        ("1", "completed", AttemptOutcome.ACCEPTED),
        ("2", "completed", AttemptOutcome.REFUSED),
        ("", "completed", AttemptOutcome.NO_ANSWER),
        (None, "no-answer", AttemptOutcome.NO_ANSWER),
        (None, "failed", AttemptOutcome.FAILED),
    ],
)
async def test_a_dialled_person_has_the_caller_only_with_a_key(
    key: str | None, status: str, outcome: AttemptOutcome
) -> None:
    clock, kept = Clock(), Kept()
    steps, to, person = Steps(kept, URLS, clock), dial.connect(DUTY), Leg("CA" + "d" * 32)
    await steps.offer(begin("duty", DUTY, CASE, clock()), CASE, to)
    if key is not None:
        assert verbs(await steps.whisper(CASE, to, person)) == ["Gather", "Hangup"]
        answer = await steps.choice(CASE, to, person, {"Digits": key})
        assert verbs(answer) == ([] if key == "1" else ["Say", "Hangup"])
    form = {"DialCallStatus": status, "CallStatus": "in-progress"}
    assert await steps.result(CASE, to, form, {}) is None
    assert (await steps.settle(CASE)).outcome is outcome


async def test_of_two_people_rung_at_once_one_has_the_caller(api: TwilioApi, rest: TwilioRest) -> None:
    clock, kept = Clock(), Kept()
    steps, to = Steps(kept, URLS, clock), conference.connect(TEAM, rest)
    await steps.offer(begin("team", TEAM, CASE, clock()), CASE, to)
    people = [Leg(sid) for sid in api.calls]
    for each in people:
        await steps.leg(CASE, to, each, {"CallStatus": "ringing"})
        await steps.whisper(CASE, to, each)
    answers = await asyncio.gather(*(steps.choice(CASE, to, each, {"Digits": "1"}) for each in people))
    assert sorted(verbs(each) for each in answers) == [["Dial"], ["Say", "Hangup"]]
    assert sorted(api.calls.values()) == ["completed", "queued"]


async def test_when_all_rung_people_refuse_the_caller_goes_on_at_once(
    api: TwilioApi, rest: TwilioRest
) -> None:
    clock, kept = Clock(), Kept()
    steps, to = Steps(kept, URLS, clock), conference.connect(TEAM, rest)
    await steps.offer(begin("team", TEAM, CASE, clock()), CASE, to)
    api.calls[CALL] = "in-progress"
    first, second = (Leg(sid) for sid in api.calls if sid != CALL)
    await steps.choice(CASE, to, first, {"Digits": "2"})
    await steps.leg(CASE, to, second, {"CallStatus": "busy"})
    await steps.wait(CASE, to, {})
    _, query = asks(api.posted(f"Calls/{CALL}")[0]["Url"])
    assert await steps.result(CASE, to, {"CallStatus": "in-progress"}, query) is None
    attempt = await kept.load(REF)
    assert attempt is not None
    assert attempt.outcome is AttemptOutcome.REFUSED


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("bridged", AttemptOutcome.ACCEPTED), ("queue-full", AttemptOutcome.FAILED)],
)
async def test_a_plain_queue_tells_by_its_result(result: str, outcome: AttemptOutcome) -> None:
    config = made(configured.Queue, type="queue", sla="30s", name="q")
    clock, kept = Clock(), Kept()
    steps, to = Steps(kept, Urls("https://v"), clock), queue.connect(config)
    await steps.offer(begin("line", config, CASE, clock()), CASE, to)
    assert await steps.result(CASE, to, {"QueueResult": result, "QueueTime": "4"}, {}) is None
    attempt = await kept.load(REF)
    assert attempt is not None
    assert (attempt.outcome, attempt.wait) == (outcome, 4)


async def test_flex_tells_by_its_events_who_took_the_call(api: TwilioApi, rest: TwilioRest) -> None:
    config = made(configured.Flex, type="flex", sla="30s", workflow_sid=WORKFLOW)
    clock, kept = Clock(), Kept()
    steps, to = Steps(kept, URLS, clock), flex.connect(config, rest, clock)
    await steps.offer(begin("flex", config, CASE, clock()), CASE, to)
    clock.now += 12
    for kind in ("task.created", "reservation.created", "reservation.rejected", "reservation.created"):
        await steps.event(CASE, to, {"EventType": kind, "ReservationSid": f"WR-{kind}"})
    await steps.event(CASE, to, {"EventType": "reservation.accepted", "ReservationSid": "WR2"})
    assert verbs(await steps.wait(CASE, to, {"QueueTime": "40"})) == ["Say", "Pause"]  # theirs by now
    answer = await steps.result(CASE, to, {"QueueResult": "redirected", "QueueTime": "12"}, {})
    assert answer is not None
    assert verbs(answer) == []
    attempt = await kept.load(REF)
    assert attempt is not None
    assert (attempt.outcome, attempt.wait) == (AttemptOutcome.ACCEPTED, 12)
    await steps.hung_up(CASE, to)
    assert api.posted("") == []  # Flex does the rest
