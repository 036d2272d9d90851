"""The HTTP under the models: one shared session, one request a reply, the connection closed with the stream.

Why aiohttp, by measurement (60 calls at once, replies of 40 tokens, CPU per turn): a provider's own SDK
16.6 ms, httpx 10.1, aiohttp 4.6. The session is made once: an httpx client per turn costs 33 ms, and the
event loop stands still while it builds its TLS context.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec

from relay.llm import failures, sse
from relay.llm.port import ModelError, ModelFailure, ReplyPart

_ERROR_BODY_LIMIT = 64 * 1024
_END_WAIT = 0.05


def session() -> aiohttp.ClientSession:
    """The one session that all models share. The composition opens and closes it, in a running loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            # aiohttp stops at 100 connections: the 101st caller then waits until somebody's answer has ended
            # (measured with 174 streams wanted: turn start at the median 0.79 s, without the limit 3 ms).
            limit=0,
            # A new TLS connection costs a turn about two round trips. Calls pause longer than aiohttp's 15 s;
            # below 60 s, when many load balancers drop an idle connection, it is ours to close first.
            keepalive_timeout=55,
            ttl_dns_cache=60,
        ),
        # Deadlines belong to the reply (`deadlines.py`), since a whole stream has no sensible bound here.
        # 2 s lets one lost SYN be sent again and still leaves time for the next model.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=2.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        # With trust_env every request would read .netrc and the proxy settings in a thread, and an entry of
        # .netrc for the host would clash with our key. Proxies are read once, in `proxy_for`.
        trust_env=False,
    )


def proxy_for(url: str, env: Mapping[str, str] = os.environ) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for this address; never one for loopback."""
    address = urlsplit(url)
    host = address.hostname or ""
    named = {name.lower(): value for name, value in env.items()}
    direct = [name.strip().lstrip(".") for name in named.get("no_proxy", "").split(",")]
    direct += ["localhost", "127.0.0.1", "::1"]
    if "*" in direct or any(name and f".{host}".endswith(f".{name}") for name in direct):
        return None
    return named.get(f"{address.scheme}_proxy") or None


class Reply(Protocol):
    """One streamed reply, as its provider words it: data of events in, parts out, no I/O."""

    @property
    def complete(self) -> bool:
        """The provider has said that this was all."""
        ...

    def feed(self, data: bytes) -> Iterable[ReplyPart]:
        """Raises `ModelError` for an error event, `DecodeError` or `UnicodeDecodeError` for nonsense."""
        ...

    def finish(self) -> Iterable[ReplyPart]:
        """What ends the reply, `Finish` last; nothing at all when it was cut short."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one model's requests go. `model` is its name in errors; `headers` carry the key: never shown."""

    http: aiohttp.ClientSession
    model: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)

    @asynccontextmanager
    async def stream(self, body: bytes, reply: Reply) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        """Post `body` and read the answer into `reply`. Leaving closes the connection, unless it was read
        to its end and went back to the pool."""
        response = await self._post(body)
        try:
            if response.status >= 300:
                raise await self._refusal(response)
            if response.content_type in ("text/html", "application/json"):
                raise ModelError(self.model, ModelFailure.BROKEN_STREAM, response.content_type)
            async with aclosing(self._parts(response, reply)) as parts:
                yield parts
        finally:
            response.close()

    async def _post(self, body: bytes) -> aiohttp.ClientResponse:
        try:
            try:
                return await self._send(body)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A kept connection that the server closed while we were writing. aiohttp does not repeat a
                # POST; we do, once: nothing was answered, and asking a model twice has no side effect.
                return await self._send(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ModelError(self.model, ModelFailure.UNREACHABLE, type(error).__name__) from error

    async def _send(self, body: bytes) -> aiohttp.ClientResponse:
        # Redirects are not followed: the conversation and the key go where the agent file says, nowhere else.
        return await self.http.post(
            self.url, data=body, headers=self.headers, proxy=self.proxy, allow_redirects=False
        )

    async def _refusal(self, response: aiohttp.ClientResponse) -> ModelError:
        body = bytearray()
        with suppress(aiohttp.ClientError):  # the status alone says enough
            async for packet in response.content.iter_any():
                body += packet
                if len(body) > _ERROR_BODY_LIMIT:
                    break
        return failures.of_answer(self.model, response.status, response.headers, bytes(body))

    async def _parts(self, response: aiohttp.ClientResponse, reply: Reply) -> AsyncGenerator[ReplyPart, None]:
        events = sse.Parser()
        try:
            async for packet in response.content.iter_any():
                for data in events.feed(packet):
                    for part in reply.feed(data):
                        yield part
                if reply.complete:
                    await _read_end(response)
                    break
        except (aiohttp.ClientError, sse.Oversized, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelError(self.model, ModelFailure.BROKEN_STREAM, type(error).__name__) from error
        finished = False
        for part in reply.finish():
            finished = True
            yield part
        if not finished:
            raise ModelError(self.model, ModelFailure.BROKEN_STREAM, "no finish")


async def _read_end(response: aiohttp.ClientResponse) -> None:
    """Read the end of a body whose last event has come, so that its connection can be used again. It comes
    with that event or right after it; a server that lets us wait has its connection closed instead."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_END_WAIT):
            async for _ in response.content.iter_any():
                pass
