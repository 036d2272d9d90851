"""A language model's server on loopback that behaves as told, request by request.

It speaks OpenAI's chat completions and Anthropic's messages, both under the same `base_url`:

    async with ModelServer(Answer("One moment."), Status(429, {"Retry-After": "3"})) as server:
        ...                                # the first request is answered, the second refused,
    assert server.requests[0].body["model"] == "m"      # any later one gets `otherwise`

Delays are in seconds of the running loop. A request's handler is cancelled when its client goes away.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, in the pieces it would come in: one word each, unless `tokens` cuts it otherwise."""

    text: str = "Hello there."
    first_delay: float = 0.0  # before the first token; the status and headers are sent before it
    delay: float = 0.0  # between tokens
    tokens: tuple[str, ...] = ()
    marked_end: bool = True  # OpenAI's usage chunk and `[DONE]`, Anthropic's `message_stop`


@dataclass(frozen=True, slots=True)
class CallsTool:
    """One tool call, its arguments in pieces."""

    name: str
    arguments: tuple[str, ...]
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Never:
    """Reads the request and never answers."""


@dataclass(frozen=True, slots=True)
class Drops:
    """Reads the request and closes the connection without an answer; `reset`: with a TCP reset."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class DiesAfter:
    """Sends so many tokens, then the connection is gone; `politely`: the body ends, without a finish."""

    tokens: int = 2
    politely: bool = False


@dataclass(frozen=True, slots=True)
class StallsAfter:
    """Sends so many tokens, then nothing more."""

    tokens: int = 2


@dataclass(frozen=True, slots=True)
class Status:
    """An error answer, its body as both vendors shape it. The message holds words that must not leak."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = ""
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class FailsMidway:
    """Sends a token, then an error event of this type within the stream."""

    type: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Status 200 with this body and content type, whatever they are."""

    body: bytes
    content_type: str = "text/event-stream"


GARBAGE = Raw(b"data: {]]\xff\xfe\n\ndata: 12\n\n")
HTML = Raw(b"<html><body>Sign in to the hotel's network</body></html>", "text/html")


@dataclass(frozen=True, slots=True)
class Empty:
    """A stream that finishes as it should, without a word."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The provider's filter declines, after so many tokens."""

    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Dribble:
    """A whole answer in writes of `size` bytes, so that lines and characters are cut anywhere."""

    text: str = "Zwölf Euro, 만 원."
    size: int = 3


Behaviour = (
    Answer
    | CallsTool
    | Never
    | Drops
    | DiesAfter
    | StallsAfter
    | Status
    | FailsMidway
    | Raw
    | Empty
    | Refusal
    | Dribble
)

SECRET = "my card is 4111 1111 1111 1111"
"""What every error message of this server quotes, as a provider's may quote a caller."""


@dataclass(slots=True)
class Asked:
    """One request as the server saw it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float  # the loop's time
    client_port: int  # the same port: the same connection
    tokens: int = 0  # sent so far
    finished: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)  # the client went away before the end


class ModelServer:
    """`script` is what to do, request by request; `otherwise` is done when it is used up."""

    def __init__(self, *script: Behaviour, otherwise: Behaviour | None = None) -> None:
        self.script: deque[Behaviour] = deque(script)
        self.otherwise = otherwise or Answer()
        self.requests: list[Asked] = []
        self._arrival = asyncio.Condition()
        self.base_url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        for path in ("/chat/completions", "/v1/chat/completions", "/v1/messages"):
            app.router.add_post(path, self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def arrived(self, count: int = 1, within: float = 20.0) -> None:
        """Wait until so many requests have come; `TimeoutError` after `within` seconds."""
        async with asyncio.timeout(within), self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport else ("", 0)
        asked = Asked(
            path=request.path,
            headers=dict(request.headers),
            body=await request.json(),
            at=asyncio.get_running_loop().time(),
            client_port=peer[1],
        )
        async with self._arrival:
            self.requests.append(asked)
            self._arrival.notify_all()
        behaviour = self.script.popleft() if self.script else self.otherwise
        dialect: Dialect = Messages() if request.path.endswith("messages") else Completions()
        try:
            response = await _perform(behaviour, request, asked, dialect)
        except _HungUp:
            raise asyncio.CancelledError from None  # ends the connection without a line in the log
        except (asyncio.CancelledError, ConnectionResetError):
            asked.left.set()
            raise asyncio.CancelledError from None
        asked.finished = True
        return response


def refusing_url() -> str:
    """An address on loopback where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


async def _perform(
    behaviour: Behaviour, request: web.Request, asked: Asked, dialect: Dialect
) -> web.StreamResponse:
    match behaviour:
        case Never():
            await asyncio.Event().wait()
        case Drops(reset):
            _hang_up(request, reset)
        case Status(code, headers, type_, body):
            error = {"type": "error", "error": {"type": type_ or None, "message": SECRET}}
            return web.Response(
                status=code,
                headers=headers,
                body=json.dumps(error).encode() if body is None else body,
                content_type="application/json",
            )
        case Raw(body, content_type):
            return web.Response(body=body, headers={"Content-Type": content_type})
        case _:
            pass
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await stream.prepare(request)
    await _stream(behaviour, request, stream, asked, dialect)
    for _ in range(3):
        await asyncio.sleep(0)  # the end of the body comes in a packet of its own
    await stream.write_eof()
    return stream


