"""OpenAI's Realtime API, in text, over one websocket a call: no connection to make and little to send a turn.

The socket is opened at setup and kept. The server ends a session with "Your session hit the maximum duration
of 60 minutes": it is opened anew before that, between two turns, and whenever it died; the next request then
tells the whole history as it was heard. A reply that is abandoned is cancelled and read to its end while
nobody waits for it, so that none of its words can stand in the next one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from relay.llm import failures
from relay.llm.http import proxy_for
from relay.llm.port import ModelError, ModelFailure, ReplyPart, Request
from relay.llm.realtime_conversation import Conversation

BASE_URL = "https://api.openai.com/v1"
REOPEN_AFTER = 50 * 60.0  # seconds: ten minutes short of the limit, more than any turn takes
CANCEL_WITHIN = 5.0
MOST_TOKENS = 4096  # "an integer between 1 and 4096"

_OPEN_WITHIN = 3.0  # seconds for TCP, TLS, handshake and first event: leaves time for another model
_CLOSE_WITHIN = 1.0
_PING_EVERY = 10.0  # seconds; a dead connection is noticed between the turns, not in one
_UNREAD = 4096  # messages that may lie unread between turns: pings go unanswered behind them

_LOG = logging.getLogger("relay.llm.openai_realtime.wire")
_LOG.setLevel(logging.WARNING)  # below it the library writes out headers and frames: the key, and speech

_ANEW = (ModelFailure.UNREACHABLE, ModelFailure.REQUEST_REFUSED, ModelFailure.BROKEN_STREAM)
"""What a kept socket may say that a new one does not: dead, expired, or not holding what we think."""


def connect(
    *,
    model: str,
    api_key: str = "",
    base_url: str | None = None,
    max_tokens: int = 400,
    reopen_after: float = REOPEN_AFTER,
    cancel_within: float = CANCEL_WITHIN,
    clock: Callable[[], float] = time.monotonic,
) -> Realtime:
    """`base_url` as for `openai`: `https://…/v1`, or http. The API has no temperature.

    Seconds: a socket is replaced at the age of `reopen_after`, and when an abandoned reply has not ended
    `cancel_within` of its cancellation.
    """
    base = (base_url or BASE_URL).rstrip("/")
    secure = urlsplit(base).scheme == "https"
    line = _Line(
        name=f"openai_realtime/{model}",
        url=f"ws{base.removeprefix('http')}/realtime?model={quote(model, safe='')}",
        headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        proxy=proxy_for(base),
        # Made once: it takes some 30 ms in which the event loop stands still.
        tls=ssl.create_default_context() if secure else None,
        max_tokens=min(max_tokens, MOST_TOKENS),
        reopen_after=reopen_after,
        cancel_within=cancel_within,
        clock=clock,
    )
    return Realtime(line)


class _Straight(websocket):
    """Redirects are not followed: the conversation and the key go where the agent file says, nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class _Line:
    """Where the sockets of one model lead, and how they are opened."""

    name: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)
    max_tokens: int
    reopen_after: float
    cancel_within: float
    clock: Callable[[], float] = field(repr=False)

    async def open(self) -> _Socket:
        """Raises `ModelError`."""
        try:
            async with asyncio.timeout(_OPEN_WITHIN):
                return await self._open()
        except InvalidStatus as refused:
            answer = refused.response
            raise failures.of_answer(
                self.name, answer.status_code, dict(answer.headers.raw_items()), bytes(answer.body)
            ) from None
        except (OSError, WebSocketException) as error:
            raise ModelError(self.name, ModelFailure.UNREACHABLE, type(error).__name__) from error

    async def _open(self) -> _Socket:
        connection = await _Straight(
            self.url,
            additional_headers=self.headers,
            proxy=self.proxy,
            compression=None,
            open_timeout=None,
            ping_interval=_PING_EVERY,
            ping_timeout=_PING_EVERY,
            close_timeout=_CLOSE_WITHIN,
            max_queue=_UNREAD,
            logger=_LOG,
            ssl=self.tls,
        )
        with ExitStack() as undo:
            undo.callback(connection.transport.abort)
            socket = _Socket(self.name, connection, Conversation(self.name, self.max_tokens), self.clock())
            await socket.greeted()
            undo.pop_all()
        return socket


