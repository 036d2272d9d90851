"""When a socket is opened, kept, replaced and closed, and that the talk goes on over the next one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.llm import openai_realtime
from relay.llm.port import (
    Message,
    ModelError,
    ModelFailure,
    Text,
)
from tests.realtime_answers import (
    Answers,
    Behaviour,
    Drops,
    Errs,
    Fails,
    Held,
)
from tests.realtime_server import RealtimeServer
from tests.relay.llm.providers import whole, words
from tests.relay.llm.realtime import FIRST, calling, cut, then

F = ModelFailure


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_socket_is_opened_at_setup_and_the_first_turn_finds_it() -> None:
    async with RealtimeServer() as server, calling(server) as call:
        await call.open()
        await call.open()
        assert len(server.calls) == 1
        assert server.calls[0].received == []
        assert words(await whole(call, FIRST)) == "Hello there."
    assert len(server.calls) == 1


async def test_a_call_whose_model_cannot_be_reached_at_setup_goes_on() -> None:
    async with RealtimeServer(refuse=503) as server, calling(server) as call:
        await call.open()
        server.refuse = 0
        assert words(await whole(call, FIRST)) == "Hello there."


async def test_a_session_is_reopened_before_its_limit_with_what_was_heard() -> None:
    time = Time()
    async with RealtimeServer() as server, calling(server, reopen_after=3000, clock=time) as call:
        await whole(call, FIRST)
        time.now += 2999
        second = then(FIRST, Message("assistant", "Hello —"), Message("user", "Prices?"))
        await whole(call, second)
        assert len(server.calls) == 1
        time.now += 1
        third = then(second, Message("assistant", "Hello there."), Message("user", "Bye"))
        assert words(await whole(call, third)) == "Hello there."
    assert len(server.calls) == 2
    assert server.asked[2] == [
        ("user", "Hello"),
        ("assistant", "Hello —"),
        ("user", "Prices?"),
        ("assistant", "Hello there."),
        ("user", "Bye"),
    ]
    assert server.calls[1].session["instructions"] == "You answer for Acme Home."


async def test_a_session_too_old_after_a_turn_is_reopened_before_the_next_one_asks() -> None:
    time = Time()
    async with (
        RealtimeServer(Held()) as server,
        calling(server, reopen_after=3000, clock=time) as call,
    ):
        async with call.stream(FIRST) as parts:
            await anext(parts)
            time.now += 4000  # never within a turn
            assert len(server.calls) == 1
            server.go.set()
            assert words([part async for part in parts]) == " is forty nine dollars."
        await server.opened(2)
        assert server.calls[1].received == []


async def test_a_socket_that_died_between_turns_is_opened_again_with_what_was_heard() -> None:
    async with RealtimeServer() as server, calling(server) as call:
        await whole(call, FIRST)
        server.calls[0].socket.transport.abort()
        await server.calls[0].closed.wait()
        request = then(FIRST, Message("assistant", "Hello —"), Message("user", "Prices?"))
        assert words(await whole(call, request)) == "Hello there."
    assert len(server.calls) == 2
    assert server.asked[1] == [("user", "Hello"), ("assistant", "Hello —"), ("user", "Prices?")]


@pytest.mark.parametrize(
    "fault",
    [Drops(), Errs("session_expired"), Errs("conversation_already_has_active_response")],
    ids=["dropped", "expired", "at odds"],
)
async def test_a_kept_socket_that_fails_before_the_reply_is_replaced_once(fault: Behaviour) -> None:
    async with RealtimeServer(Answers(), fault, Answers("Yes.")) as server, calling(server) as call:
        await whole(call, FIRST)
        assert words(await whole(call, FIRST)) == "Yes."
        assert len(server.calls) == 2
        server.script.extend([fault, fault])
        with pytest.raises(ModelError):
            await whole(call, FIRST)
        assert not server.script


async def test_a_conversation_that_the_server_has_lost_is_told_anew() -> None:
    async with RealtimeServer() as server, calling(server) as call:
        await whole(call, FIRST)
        server.calls[0].items.clear()
        request = then(FIRST, Message("assistant", "Hello —"), Message("user", "Prices?"))
        assert words(await whole(call, request)) == "Hello there."
    assert server.complaints[0] == "item_delete_invalid_item_id"
    assert server.asked[-1] == [("user", "Hello"), ("assistant", "Hello —"), ("user", "Prices?")]


async def test_after_a_reply_broke_off_the_next_turn_has_a_whole_socket() -> None:
    async with RealtimeServer(Drops(words=2), Answers("Yes.")) as server, calling(server) as call:
        async with call.stream(FIRST) as parts:
            assert [await anext(parts), await anext(parts)] == [Text("and"), Text(" and")]
            with pytest.raises(ModelError) as raised:
                await anext(parts)
        assert raised.value.failure is F.BROKEN_STREAM
        assert words(await whole(call, FIRST)) == "Yes."
    assert server.asked[1] == [("user", "Hello")]


async def test_after_an_error_nobody_relies_on_what_the_socket_holds() -> None:
    error = Errs("invalid_value", midway=True)
    async with (
        asyncio.timeout(20),
        RealtimeServer(error, Answers("Yes.")) as server,
        calling(server, cancel_within=600) as call,
    ):
        with pytest.raises(ModelError):
            await whole(call, FIRST)
        assert words(await whole(call, FIRST)) == "Yes."
        assert len(server.calls) == 2


async def test_a_reply_that_failed_leaves_the_socket_and_none_of_its_words() -> None:
    fails = Fails("rate_limit_exceeded", midway=True)
    async with RealtimeServer(fails, Answers("Yes.")) as server, calling(server) as call:
        with pytest.raises(ModelError):
            await whole(call, FIRST)
        assert words(await whole(call, FIRST)) == "Yes."
    assert len(server.calls) == 1
    assert server.asked[1] == [("user", "Hello")]
    assert not server.complaints


async def test_concurrent_calls_have_sockets_of_their_own() -> None:
    async with RealtimeServer(otherwise=Held("I know ", "you.")) as server:
        model = openai_realtime.connect(model="m", base_url=server.base_url)
        calls = [model.for_call() for _ in range(5)]
        requests = [replace(FIRST, messages=(Message("user", f"I am {n}"),)) for n in range(5)]
        async with asyncio.TaskGroup() as running:
            replies = [
                running.create_task(whole(call, request))
                for call, request in zip(calls, requests, strict=True)
            ]
            await server.seen("response.create", 5)
            server.go.set()
        assert {words(reply.result()) for reply in replies} == {"I know you."}
        assert sorted(socket.conversation()[0] for socket in server.calls) == [
            ("user", f"I am {n}") for n in range(5)
        ]
        assert server.calls[0].key is None
        for call in calls:
            await call.aclose()


async def test_replies_of_one_call_wait_for_each_other() -> None:
    async with RealtimeServer(Held(), Answers("Yes.")) as server, calling(server) as call:
        first = asyncio.create_task(whole(call, FIRST))
        await server.seen("response.create")
        second = asyncio.create_task(whole(call, FIRST))
        await asyncio.sleep(0)
        server.go.set()
        assert words(await first) == "It is forty nine dollars."
        assert words(await second) == "Yes."
    assert not server.complaints


async def test_the_end_of_the_call_closes_its_socket_for_good() -> None:
    async with RealtimeServer() as server:
        call = openai_realtime.connect(model="m", base_url=server.base_url).for_call()
        await whole(call, FIRST)
        await call.aclose()
        await call.aclose()
        (socket,) = server.calls
        await socket.closed.wait()
        assert socket.socket.close_code == 1000
        with pytest.raises(ModelError) as raised:
            await whole(call, FIRST)
        assert raised.value.failure is F.UNREACHABLE
        await call.open()
        assert server.tried == 1


async def test_a_reply_that_runs_when_the_call_ends_is_broken_off() -> None:
    async with RealtimeServer(Held()) as server:
        call = openai_realtime.connect(model="m", base_url=server.base_url).for_call()
        async with call.stream(FIRST) as parts:
            await anext(parts)
            await call.aclose()
            with pytest.raises(ModelError):
                async for _ in parts:
                    pass
        await server.calls[0].closed.wait()
        await asyncio.sleep(0)
        assert server.tried == 1


async def test_one_reply_without_a_call_has_a_socket_for_itself() -> None:
    async with RealtimeServer(Answers("Yes."), Held()) as server:
        model = openai_realtime.connect(model="m", base_url=server.base_url)
        assert words(await whole(model, FIRST)) == "Yes."
        assert await cut(model, FIRST) == "It is forty"
        assert len(server.calls) == 2
        for socket in server.calls:
            await socket.closed.wait()


async def test_opening_and_asking_at_once_make_one_socket() -> None:
    async with RealtimeServer(Drops(words=1)) as server, calling(server) as call:
        with pytest.raises(ModelError):
            await whole(call, FIRST)
        async with asyncio.TaskGroup() as running:
            running.create_task(call.open())
            running.create_task(whole(call, FIRST))
            running.create_task(call.open())
    assert len(server.calls) == 2
