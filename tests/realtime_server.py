"""A Realtime server on loopback, in text, that keeps each socket's conversation and believes nothing.

    async with RealtimeServer(Answers("One moment."), Fails("rate_limit_exceeded")) as server:
        ...                            # the first response is an answer, the second fails, then `otherwise`
    assert server.calls[0].conversation() == [("user", "Hello"), ("assistant", "One moment.")]

An event with a field that the API does not know, or one that does not fit the conversation, gets an error
event and is noted in `complaints`. `Held` and `HeldBack` wait for `server.go`: a test decides what is first.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.realtime_answers import SECRET, Answers, Behaviour, Playing, UpdatesLate

_FIELDS: Mapping[str, frozenset[str]] = {
    "session.update": frozenset({"session"}),
    "conversation.item.create": frozenset({"item", "previous_item_id"}),
    "conversation.item.delete": frozenset({"item_id"}),
    "response.create": frozenset(),
    "response.cancel": frozenset({"response_id"}),
}
_SESSION = {"type", "output_modalities", "instructions", "tools", "max_output_tokens", "audio"}
_ITEM_FIELDS = {
    "message": {"id", "type", "role", "content"},
    "function_call": {"id", "type", "call_id", "name", "arguments"},
    "function_call_output": {"id", "type", "call_id", "output"},
}
_CONTENT = {"user": "input_text", "assistant": "output_text"}


class _Complaint(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Connection:
    """One socket as the server saw it."""

    server: RealtimeServer
    socket: ServerConnection
    received: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    session: dict[str, Any] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)  # the server's
    active: str | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _update_due: bool = False
    _count: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def path(self) -> str:
        assert self.socket.request is not None
        return self.socket.request.path

    @property
    def key(self) -> str | None:
        assert self.socket.request is not None
        return self.socket.request.headers.get("Authorization")

    def sent(self) -> list[str]:
        """The types of the client's events, in order."""
        return [event["type"] for event in self.received]

    def conversation(self) -> list[tuple[str, ...]]:
        """The items in short: (role, text), ("call", id, name, arguments) or ("result", call id, text)."""
        return [_short(item) for item in self.items]

    async def send(self, type_: str, **fields: Any) -> None:
        self._count += 1
        event = {"event_id": f"event_s{self._count}", "type": type_, **fields}
        await self.socket.send(json.dumps(event, ensure_ascii=False))

    async def run(self) -> None:
        if self.server.unwelcome:
            await self.error(self.server.unwelcome)
        else:
            await self.send("session.created", session={"type": "realtime"})
        async with asyncio.TaskGroup() as responses:
            try:
                async for message in self.socket:
                    assert isinstance(message, str), "events are text frames"
                    event = json.loads(message)
                    self.received.append(event)
                    async with self.server.news:
                        self.server.news.notify_all()
                    try:
                        await self._take(event, responses)
                    except _Complaint as complaint:
                        self.server.complaints.append(complaint.code)
                        await self.error(complaint.code, event_id=event.get("event_id"))
            except ConnectionClosed:
                pass
            self.stop.set()
            self.closed.set()
            for task in self._tasks:
                task.cancel()

    async def error(
        self, code: str | None, type_: str = "invalid_request_error", event_id: str | None = None
    ) -> None:
        error = {"type": type_, "code": code, "message": SECRET, "param": None, "event_id": event_id}
        await self.send("error", error=error)

    async def _take(self, event: dict[str, Any], responses: asyncio.TaskGroup) -> None:
        type_ = event.pop("type") if event.get("type") in _FIELDS else ""
        if not type_:
            raise _Complaint("unknown_event")
        event["type"] = type_
        if unknown := event.keys() - _FIELDS[type_] - {"type", "event_id"}:
            raise _Complaint(f"unknown_parameter.{min(unknown)}")
        match type_:
            case "session.update":
                await self._update(event["session"])
            case "conversation.item.create":
                await self._create(event)
            case "conversation.item.delete":
                await self._delete(event["item_id"])
            case "response.create":
                await self._respond(event, responses)
            case _:
                await self._cancel(event["response_id"])

    async def _update(self, session: dict[str, Any]) -> None:
        if session.get("type") != "realtime" or session.keys() - _SESSION:
            raise _Complaint("unknown_parameter.session")
        if session["output_modalities"] != ["text"] or session["audio"] != {
            "input": {"turn_detection": None}
        }:
            raise _Complaint("invalid_value.session")
        if not 1 <= session["max_output_tokens"] <= 4096:
            raise _Complaint("integer_above_max_value")
        for tool in session["tools"]:
            if tool.keys() != {"type", "name", "description", "parameters"} or tool["type"] != "function":
                raise _Complaint("invalid_value.tools")
        self.session |= session
        self._update_due = True
        if not (self.server.script and isinstance(self.server.script[0], UpdatesLate)):
            await self.updated()

    async def updated(self) -> None:
        if self._update_due:
            self._update_due = False
            await self.send("session.updated", session=self.session)

    async def _create(self, event: dict[str, Any]) -> None:
        item = event["item"]
        if item.get("type") not in _ITEM_FIELDS or item.keys() != _ITEM_FIELDS[item["type"]]:
            raise _Complaint("invalid_value.item")
        if len(item["id"]) > 32 or any(each["id"] == item["id"] for each in self.items):
            raise _Complaint("invalid_value.id")
        if item["type"] == "message":
            (content,) = item["content"]
            if content.keys() != {"type", "text"} or content["type"] != _CONTENT[item["role"]]:
                raise _Complaint("invalid_value.content")
        calls = [each["call_id"] for each in self.items if each["type"] == "function_call"]
        if item["type"] == "function_call_output" and item["call_id"] not in calls:
            raise _Complaint("item_create_invalid_call_id")
        place = self._place(event.get("previous_item_id"))
        self.items.insert(place, {**item, "status": "completed"})
        previous = self.items[place - 1]["id"] if place else None
        await self.send("conversation.item.added", item=self.items[place], previous_item_id=previous)
        await self.send("conversation.item.done", item=self.items[place], previous_item_id=previous)

    def _place(self, before: str | None) -> int:
        if before is None:
            return len(self.items)
        if before == "root":
            return 0
        for place, item in enumerate(self.items):
            if item["id"] == before:
                return place + 1
        raise _Complaint("invalid_value.previous_item_id")

    async def _delete(self, item_id: str) -> None:
        kept = [item for item in self.items if item["id"] != item_id]
        if len(kept) == len(self.items):
            raise _Complaint("item_delete_invalid_item_id")
        self.items[:] = kept
        await self.send("conversation.item.deleted", item_id=item_id)

    async def _respond(self, event: dict[str, Any], responses: asyncio.TaskGroup) -> None:
        if "output_modalities" not in self.session:
            raise _Complaint("audio_session")
        if self.active is not None:
            raise _Complaint("conversation_already_has_active_response")
        self.server.asked.append(self.conversation())
        self.active = ""
        self.stop.clear()
        behaviour = self.server.next()
        task = responses.create_task(self._perform(behaviour, event.get("event_id")))
        self._tasks.append(task)

    async def _cancel(self, response_id: str) -> None:
        if not self.active or self.active != response_id:
            raise _Complaint("response_cancel_not_active")
        self.cancelled.append(response_id)
        self.stop.set()

    async def _perform(self, behaviour: Behaviour, event_id: str | None) -> None:
        with suppress(ConnectionClosed):
            await Playing(self, self.server.number_response(), behaviour, event_id).run()


