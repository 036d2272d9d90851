"""Anthropic's messages API.

Shapes: "Streaming messages" of Anthropic's API reference: `message_start`, then per content block
`content_block_start`, `content_block_delta`, `content_block_stop`, then `message_delta` with the stop reason,
then `message_stop`; `ping` anywhere. Unknown events and deltas (thinking, citations) are passed over, as the
vendor asks of its clients.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import aiohttp
import msgspec

from relay.llm import failures
from relay.llm.http import Endpoint, proxy_for
from relay.llm.port import (
    Finish,
    FinishReason,
    LanguageModel,
    Message,
    ReplyPart,
    Request,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

BASE_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"

_FINISHES = {
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}


def connect(
    *,
    model: str,
    http: aiohttp.ClientSession,
    api_key: str,
    base_url: str | None = None,
    max_tokens: int = 400,
    temperature: float | None = None,
) -> LanguageModel:
    """`base_url` is without the version, as the vendor writes it: `https://api.anthropic.com`."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "x-api-key": api_key,
        "anthropic-version": API_VERSION,
    }
    name = f"anthropic/{model}"
    url = f"{(base_url or BASE_URL).rstrip('/')}/v1/messages"
    options: dict[str, object] = {"model": model, "max_tokens": max_tokens}
    if temperature is not None:
        options["temperature"] = temperature
    return _Messages(name, Endpoint(http, name, url, headers, proxy_for(url)), options)


class _Messages:
    def __init__(self, name: str, endpoint: Endpoint, options: dict[str, object]) -> None:
        self._name = name
        self._endpoint = endpoint
        self._options = options

    @property
    def name(self) -> str:
        return self._name

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[ReplyPart]]:
        body: dict[str, object] = {**self._options, "stream": True}
        if request.instructions:  # an empty text block is refused
            # Only what is marked is cached; without the mark every turn pays for the instructions in full.
            cached = {"type": "ephemeral"}
            body["system"] = [{"type": "text", "text": request.instructions, "cache_control": cached}]
        body["messages"] = _messages(request.messages)
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in request.tools
            ]
        return self._endpoint.stream(msgspec.json.encode(body), Events(self._name))


def _messages(messages: Sequence[Message | ToolResult]) -> list[dict[str, object]]:
    """The results of one reply's calls are one user message, and nothing else may stand in it."""
    found: list[dict[str, object]] = []
    results: list[dict[str, object]] = []
    for message in messages:
        match message:
            case ToolResult(call_id, text):
                if not results:
                    found.append({"role": "user", "content": results})
                results.append({"type": "tool_result", "tool_use_id": call_id, "content": text})
            case Message(role, text, calls) if calls:
                said: list[dict[str, object]] = [{"type": "text", "text": text}] if text.strip() else []
                asked = [
                    {"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call)}
                    for call in calls
                ]
                found.append({"role": role, "content": [*said, *asked]})
                results = []
            case Message(role, text):
                found.append({"role": role, "content": text})
    return found


def _arguments(call: ToolCall) -> object:
    """The API takes an object only; a model that wrote something else has been told so in the result."""
    try:
        arguments = msgspec.json.decode(call.arguments)
    except msgspec.DecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


class _Counts(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Opening(msgspec.Struct):
    usage: _Counts | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    """Every event in one shape: a tagged union would refuse the events that are added later."""

    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Opening | None = None
    usage: _Counts | None = None
    error: failures.ProviderError | str | None = None


_EVENT = msgspec.json.Decoder(_Event)


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)


class Events:
    """One reply, event by event."""

    def __init__(self, model: str) -> None:
        self.complete = False
        self._model = model
        self._stop_reason: str | None = None
        self._calls: dict[int, _Call] = {}
        self._counts = _Counts()
        self._counted = False

    def feed(self, data: bytes) -> tuple[ReplyPart, ...]:
        if self.complete:
            return ()
        event = _EVENT.decode(data)
        match event:
            case _Event(type="content_block_delta", delta=_Delta(type="text_delta", text=text)) if text:
                return (Text(text),)
            case _Event(type="content_block_delta", delta=_Delta(type="input_json_delta") as delta):
                if event.index in self._calls:
                    self._calls[event.index].arguments.append(delta.partial_json)
            case _Event(type="content_block_start", content_block=_Block(type="tool_use") as block):
                self._calls[event.index] = _Call(block.id, block.name)
            case _Event(type="content_block_start", content_block=_Block(type="text", text=text)) if text:
                return (Text(text),)
            case _Event(type="content_block_stop") if event.index in self._calls:
                call = self._calls.pop(event.index)
                return (ToolCall(call.id, call.name, "".join(call.arguments) or "{}"),)
            case _Event(type="message_start", message=_Opening(usage=_Counts() as counts)):
                self._count(counts)
            case _Event(type="message_delta"):
                if event.delta and event.delta.stop_reason:
                    self._stop_reason = event.delta.stop_reason
                if event.usage:
                    self._count(event.usage)
            case _Event(type="message_stop"):
                self.complete = True
            case _Event(type="error", error=error):
                raise failures.of_event(self._model, error or "")
            case _:
                pass
        return ()

    def finish(self) -> tuple[ReplyPart, ...]:
        if self._stop_reason is None and not self.complete:
            return ()
        reason = _FINISHES.get(self._stop_reason or "end_turn", FinishReason.STOP)
        return (*((self._usage(),) if self._counted else ()), Finish(reason))

    def _count(self, counts: _Counts) -> None:
        """The counts are cumulative, and a later event repeats only some of them."""
        self._counted = True
        for name in _Counts.__struct_fields__:
            value = getattr(counts, name)
            if value is not None:
                setattr(self._counts, name, value)

    def _usage(self) -> Usage:
        """The vendor's `input_tokens` leaves out what the cache was read or written for; ours does not."""
        read = self._counts.cache_read_input_tokens or 0
        written = self._counts.cache_creation_input_tokens or 0
        return Usage((self._counts.input_tokens or 0) + read + written, self._counts.output_tokens or 0, read)