async def _stream(
    behaviour: Behaviour,
    request: web.Request,
    stream: web.StreamResponse,
    asked: Asked,
    dialect: Dialect,
) -> None:
    match behaviour:
        case Answer(text, first_delay, delay, tokens, marked_end):
            await stream.write(dialect.opening())
            await asyncio.sleep(first_delay)
            await _say(stream, asked, dialect, tokens or _words(text), delay)
            await stream.write(dialect.closing(dialect.STOP, marked_end))
        case CallsTool(name, arguments, id_):
            call = dialect.call(id_, name, arguments)
            await stream.write(dialect.opening() + call + dialect.closing(dialect.TOOL))
        case DiesAfter(count, politely):
            await _say(stream, asked, dialect, _many(count))
            if not politely:
                _hang_up(request)
        case StallsAfter(count):
            await _say(stream, asked, dialect, _many(count))
            await asyncio.Event().wait()
        case FailsMidway(type_):
            await _say(stream, asked, dialect, _many(1))
            await stream.write(_event({"type": "error", "error": {"type": type_, "message": SECRET}}))
        case Empty():
            await stream.write(dialect.opening() + dialect.closing(dialect.STOP))
        case Refusal(count):
            await _say(stream, asked, dialect, _many(count))
            await stream.write(dialect.closing(dialect.REFUSAL))
        case Dribble(text, size):
            whole = dialect.opening() + dialect.words(text) + dialect.closing(dialect.STOP)
            for start in range(0, len(whole), size):
                await stream.write(whole[start : start + size])
                await asyncio.sleep(0)
        case _:
            pass


async def _say(
    stream: web.StreamResponse, asked: Asked, dialect: Dialect, tokens: tuple[str, ...], delay: float = 0.0
) -> None:
    for place, token in enumerate(tokens):
        if place:
            await asyncio.sleep(delay)
        await stream.write(dialect.words(token))
        asked.tokens += 1


def _hang_up(request: web.Request, reset: bool = False) -> None:
    """Close the connection after what was written; the chunked body has no end then."""
    if request.transport is not None:
        if reset:  # closing a socket that lingers for no time sends a reset
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.close()
    raise _HungUp


class _HungUp(Exception):
    """We closed the connection ourselves: nothing more can be sent."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\s*\S+", text))


def _many(count: int) -> tuple[str, ...]:
    return tuple(f"word{place} " for place in range(count))


def _event(data: object, name: str = "") -> bytes:
    line = f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
    return (f"event: {name}\n{line}" if name else line).encode()


class Dialect(Protocol):
    """How a vendor words a stream. Every method gives bytes of whole events."""

    STOP: str
    TOOL: str
    REFUSAL: str

    def opening(self) -> bytes: ...
    def words(self, text: str) -> bytes: ...
    def call(self, id_: str, name: str, arguments: tuple[str, ...]) -> bytes: ...
    def closing(self, reason: str, marked_end: bool = True) -> bytes: ...


class Completions:
    """OpenAI's chat completions. Token counts are fixed: 12 in, of which 5 cached, 7 out."""

    STOP = "stop"
    TOOL = "tool_calls"
    REFUSAL = "content_filter"

    def opening(self) -> bytes:
        return b": keep-alive\n\n" + self._chunk({"role": "assistant", "content": ""})

    def words(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def call(self, id_: str, name: str, arguments: tuple[str, ...]) -> bytes:
        began = {"index": 0, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        pieces = [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
        return b"".join(self._chunk({"content": None, "tool_calls": [delta]}) for delta in (began, *pieces))

    def closing(self, reason: str, marked_end: bool = True) -> bytes:
        finish = self._chunk({}, reason)
        if not marked_end:
            return finish
        usage = {
            "prompt_tokens": 12,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 5},
        }
        return finish + _event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _event({"object": "chat.completion.chunk", "choices": [choice], "usage": None})


class Messages:
    """Anthropic's messages. The same counts: 4 in, 3 written to the cache, 5 read from it, 7 out."""

    STOP = "end_turn"
    TOOL = "tool_use"
    REFUSAL = "refusal"

    def opening(self) -> bytes:
        counts = {
            "input_tokens": 4,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 5,
            "output_tokens": 1,
        }
        return (
            self._typed("message_start", message={"role": "assistant", "content": [], "usage": counts})
            + self._typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
            + self._typed("ping")
        )

    def words(self, text: str) -> bytes:
        return self._typed("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def call(self, id_: str, name: str, arguments: tuple[str, ...]) -> bytes:
        block = {"type": "tool_use", "id": id_, "name": name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in arguments]
        return (
            self._typed("content_block_start", index=1, content_block=block)
            + b"".join(self._typed("content_block_delta", index=1, delta=delta) for delta in deltas)
            + self._typed("content_block_stop", index=1)
        )

    def closing(self, reason: str, marked_end: bool = True) -> bytes:
        delta = {"stop_reason": reason, "stop_sequence": None}
        end = self._typed("content_block_stop", index=0)
        end += self._typed("message_delta", delta=delta, usage={"output_tokens": 7})
        return end + (self._typed("message_stop") if marked_end else b"")

    def _typed(self, type_: str, **fields: Any) -> bytes:
        return _event({"type": type_, **fields}, type_)
