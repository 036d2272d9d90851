"""What a Realtime server on loopback does when it is asked for a response, and the events that do it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection

SECRET = "my card is 4111 1111 1111 1111"
"""What every message of this server quotes, as a provider's may quote a caller."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Words, one a delta, then function calls (name, arguments, call id)."""

    text: str = "Hello there."
    calls: tuple[tuple[str, str, str], ...] = ()
    status: str = "completed"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Says `before`, waits for `server.go` or a cancel, says `after`. `late`: deltas follow a cancel, before
    the end of the cancelled response and, as no server should, after it."""

    before: str = "It is forty"
    after: str = " nine dollars."
    late: bool = False


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The response does not exist before `server.go`, and then goes on until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Unmoved:
    """Says a word and then nothing, whatever is asked, not even the end of a cancelled response."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The response never exists."""


@dataclass(frozen=True, slots=True)
class Fails:
    """The response fails with this error; after a word, if `midway`."""

    code: str
    type: str = "server_error"
    midway: bool = False


@dataclass(frozen=True, slots=True)
class Errs:
    """An error event, before the response exists, or after its first word."""

    code: str | None
    type: str = "invalid_request_error"
    midway: bool = False


@dataclass(frozen=True, slots=True)
class Drops:
    """The connection is gone after so many words; none: before the response exists."""

    words: int = 0


@dataclass(frozen=True, slots=True)
class Frames:
    """These frames, as they are, after the response was created; then an answer, if there is a text."""

    frames: tuple[str | bytes, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class UpdatesLate:
    """An answer whose words come before "session.updated"; `never`: which does not come at all."""

    text: str = "Hello there."
    never: bool = False


Behaviour = Answers | Held | HeldBack | Unmoved | Silent | Fails | Errs | Drops | Frames | UpdatesLate


class Client(Protocol):
    """The socket that asked, with its conversation."""

    socket: ServerConnection
    items: list[dict[str, Any]]
    active: str | None
    stop: asyncio.Event
    go: asyncio.Event

    async def send(self, type_: str, **fields: Any) -> None: ...
    async def error(self, code: str | None, type_: str, event_id: str | None = None) -> None: ...
    async def updated(self) -> None: ...


class Playing:
    """One response, from "response.created" to "response.done"."""

    def __init__(self, client: Client, number: int, behaviour: Behaviour, event_id: str | None) -> None:
        self.to = client
        self.id = f"resp_{number}"
        self.item_id = f"item_s{number}"
        self.behaviour = behaviour
        self.event_id = event_id
        self.item: dict[str, Any] | None = None
        self.calls: list[dict[str, Any]] = []

    async def run(self) -> None:
        match self.behaviour:
            case Silent():
                return
            case Errs(code, type_, midway=False):
                self.to.active = None
                await self.to.error(code, type_, self.event_id)
                return
            case Drops(words=0):
                self.to.socket.transport.abort()
                return
            case HeldBack():
                await self.to.go.wait()
            case _:
                pass
        self.to.active = self.id
        await self.to.send("response.created", response=self._response("in_progress"))
        await self.to.send("rate_limits.updated", rate_limits=[])
        await self._body()

    async def _body(self) -> None:
        match self.behaviour:
            case Answers(text, calls, status, reason):
                await self.say(text)
                for call in calls:
                    await self.call(*call)
                await self.done(status, reason=reason)
            case HeldBack():
                await self.say("Never to be heard.")
                await self.to.stop.wait()
                await self.done("cancelled", reason="client_cancelled")
            case Held(before, after, late):
                await self._hold(before, after, late)
            case Unmoved():
                await self.say("Well,")
            case Fails(code, type_, midway):
                if midway:
                    await self.say("Well,")
                await self.done("failed", error={"type": type_, "code": code, "message": SECRET})
            case Errs(code, type_):
                await self.say("Well,")
                await self.to.error(code, type_)
            case Drops(words):
                await self.say(" ".join(["and"] * words))
                self.to.socket.transport.abort()
            case Frames(frames, text):
                for frame in frames:
                    await self.to.socket.send(frame)
                if text:
                    await self.say(text)
                    await self.done("completed")
            case UpdatesLate(text, never):
                await self.say(text)
                if not never:
                    await self.to.updated()
                await self.done("completed")
            case _:
                raise AssertionError(self.behaviour)

    async def _go_or_stop(self) -> bool:
        waits = [asyncio.create_task(event.wait()) for event in (self.to.go, self.to.stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self.to.stop.is_set()

    async def _hold(self, before: str, after: str, late: bool) -> None:
        await self.say(before)
        if not await self._go_or_stop():
            await self.say(after)
            await self.done("completed")
            return
        if late:
            await self.say(after)
        await self.done("cancelled", reason="client_cancelled")
        if late:
            await self._delta("Late.")

    async def say(self, text: str) -> None:
        if not text:
            return
        if self.item is None:
            content: list[dict[str, Any]] = [{"type": "output_text", "text": ""}]
            self.item = {"id": self.item_id, "type": "message", "role": "assistant", "content": content}
            await self._add(self.item, 0)
        for word in _words(text):
            self.item["content"][0]["text"] += word
            await self._delta(word)

    async def _delta(self, word: str) -> None:
        place = {"item_id": self.item_id, "output_index": 0, "content_index": 0}
        await self.to.send("response.output_text.delta", response_id=self.id, delta=word, **place)

    async def call(self, name: str, arguments: str, call_id: str) -> None:
        item = {"id": f"{self.item_id}_{call_id}", "type": "function_call", "call_id": call_id, "name": name}
        item["arguments"] = arguments
        self.calls.append(item)
        await self._add(item, len(self.calls))
        fields = {"item_id": item["id"], "output_index": len(self.calls), "call_id": call_id}
        await self.to.send(
            "response.function_call_arguments.delta", response_id=self.id, delta=arguments, **fields
        )

    async def _add(self, item: dict[str, Any], index: int) -> None:
        self.to.items.append(item)
        item["status"] = "in_progress"
        await self.to.send("conversation.item.added", item=item)
        await self.to.send("response.output_item.added", response_id=self.id, output_index=index, item=item)

    async def done(self, status: str, reason: str | None = None, error: dict[str, Any] | None = None) -> None:
        output: list[dict[str, Any]] = [*([self.item] if self.item else []), *self.calls]
        for item in output:
            item["status"] = "completed" if status == "completed" else "incomplete"
        details = {"type": status, "reason": reason, "error": error}
        self.to.active = None
        await self.to.send("response.done", response=self._response(status, details, output))

    def _response(
        self, status: str, details: dict[str, Any] | None = None, output: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        counts = {
            "total_tokens": 19,
            "input_tokens": 12,
            "output_tokens": 7,
            "input_token_details": {"cached_tokens": 5, "text_tokens": 12, "audio_tokens": 0},
        }
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": list(output),
            "usage": counts if details and status != "failed" else None,
        }


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words) if word or place]
