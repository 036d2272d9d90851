"""TaskRouter: a worker hears the brief, presses a key, and only then is the caller joined (a warm transfer).

Sources: Twilio, "Queue calls with TwiML", "Handle assignment callbacks" (`call` "rings the worker and runs
our TwiML on the worker's leg"), "Task resource".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from twilio.twiml.voice_response import Enqueue, VoiceResponse

from handoff import documents
from handoff.attributes import attributes
from handoff.port import (
    Case,
    DestinationUnavailable,
    Hold,
    Joined,
    Leg,
    NotJoined,
    Taken,
    Urls,
    Webhook,
    WhyNot,
)
from handoff.pressure import Pressure
from handoff.reports import Assignment
from handoff.sayings import sayings
from handoff.twilio_rest import (
    ReservationStatus,
    Task,
    TaskStatus,
    TwilioRefused,
    TwilioRest,
    TwilioUnavailable,
)
from policies.agent_destinations import TaskRouter as Config

RING_SECONDS: Final = 20
TASK_OUTLIVES_SLA: Final = 15  # seconds: our own timer comes first
KEEP_LISTENING: Final = 5.0  # seconds of a piece of hold while the room begins
OFFERED: Final = frozenset({TaskStatus.PENDING, TaskStatus.RESERVED})
WITH_A_PERSON: Final = frozenset({TaskStatus.ASSIGNED, TaskStatus.WRAPPING})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TaskRouter:
    """Without `rest` the call is queued and can leave at the SLA, but nobody can take it by key."""

    workflow_sid: str
    sla: float
    rest: TwilioRest | None
    pressure: Pressure | None

    async def accept(self, case: Case, urls: Urls) -> str:
        if self.pressure and (fault := await self.pressure.fault(self.sla)):
            raise DestinationUnavailable(fault)
        return enqueue(case, urls, self.workflow_sid, self.sla, attributes(case))

    async def wait(self, case: Case, urls: Urls, hold: Hold) -> str:
        """In the queue, or in the room when the caller is there before the person."""
        if hold.since_taken is None:
            return documents.hold(case.language, self.sla, hold)
        return await wait_for_person(self.rest, case, urls, hold.since_taken)

    def rejoin(self, case: Case, urls: Urls) -> str:
        return documents.connecting(case, urls)

    def assign(self, case: Case, urls: Urls, offered: Assignment, remaining: float) -> dict[str, str]:
        """The assignment callback's JSON answer, due within 5 s: ring the worker, or pass them over.

        `remaining`: seconds the caller still waits.
        """
        leg = offered.leg
        if not offered.contact or remaining < 1:
            return {"instruction": "reject"}
        ids = {"reservation": leg.reservation_sid, "task": leg.task_sid, "workspace": leg.workspace_sid}
        return {
            "instruction": "call",
            "to": offered.contact,
            "from": case.ours,
            "url": urls.action(Webhook.WHISPER, ref=case.ref, **ids),
            "accept": "false",
            "timeout": str(max(5, min(RING_SECONDS, int(remaining)))),
            "status_callback_url": urls.action(Webhook.LEG, ref=case.ref, **ids),
        }

    def whisper(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.whisper(case, urls, leg)

    async def take(self, case: Case, urls: Urls, leg: Leg) -> Taken:
        """Accept the reservation, move the caller to the room, and answer the person with the same room."""
        if self.rest is None:
            return self._not_joined(case, WhyNot.FAILED)
        try:
            await self.rest.decide_reservation(
                leg.workspace_sid, leg.task_sid, leg.reservation_sid, ReservationStatus.ACCEPTED
            )
        except TwilioRefused:  # timed out, rescinded, or canceled with the task
            return self._not_joined(case, WhyNot.OFFER_OVER)
        except TwilioUnavailable:
            return self._not_joined(case, WhyNot.FAILED)
        room = documents.caller_in_room(case, urls, leg.task_sid, starts=True)
        try:
            await self.rest.move_call(case.call_sid, twiml=room)
        except (TwilioRefused, TwilioUnavailable) as error:
            await self.finish(case)
            gone = isinstance(error, TwilioRefused) and error.nothing_there
            return self._not_joined(case, WhyNot.CALLER_GONE if gone else WhyNot.FAILED)
        return Joined(self.room(case, urls, leg))

    def room(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.person_in_room(case, urls, leg.task_sid)

    async def pass_on(self, case: Case, leg: Leg) -> str:
        """Reject the reservation: "the task goes to the next worker"."""
        if self.rest is not None:
            try:
                await self.rest.decide_reservation(
                    leg.workspace_sid, leg.task_sid, leg.reservation_sid, ReservationStatus.REJECTED
                )
            except (TwilioRefused, TwilioUnavailable) as error:  # it runs out by itself
                log.warning("reservation not rejected", call_sid=case.call_sid, error=str(error))
        return documents.last_words(sayings(case.persons_language).passed_on, case.persons_language)

    async def abandon(self, case: Case) -> None:
        """Cancel the task and hang up the worker's leg, so that no worker is offered a gone caller."""
        legs = set(case.legs)
        for task in await self._tasks(case):
            legs |= {task.worker_call_sid} - {""}
            await self._end(case, task, "caller gone or waited too long")
        if self.rest is not None:
            await hang_up(self.rest, case, legs)

    async def finish(self, case: Case) -> None:
        """Complete the task, or the worker stays busy with a call that is over."""
        for task in await self._tasks(case):
            await self._end(case, task, "call over")

    async def _tasks(self, case: Case) -> tuple[Task, ...]:
        """The call's tasks: the one we were told of, else those TaskRouter finds."""
        if self.rest is None:
            return ()
        try:
            if case.task_sid and case.workspace_sid:
                return (await self.rest.task(case.workspace_sid, case.task_sid),)
            workspace = case.workspace_sid or (await self.pressure.workspace() if self.pressure else "")
            return await self.rest.tasks_of(workspace, self.workflow_sid, case.call_sid)
        except TwilioRefused as refused:  # 404: it is gone
            log.info("no task found", call_sid=case.call_sid, error=str(refused))
        except TwilioUnavailable as error:
            log.warning("task not found", call_sid=case.call_sid, error=str(error))
        return ()

    async def _end(self, case: Case, task: Task, reason: str, *, again: bool = True) -> None:
        """A task that a worker accepted since we looked cannot be canceled any more, and is completed."""
        if self.rest is None or task.status not in OFFERED | WITH_A_PERSON:
            return
        status = TaskStatus.CANCELED if task.status in OFFERED else TaskStatus.COMPLETED
        try:
            await self.rest.end_task(task.workspace_sid, task.sid, status, reason)
        except TwilioRefused as refused:
            log.info("task not ended", call_sid=case.call_sid, error=str(refused))
            if again and not refused.nothing_there:
                for now in await self._tasks(
                    replace(case, workspace_sid=task.workspace_sid, task_sid=task.sid)
                ):
                    await self._end(case, now, reason, again=False)
        except TwilioUnavailable as error:
            log.warning("task not ended", call_sid=case.call_sid, error=str(error))

    def _not_joined(self, case: Case, why: WhyNot) -> NotJoined:
        words = sayings(case.persons_language).too_late
        return NotJoined(documents.last_words(words, case.persons_language), why)