class RealtimeServer:
    """`script` is what to do, response by response, over all sockets; `otherwise` when it is used up."""

    def __init__(
        self, *script: Behaviour, otherwise: Behaviour | None = None, refuse: int = 0, unwelcome: str = ""
    ) -> None:
        self.script: deque[Behaviour] = deque(script)
        self.otherwise = otherwise or Answers()
        self.refuse = refuse  # the handshake, with this status
        self.unwelcome = unwelcome  # an error with this code in the place of "session.created"
        self.tried = 0
        self.calls: list[Connection] = []
        self.asked: list[list[tuple[str, ...]]] = []  # the conversation at each "response.create"
        self.complaints: list[str] = []
        self.go = asyncio.Event()
        self.news = asyncio.Condition()
        self.base_url = ""
        self._responses = 0
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._door)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def next(self) -> Behaviour:
        return self.script.popleft() if self.script else self.otherwise

    def number_response(self) -> int:
        self._responses += 1
        return self._responses

    async def seen(self, type_: str, count: int = 1, within: float = 20.0) -> None:
        """Wait until so many events of this type have come, over all sockets."""
        async with asyncio.timeout(within), self.news:
            await self.news.wait_for(lambda: sum(call.sent().count(type_) for call in self.calls) >= count)

    async def opened(self, count: int, within: float = 20.0) -> None:
        async with asyncio.timeout(within), self.news:
            await self.news.wait_for(lambda: len(self.calls) >= count)

    def _door(self, connection: ServerConnection, request: Request) -> Response | None:
        self.tried += 1
        if not self.refuse:
            return None
        body = json.dumps({"error": {"type": "invalid_request_error", "message": SECRET}})
        response = connection.respond(HTTPStatus(self.refuse), body)
        if self.refuse == 429:
            response.headers["Retry-After"] = "3"
        if self.refuse == 307:
            response.headers["Location"] = "ws://127.0.0.1:9/elsewhere"
        return response

    async def _serve(self, socket: ServerConnection) -> None:
        connection = Connection(self, socket, go=self.go)
        self.calls.append(connection)
        async with self.news:
            self.news.notify_all()
        await connection.run()


def _short(item: dict[str, Any]) -> tuple[str, ...]:
    match item["type"]:
        case "message":
            return (item["role"], item["content"][0]["text"])
        case "function_call":
            return ("call", item["call_id"], item["name"], item["arguments"])
        case _:
            return ("result", item["call_id"], item["output"])
