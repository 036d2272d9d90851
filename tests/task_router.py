"""TaskRouter beside `tests.carrier`, as the reference tells it: a task for `<Enqueue>`, reservations, the
assignment callback, and what its `call` instruction orders.

It does nothing for us that is not documented: a reservation of a worker who does not answer stays theirs
until its timer, a caller who leaves the queue leaves a task, and a canceled task ends nobody's call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree as ET

from tests.carrier import Carrier
from tests.carrier_calls import Leg, Person
from tests.relay.running import PUBLIC
from tests.twilio_api import QUEUES, WORKFLOW, WORKSPACE

ASSIGNMENT: Final = f"{PUBLIC}/twilio/handoff/assignment"
EVENTS: Final = f"{PUBLIC}/twilio/taskrouter"
ANSWER_WITHIN: Final = 5.0  # "answer within 5 s"
OPEN: Final = ("pending", "reserved")
LARGEST_ATTRIBUTES: Final = 1024  # what Studio's widgets allow


@dataclass(frozen=True, slots=True)
class Offer:
    """One reservation: a task, and the worker it is offered to."""

    sid: str
    task: str
    caller: Leg
    worker: Person


@dataclass(eq=False)
class TaskRouter:
    """`events`: the workspace has our event callback. `by_flex`: people accept in Flex, not by our key."""

    network: Carrier
    workers: tuple[Person, ...]
    events: bool = True
    by_flex: bool = False
    reservation_seconds: float = 120.0
    attributes: list[Mapping[str, object]] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)  # a caller is in the queue
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.network.enqueued = self.enqueued
        self.network.decided = self._changed.set

    def enqueued(self, caller: Leg, workflow: str, task: ET.Element | None) -> None:
        assert workflow == WORKFLOW
        assert task is not None
        text = task.text or ""
        assert len(text) <= LARGEST_ATTRIBUTES
        ours = json.loads(text)
        self.attributes.append(ours)
        form = caller.form()
        own = {"call_sid": caller.sid, "account_sid": form["AccountSid"], "from": form["From"]}
        own |= {"to": form["To"], "direction": "inbound", "call_status": "in-progress"}
        sid = self.network.api.task(len(self.network.api.tasks) + 1, caller.sid)
        self.network.api.tasks[sid]["attributes"] = json.dumps({**ours, **own})
        self._tell("task.created", sid)
        self.entered.set()
        self.network.spawn(self._route(sid, caller, float(task.get("timeout", "86400"))))

    async def _route(self, task: str, caller: Leg, lifetime: float) -> None:
        try:
            async with asyncio.timeout(lifetime):
                for worker in self.workers:
                    await asyncio.sleep(1.0)  # routing takes a moment: callbacks may overtake it
                    if self._status(task) == "pending":
                        sid = self.network.api.reservation(len(self.network.api.reservations) + 1)
                        await self._offer(Offer(sid, task, caller, worker))
                await self._until(lambda: self._status(task) not in OPEN)
        except TimeoutError:
            self._set(task, "canceled")
        if self._status(task) == "canceled":
            self._tell("task.canceled", task)

    async def _offer(self, offer: Offer) -> None:
        reservations = self.network.api.reservations
        self._set(offer.task, "reserved")
        self._tell("reservation.created", offer.task, offer.sid)
        try:
            async with asyncio.timeout(self.reservation_seconds):
                self._obey(offer, await self._assign(offer))
                await self._until(
                    lambda: reservations[offer.sid] != "pending" or self._status(offer.task) not in OPEN
                )
        except TimeoutError:
            reservations[offer.sid] = "timeout"
            self._set(offer.task, "pending")
        if reservations[offer.sid] == "pending":  # the task is over
            reservations[offer.sid] = "canceled"
        self._tell(f"reservation.{reservations[offer.sid]}", offer.task, offer.sid)

    async def _assign(self, offer: Offer) -> Mapping[str, str]:
        worker = {
            "WorkerSid": "WK" + "8" * 32,
            "WorkerAttributes": f'{{"contact_uri":"{offer.worker.number}"}}',
        }
        async with asyncio.timeout(ANSWER_WITHIN):
            form = {**self._form(offer.task), "ReservationSid": offer.sid, **worker}
            answer = await self.network.post(ASSIGNMENT, form)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        instruction: Mapping[str, str] = answer.json()
        return instruction

    def _obey(self, offer: Offer, instruction: Mapping[str, str]) -> None:
        match instruction.get("instruction", ""):
            case "call":
                assert instruction["accept"] == "false"  # accepted by key, through REST
                leg = self.network.leg(instruction["to"], instruction["status_callback_url"])
                leg.place(instruction["url"], float(instruction["timeout"]))
            case "reject":
                self.network.api.reservations[offer.sid] = "rejected"
                self._set(offer.task, "pending")
            case "" if self.by_flex:
                self.network.spawn(self._accept_in_flex(offer))
            case other:
                raise AssertionError(f"no such instruction here: {other}")

    async def _accept_in_flex(self, offer: Offer) -> None:
        """Flex accepts by itself, moves the caller to its own room, and completes its task."""
        await asyncio.sleep(offer.worker.answers_after)
        if self._status(offer.task) != "reserved" or offer.caller.over.is_set():
            return
        self.network.api.reservations[offer.sid] = "accepted"
        self._set(offer.task, "assigned")
        offer.caller.begin(_talking(offer.worker.talks))
        await offer.caller.over.wait()
        self._set(offer.task, "completed")

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()

    def _status(self, task: str) -> str:
        return str(self.network.api.tasks[task]["assignment_status"])

    def _set(self, task: str, status: str) -> None:
        self.network.api.tasks[task]["assignment_status"] = status
        self._changed.set()

    def _tell(self, event: str, task: str, reservation: str = "") -> None:
        if self.events:
            form = {**self._form(task), "EventType": event, "ReservationSid": reservation}
            self.network.tell(EVENTS, form)

    def _form(self, task: str) -> dict[str, str]:
        return {
            "AccountSid": self.network.account,
            "WorkspaceSid": WORKSPACE,
            "WorkflowSid": WORKFLOW,
            "TaskQueueSid": QUEUES[1],
            "TaskSid": task,
            "TaskAttributes": str(self.network.api.tasks[task]["attributes"]),
        }


async def _talking(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "<Response/>"
