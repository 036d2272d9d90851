"""The few requests to Twilio's REST API that a handoff needs, through the vendor's SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

import httpx
import msgspec
from twilio.base import values
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.rest import Client

from handoff.twilio_http import TwilioHttp

LIMIT: Final = 5.0  # seconds a request
TOO_MANY_REQUESTS: Final = 429
CALL_NOT_IN_PROGRESS: Final = 21220  # Twilio's error code
MOST_WORKSPACES: Final = 50
Answer = TypeVar("Answer")


class TwilioUnavailable(Exception):
    """Twilio did not answer, or cannot now: go on without; the same request may succeed later."""


class TwilioRefused(Exception):
    """Twilio answered no: the same request fails again. `status` is HTTP's, `code` is Twilio's."""

    def __init__(self, what: str, status: int, code: int | None) -> None:
        super().__init__(f"{what}: HTTP {status}, Twilio code {code}")
        self.status = status
        self.code = code

    @property
    def nothing_there(self) -> bool:
        """The call, task or reservation is over or unknown."""
        return self.status == httpx.codes.NOT_FOUND or self.code == CALL_NOT_IN_PROGRESS


class TaskStatus(StrEnum):
    PENDING = "pending"
    RESERVED = "reserved"
    ASSIGNED = "assigned"
    WRAPPING = "wrapping"
    COMPLETED = "completed"
    CANCELED = "canceled"


class ReservationStatus(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Task:
    workspace_sid: str
    sid: str
    status: TaskStatus
    worker_call_sid: str = ""  # the worker's leg, once an instruction has rung it


@dataclass(frozen=True, slots=True)
class QueueNow:
    """A task queue at this moment. `longest_wait` in seconds."""

    eligible: int
    available: int
    longest_wait: float


@dataclass(frozen=True, slots=True)
class Amd:
    """Answering machine detection: the call goes on while Twilio listens, and `callback` is told."""

    callback: str
    until_end_of_greeting: bool = False


class TwilioRest:
    """Every method raises `TwilioUnavailable` or `TwilioRefused`; their texts hold no number, no secret."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        http: httpx.AsyncClient,
        *,
        base: str | None = None,
        timeout: float = LIMIT,
    ) -> None:
        self._client = Client(
            account_sid, auth_token, http_client=TwilioHttp(http, timeout=timeout, base=base)
        )

    def __repr__(self) -> str:
        return "TwilioRest()"

    async def workspace_of(self, workflow_sid: str) -> str:
        """The workspace that holds this workflow."""
        workspaces = self._client.taskrouter.v1.workspaces
        for each in await _asked("workspaces", workspaces.list_async(limit=MOST_WORKSPACES)):
            try:
                await _asked("workflow", workspaces(each.sid).workflows(workflow_sid).fetch_async())
            except TwilioRefused as refused:
                if not refused.nothing_there:
                    raise
            else:
                return str(each.sid)
        raise TwilioRefused("workflow", httpx.codes.NOT_FOUND, None)

    async def queues_of(self, workspace: str, workflow: str) -> tuple[str, ...]:
        """The task queues that a workflow's configuration names, each once, in its order."""
        found = await _asked("workflow", self._workspace(workspace).workflows(workflow).fetch_async())
        try:
            configuration = msgspec.json.decode(found.configuration or "{}")
        except msgspec.DecodeError as error:
            raise TwilioUnavailable("workflow: unreadable configuration") from error
        return tuple(dict.fromkeys(_queues(configuration)))

    async def queue_now(self, workspace: str, queue: str) -> QueueNow:
        statistics = self._workspace(workspace).task_queues(queue).real_time_statistics()
        now = await _asked("queue statistics", statistics.fetch_async())
        return QueueNow(
            eligible=int(now.total_eligible_workers or 0),
            available=int(now.total_available_workers or 0),
            longest_wait=float(now.longest_task_waiting_age or 0),
        )

    async def create_task(
        self,
        workspace: str,
        workflow: str,
        attributes: str,
        *,
        lifetime: int | None = None,
        priority: int | None = None,
        waiting_since: datetime | None = None,
    ) -> str:
        """The SID of a new task. `waiting_since` keeps a caller's place."""
        created = self._workspace(workspace).tasks.create_async(
            workflow_sid=workflow,
            attributes=attributes,
            timeout=_given(lifetime),
            priority=_given(priority),
            virtual_start_time=_given(waiting_since),
        )
        return str((await _asked("new task", created)).sid)

    async def task(self, workspace: str, task: str) -> Task:
        return _task(await _asked("task", self._workspace(workspace).tasks(task).fetch_async()))

    async def tasks_of(self, workspace: str, workflow: str, call_sid: str) -> tuple[Task, ...]:
        """The tasks that `<Enqueue>` made for a call."""
        found = self._workspace(workspace).tasks.list_async(
            workflow_sid=workflow, evaluate_task_attributes=f'call_sid == "{call_sid}"', limit=20
        )
        return tuple(map(_task, await _asked("tasks", found)))

    async def end_task(self, workspace: str, task: str, status: TaskStatus, reason: str) -> None:
        """Cancel it while nobody has it, complete it once somebody had: the other way round is refused."""
        update = self._workspace(workspace).tasks(task)
        await _asked("task update", update.update_async(assignment_status=status.value, reason=reason))

    async def update_task(self, workspace: str, task: str, attributes: str) -> None:
        """Attributes alone: "status and attributes must be changed in two requests"."""
        await _asked(
            "task update", self._workspace(workspace).tasks(task).update_async(attributes=attributes)
        )

    async def decide_reservation(
        self, workspace: str, task: str, reservation: str, status: ReservationStatus
    ) -> None:
        update = self._workspace(workspace).tasks(task).reservations(reservation)
        await _asked("reservation update", update.update_async(reservation_status=status.value))

    async def move_call(self, call_sid: str, *, twiml: str | None = None, url: str | None = None) -> None:
        """A live call goes on with this TwiML, or asks this address. Refused when the call is over."""
        to = self._client.calls(call_sid).update_async(
            twiml=_given(twiml), url=_given(url), method="POST" if url else values.unset
        )
        await _asked("call update", to)

    async def hang_up(self, call_sid: str) -> None:
        """End a call, ringing or answered."""
        await _asked("call update", self._client.calls(call_sid).update_async(status="completed"))

    async def call(
        self,
        to: str,
        from_: str,
        url: str,
        *,
        progress: str | None = None,
        ring_seconds: int | None = None,
        amd: Amd | None = None,
    ) -> str:
        """Ring a number; `url` answers with TwiML when it is picked up. The SID of the new call."""
        detection: dict[str, str] = {}
        if amd:
            detection = {
                "machine_detection": "DetectMessageEnd" if amd.until_end_of_greeting else "Enable",
                "async_amd": "true",
                "async_amd_status_callback": amd.callback,
                "async_amd_status_callback_method": "POST",
            }
        created = self._client.calls.create_async(
            to=to,
            from_=from_,
            url=url,
            method="POST",
            timeout=_given(ring_seconds),
            status_callback=_given(progress),
            status_callback_method="POST" if progress else values.unset,
            status_callback_event=(
                ["initiated", "ringing", "answered", "completed"] if progress else values.unset
            ),
            **detection,
        )
        return str((await _asked("new call", created)).sid)

    def _workspace(self, sid: str) -> Any:  # the SDK has no types
        return self._client.taskrouter.v1.workspaces(sid)


