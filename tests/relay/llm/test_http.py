"""An abandoned reply costs no more tokens, a finished one leaves its connection for the next."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from relay.llm.http import proxy_for
from relay.llm.port import ModelError, ModelFailure, Text
from tests.model_server import Answer, Asked, Behaviour, Drops, ModelServer, Never, StallsAfter, Status
from tests.relay.llm.providers import ASKED, Provider, whole, words

ENDLESS = Answer(tokens=("and ",) * 100_000, delay=0.001)


async def gone(asked: Asked) -> None:
    """The server has seen the client go away."""
    async with asyncio.timeout(20):
        await asked.left.wait()


async def test_leaving_the_stream_closes_the_connection(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with ModelServer(ENDLESS) as server:
        async with provider(http, server.base_url).stream(ASKED) as parts:
            assert await anext(parts) == Text("and ")
        await gone(server.requests[0])
        assert not server.requests[0].finished


@pytest.mark.parametrize("behaviour", [ENDLESS, StallsAfter(1)], ids=["while it talks", "while it is silent"])
async def test_cancelling_the_reader_closes_the_connection(
    behaviour: Behaviour, provider: Provider, http: aiohttp.ClientSession
) -> None:
    reading = asyncio.Event()

    async def read(base_url: str) -> None:
        async with provider(http, base_url).stream(ASKED) as parts:
            async for _ in parts:
                reading.set()

    async with ModelServer(behaviour) as server:
        task = asyncio.create_task(read(server.base_url))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone(server.requests[0])


async def test_cancelling_before_the_answer_closes_the_connection(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with ModelServer(Never()) as server:
        task = asyncio.create_task(whole(provider(http, server.base_url)))
        await server.arrived()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone(server.requests[0])


async def test_an_error_of_the_reader_closes_the_connection(
    provider: Provider, http: aiohttp.ClientSession
) -> None:
    class Blocked(Exception):
        pass

    async def read(base_url: str) -> None:
        async with provider(http, base_url).stream(ASKED) as parts:
            async for _ in parts:
                raise Blocked

    async with ModelServer(ENDLESS) as server:
        with pytest.raises(Blocked):
            await read(server.base_url)
        await gone(server.requests[0])


@pytest.mark.parametrize("first", [Answer(), Status(500)], ids=["an answer", "an error"])
async def test_a_connection_that_was_read_to_its_end_is_used_again(
    first: Behaviour, provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with ModelServer(first) as server:
        model = provider(http, server.base_url)
        for _ in range(3):
            try:
                await whole(model)
            except ModelError as error:
                assert error.failure is ModelFailure.SERVER_ERROR  # noqa: PT017  - the parameter decides
        assert len({asked.client_port for asked in server.requests}) == 1


async def test_replies_do_not_wait_for_each_other(provider: Provider, http: aiohttp.ClientSession) -> None:
    """150 at once: more than the 100 connections that the client's default allows."""
    async with ModelServer(otherwise=Never()) as server, asyncio.TaskGroup() as group:
        model = provider(http, server.base_url)
        tasks = [group.create_task(whole(model)) for _ in range(150)]
        await server.arrived(150)
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_connection_lost_before_the_answer_is_tried_once_more(
    reset: bool, provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with ModelServer(Drops(reset)) as server:
        assert words(await whole(provider(http, server.base_url))) == "Hello there."
        assert server.requests[0].body == server.requests[1].body


async def test_but_only_once(provider: Provider, http: aiohttp.ClientSession) -> None:
    async with ModelServer(otherwise=Drops()) as server:
        with pytest.raises(ModelError):
            await whole(provider(http, server.base_url))
        assert len(server.requests) == 2


async def test_no_cookie_is_kept(provider: Provider, http: aiohttp.ClientSession) -> None:
    async with ModelServer(Status(500, {"Set-Cookie": "who=caller"})) as server:
        # By name: a cookie jar takes none from a bare address anyway.
        model = provider(http, server.base_url.replace("127.0.0.1", "localhost"))
        with pytest.raises(ModelError):
            await whole(model)
        await whole(model)
        assert "Cookie" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://api.openai.com/v1", "http://proxy.acme.test:3128"),
        ("https://models.acme.test/v1", None),
        ("http://models.acme.example/v1", None),
        ("https://127.0.0.1:8000/v1", None),
        ("https://[::1]:8000/v1", None),
    ],
)
def test_a_proxy_is_taken_from_the_environment(url: str, proxy: str | None) -> None:
    env = {
        "HTTPS_PROXY": "http://proxy.acme.test:3128",
        "http_proxy": "",
        "no_proxy": "10.0.0.9, .acme.test,",
    }
    assert proxy_for(url, env) == proxy
