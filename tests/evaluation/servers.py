"""Small real servers on loopback: webhooks answered from a table, a websocket with a hand-written agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]


@dataclass
class Webhooks:
    """Answers each path from its list, the last entry again and again; a path without a list is 404."""

    answers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def forms(self, path: str) -> list[Mapping[str, str]]:
        return [request.form for request in self.requests if request.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request_line, *lines = head.strip().split("\r\n")
        method, target, _ = request_line.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        form = dict(parse_qsl(body.decode() or query, keep_blank_values=True))
        self.requests.append(Request(method, path, headers, form))
        answers = self.answers.get(path, [(404, "")])
        status, text = answers.pop(0) if len(answers) > 1 else answers[0]
        content = text.encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n".encode())
        writer.write(b"connection: close\r\n\r\n" + content)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def webhooks(**answers: str | tuple[int, str]) -> AsyncIterator[Webhooks]:
    """`voice="<Response/>"` answers `/voice`."""
    hooks = Webhooks()
    for name, answer in answers.items():
        hooks.answers[f"/{name}"] = [answer if isinstance(answer, tuple) else (200, answer)]
    server = await asyncio.start_server(hooks.serve, "127.0.0.1", 0)
    async with server:
        hooks.port = server.sockets[0].getsockname()[1]
        yield hooks


@dataclass
class Agent:
    """The server's end of the sessions: `reply` is called with the socket and every frame that is no info."""

    reply: Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]
    frames: list[dict[str, Any]] = field(default_factory=list)
    handshakes: list[Mapping[str, str]] = field(default_factory=list)
    closes: list[tuple[int | None, str | None]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/relay"

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.handshakes.append(dict(socket.request.headers.raw_items()))
        try:
            async for raw in socket:
                frame = json.loads(raw)
                self.frames.append(frame)
                if frame["type"] != "info":
                    await self.reply(socket, frame)
        except ConnectionClosed:
            pass
        await socket.wait_closed()
        self.closes.append((socket.close_code, socket.close_reason))


@asynccontextmanager
async def agent(
    reply: Callable[[ServerConnection, dict[str, Any]], Awaitable[None]],
) -> AsyncIterator[Agent]:
    running = Agent(reply)
    async with serve(running.serve, "127.0.0.1", 0, compression=None) as server:
        running.port = next(iter(server.sockets)).getsockname()[1]
        yield running


async def send(socket: ServerConnection, **frame: object) -> None:
    await socket.send(json.dumps(frame))


async def mute(_: ServerConnection, __: dict[str, Any]) -> None:
    """An agent that says nothing."""


async def echo(socket: ServerConnection, frame: dict[str, Any]) -> None:
    """Greets, repeats every final prompt token by token, and ends the session at a goodbye."""
    match frame:
        case {"type": "setup"}:
            await send(socket, type="text", token="Hello, I am an echo.", last=True)
        case {"type": "prompt", "last": True, "voicePrompt": "Goodbye."}:
            await send(socket, type="end", handoffData='{"reason":"goodbye"}')
        case {"type": "prompt", "last": True, "voicePrompt": words}:
            for token in ("You", " said:", f" {words}", " Is there anything else that I can repeat?"):
                await send(socket, type="text", token=token)
            await send(socket, type="text", token="", last=True)
        case {"type": "dtmf", "digit": digit}:
            await send(socket, type="text", token=f"Key {digit}.", last=True)
        case {"type": "interrupt"}:
            await send(socket, type="text", token="", last=True)


def relay_twiml(url: str, action: str | None = "/action", rest: str = "", **attributes: str) -> str:
    """TwiML with one session; everything an observer can subscribe to is on unless said otherwise."""
    every = {
        "url": url,
        "events": "speaker-events tokens-played",
        "partialPrompts": "true",
        "dtmfDetection": "true",
        **attributes,
    }
    listed = " ".join(f'{name}="{value}"' for name, value in every.items())
    where = "" if action is None else f' action="{action}"'
    parameter = '<Parameter name="tenant" value="acme"/>'
    return (
        f"<Response><Connect{where}><ConversationRelay {listed}>{parameter}</ConversationRelay></Connect>"
        f"{rest}</Response>"
    )