async def _asked(what: str, answer: Awaitable[Answer]) -> Answer:
    """The answer, or one of our two errors. The SDK's own texts may hold addresses and numbers."""
    try:
        return await answer
    except httpx.HTTPError as error:
        raise TwilioUnavailable(f"{what}: {type(error).__name__}") from None
    except (TwilioRestException, TwilioServiceException) as error:
        if error.status >= httpx.codes.INTERNAL_SERVER_ERROR or error.status == TOO_MANY_REQUESTS:
            raise TwilioUnavailable(f"{what}: HTTP {error.status}") from None
        raise TwilioRefused(what, error.status, error.code) from None
    except (TwilioException, ValueError) as error:  # an answer that is no JSON, or not the resource's
        raise TwilioUnavailable(f"{what}: {type(error).__name__}") from None


def _given(value: object) -> object:
    return values.unset if value is None else value


def _task(found: Any) -> Task:  # the SDK has no types
    try:
        attributes = msgspec.json.decode(found.attributes or "{}")
    except msgspec.DecodeError:
        attributes = {}
    leg = attributes.get("worker_call_sid", "") if isinstance(attributes, dict) else ""
    status = TaskStatus(str(found.assignment_status))
    return Task(str(found.workspace_sid), str(found.sid), status, str(leg))


def _queues(part: object) -> Iterator[str]:
    match part:
        case {"queue": str(queue), **others}:
            yield queue
            yield from _queues(others)
        case dict():
            for value in part.values():
                yield from _queues(value)
        case list():
            for value in part:
                yield from _queues(value)
