"""OpenAI's chat completions, and every server that speaks them (Azure, vLLM, Ollama, llama.cpp, gateways).

Shapes: "chat.completion.chunk" of OpenAI's API reference. Servers differ in what they leave out, so every
field is optional, and a reply is whole by its `finish_reason` or by `[DONE]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

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
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)

BASE_URL = "https://api.openai.com/v1"

_FINISHES = {
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.REFUSAL,
}


def connect(
    *,
    model: str,
    http: aiohttp.ClientSession,
    api_key: str = "",
    base_url: str | None = None,
    max_tokens: int = 400,
    temperature: float | None = None,
) -> LanguageModel:
    """`base_url` includes the version (`…/v1`). Without a key no `Authorization` is sent: local servers."""
    base = (base_url or BASE_URL).rstrip("/")
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    name = f"openai/{model}"
    url = f"{base}/chat/completions"
    options: dict[str, object] = {"model": model, limit_field(base): max_tokens}
    if temperature is not None:
        options["temperature"] = temperature
    return _ChatCompletions(name, Endpoint(http, name, url, headers, proxy_for(url)), options)


def limit_field(base_url: str) -> str:
    """OpenAI's current models refuse `max_tokens`; it is "deprecated in favor of `max_completion_tokens`, and
    is not compatible with o-series models". Older compatible servers know only `max_tokens`, and some answer
    422 to a field they do not know. So the host decides."""
    host = urlsplit(base_url).hostname or ""
    return "max_completion_tokens" if host.endswith((".openai.com", ".openai.azure.com")) else "max_tokens"


class _ChatCompletions:
    def __init__(self, name: str, endpoint: Endpoint, options: dict[str, object]) -> None:
        self._name = name
        self._endpoint = endpoint
        self._options = options

    @property
    def name(self) -> str:
        return self._name

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[ReplyPart]]:
        messages = [_message(message) for message in request.messages]
        if request.instructions:
            messages.insert(0, {"role": "system", "content": request.instructions})
        body = {
            **self._options,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            body["tools"] = [{"type": "function", "function": _function(tool)} for tool in request.tools]
        return self._endpoint.stream(msgspec.json.encode(body), Chunks(self._name))


def _message(message: Message | ToolResult) -> dict[str, object]:
    match message:
        case ToolResult(call_id, text):
            return {"role": "tool", "tool_call_id": call_id, "content": text}
        case Message(role, text, calls) if calls:
            asked = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in calls
            ]
            return {"role": role, "content": text or None, "tool_calls": asked}
        case Message(role, text):
            return {"role": role, "content": text}


def _function(tool: Tool) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolDelta(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Counts(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Counts | None = None
    error: failures.ProviderError | str | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Chunks:
    """One reply, chunk by chunk. Text comes at once; tool calls, usage and finish when all is said."""

    def __init__(self, model: str) -> None:
        self.complete = False
        self._model = model
        self._finish_reason: str | None = None
        self._refused = False
        self._calls = _Calls()
        self._usage: tuple[Usage, ...] = ()

    def feed(self, data: bytes) -> tuple[ReplyPart, ...]:
        if self.complete:
            return ()
        if data.startswith(b"[DONE]"):
            self.complete = True
            return ()
        chunk = _CHUNK.decode(data)
        if chunk.error is not None:
            raise failures.of_event(self._model, chunk.error)
        if chunk.usage is not None:
            self._usage = (_usage(chunk.usage),)
        if not chunk.choices:
            return ()
        choice = chunk.choices[0]
        if choice.finish_reason:
            self._finish_reason = choice.finish_reason
        delta = choice.delta
        if delta is None:
            return ()
        if delta.refusal:
            self._refused = True  # its words are the provider's, not ours to speak
        for call in delta.tool_calls or ():
            self._calls.add(call)
        return (Text(delta.content),) if delta.content else ()

    def finish(self) -> tuple[ReplyPart, ...]:
        if self._finish_reason is None and not self.complete:
            return ()
        calls = self._calls.whole()
        reason = _FINISHES.get(self._finish_reason or "stop", FinishReason.STOP)
        if self._refused:
            reason = FinishReason.REFUSAL
        elif calls and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS  # some servers say "stop" after a call
        return (*calls, *self._usage, Finish(reason))


class _Calls:
    """Tool calls put together from their deltas, in the order in which they began."""

    def __init__(self) -> None:
        self._began: list[_ToolDelta] = []
        self._arguments: list[list[str]] = []

    def add(self, delta: _ToolDelta) -> None:
        place = self._place(delta)
        function = delta.function or _Function()
        if place is None:
            place = len(self._began)
            self._began.append(
                _ToolDelta(index=delta.index, id=delta.id, function=_Function(name=function.name))
            )
            self._arguments.append([])
        if function.arguments:
            self._arguments[place].append(function.arguments)

    def _place(self, delta: _ToolDelta) -> int | None:
        """The call that a delta continues. A new id begins a new call: some servers number every call 0."""
        for place in reversed(range(len(self._began))):
            began = self._began[place]
            if delta.index is None or began.index == delta.index:
                return place if not delta.id or delta.id == began.id else None
        return None

    def whole(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(
                began.id or f"call_{place}",
                (began.function and began.function.name) or "",
                "".join(arguments) or "{}",
            )
            for place, (began, arguments) in enumerate(zip(self._began, self._arguments, strict=True))
        )


def _usage(counts: _Counts) -> Usage:
    details = counts.prompt_tokens_details
    return Usage(
        counts.prompt_tokens or 0,
        counts.completion_tokens or 0,
        (details.cached_tokens or 0) if details else 0,
    )