def connect(config: Config, rest: TwilioRest | None, clock: Callable[[], float]) -> TaskRouter:
    pressure = Pressure(rest, config.workflow_sid, clock) if rest else None
    return TaskRouter(config.workflow_sid, config.sla, rest, pressure)


def enqueue(case: Case, urls: Urls, workflow_sid: str, sla: float, task_attributes: str) -> str:
    """The caller's leg: TaskRouter's queue, our hold, our result."""
    verb = Enqueue(
        action=urls.action(Webhook.RESULT, ref=case.ref),
        method="POST",
        wait_url=urls.action(Webhook.WAIT, ref=case.ref),
        wait_url_method="POST",
        workflow_sid=workflow_sid,
    )
    verb.task(task_attributes, timeout=int(sla) + TASK_OUTLIVES_SLA)
    response = VoiceResponse()
    response.append(verb)
    return str(response)


async def hang_up(rest: TwilioRest, case: Case, legs: set[str]) -> None:
    """End the people's legs that were ringing for a caller; one that is over already is none."""

    async def end(leg: str) -> None:
        try:
            await rest.hang_up(leg)
        except TwilioRefused:
            return
        except TwilioUnavailable as error:
            log.warning("leg not hung up", call_sid=case.call_sid, error=str(error))

    await asyncio.gather(*map(end, sorted(legs)))


async def wait_for_person(rest: TwilioRest | None, case: Case, urls: Urls, since_taken: float) -> str:
    """In the room: a person whose leg broke after the key never comes, and the caller goes on elsewhere."""
    if since_taken > documents.NEVER_MET_SECONDS:
        await move_to_result(rest, case, urls, documents.NOT_JOINED)
    return documents.hold_in_room(case.language, sayings(case.language).connecting, KEEP_LISTENING)


async def move_to_result(rest: TwilioRest | None, case: Case, urls: Urls, why: str) -> None:
    """A caller who cannot `<Leave/>` asks the result's address what comes next."""
    if rest is None:
        return
    try:
        await rest.move_call(case.call_sid, url=urls.action(Webhook.RESULT, ref=case.ref, why=why))
    except (TwilioRefused, TwilioUnavailable) as error:  # gone, or moved with the next piece of hold
        log.warning("caller not moved", call_sid=case.call_sid, error=str(error))