@dataclass(slots=True)
class _Socket:
    """One websocket and the conversation at its other end."""

    model: str
    connection: ClientConnection
    conversation: Conversation
    opened_at: float
    intact: bool = True  # the socket works, and whole requests were sent over it

    @property
    def usable(self) -> bool:
        """The server holds what `conversation` says."""
        return self.intact and not self.conversation.doubted

    async def greeted(self) -> None:
        """ "session.created" is "the first server event", unless an error stands in its place."""
        await self.read(ModelFailure.UNREACHABLE)

    async def ask(self, request: Request) -> None:
        """Send the request; back when the reply exists. Raises `ModelError`."""
        self.intact = False  # until all is sent: we may be cancelled in between
        for event in self.conversation.ask(request):
            await self._send(event)
        self.intact = True
        while self.conversation.waits:
            await self.read(ModelFailure.UNREACHABLE)

    async def parts(self) -> AsyncGenerator[ReplyPart, None]:
        while self.conversation.replying:
            for part in await self.read(ModelFailure.BROKEN_STREAM):
                yield part

    async def settle(self, within: float) -> bool:
        """Cancel what is left of an abandoned reply and read up to its end. Is the socket fit for another?"""
        # An error is the usual end of a reply that was cancelled; it may also be the end of the socket.
        with suppress(TimeoutError, ModelError):
            async with asyncio.timeout(within):
                while self.usable and self.conversation.replying:
                    if cancel := self.conversation.cancel():
                        await self._send(cancel)
                    await self.read(ModelFailure.BROKEN_STREAM)
        return self.usable and not self.conversation.replying

    async def read(self, broken: ModelFailure) -> tuple[ReplyPart, ...]:
        """One event. `broken` is what it means if the socket is closed instead."""
        try:
            return tuple(self.conversation.feed(await self.connection.recv(decode=False)))
        except ConnectionClosed as error:
            self.intact = False
            raise ModelError(self.model, broken, _code(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.intact = False
            raise ModelError(self.model, ModelFailure.BROKEN_STREAM, type(error).__name__) from error

    async def _send(self, event: bytes) -> None:
        try:
            await self.connection.send(event, text=True)
        except ConnectionClosed as error:
            self.intact = False
            raise ModelError(self.model, ModelFailure.UNREACHABLE, _code(error)) from error

    def abort(self) -> None:
        self.connection.transport.abort()

    async def aclose(self) -> None:
        """Politely, unless the server is in the middle of an answer that nobody wants."""
        if self.usable and not self.conversation.replying:
            await self.connection.close()
        self.abort()


def _code(error: ConnectionClosed) -> str:
    """The close code alone: its reason is the server's prose."""
    return f"closed {error.rcvd.code}" if error.rcvd else "closed"


@dataclass(frozen=True, slots=True)
class Realtime:
    """The model, for any number of calls; each of them has a socket of its own."""

    line: _Line

    @property
    def name(self) -> str:
        return self.line.name

    def for_call(self) -> RealtimeCall:
        return RealtimeCall(self.line)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        """One reply outside of any call, over a socket of its own."""
        call = self.for_call()
        try:
            async with call.stream(request) as parts:
                yield parts
        finally:
            await call.aclose()


class RealtimeCall:
    """The model in one call. A reply begins only when the one before it is over at the server too."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._turn = asyncio.Lock()
        self._socket: _Socket | None = None
        self._settling: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._line.name

    async def open(self) -> None:
        async with self._turn:
            await self._settled()
            with suppress(ModelError):
                await self._ready()

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        """As the port says, but the socket stays: what is abandoned is cancelled on it."""
        async with self._turn:
            await self._settled()
            try:
                socket = await self._asked(request)
                async with aclosing(socket.parts()) as parts:
                    yield parts
            finally:
                self._settling = asyncio.create_task(self._settle())

    async def aclose(self) -> None:
        self._closed = True
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.wait({self._settling})
        if self._socket is not None:
            await self._socket.aclose()
            self._socket = None

    async def _settled(self) -> None:
        if self._settling is not None:
            await asyncio.wait({self._settling})  # does not cancel it when we are cancelled

    async def _asked(self, request: Request) -> _Socket:
        """The socket on which the reply is on its way. A kept one that turns out to be dead or at odds with
        us is replaced, once: no word has come, and asking a model twice has no side effect."""
        kept = self._socket is not None
        try:
            socket = await self._ready()
            await socket.ask(request)
        except ModelError as error:
            if not kept or error.failure not in _ANEW:
                raise
            self._drop()
            socket = await self._ready()
            await socket.ask(request)
        return socket

    async def _ready(self) -> _Socket:
        if self._aged():
            self._drop()
        if self._socket is None:
            self._refuse_after_the_call()
            socket = self._socket = await self._line.open()
            self._refuse_after_the_call()
            return socket
        return self._socket

    def _refuse_after_the_call(self) -> None:
        if self._closed:
            self._drop()
            raise ModelError(self.name, ModelFailure.UNREACHABLE, "call closed")

    def _aged(self) -> bool:
        socket = self._socket
        return socket is not None and self._line.clock() - socket.opened_at >= self._line.reopen_after

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.abort()
            self._socket = None

    async def _settle(self) -> None:
        """After a reply: make the socket fit for the next one, or have another ready."""
        if self._socket is None or self._closed:
            return
        if not await self._socket.settle(self._line.cancel_within):
            self._drop()
        with suppress(ModelError):
            await self._ready()
