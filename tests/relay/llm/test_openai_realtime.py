"""One socket a call, and at its other end the conversation that the caller heard, nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.llm import openai_realtime
from relay.llm.per_call import CallModel, PerCall
from relay.llm.port import (
    Finish,
    FinishReason,
    Message,
    ModelError,
    ModelFailure,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from tests.realtime_answers import (
    Answers,
    Frames,
    Held,
    HeldBack,
    Unmoved,
    UpdatesLate,
)
from tests.realtime_server import RealtimeServer
from tests.relay.llm.providers import ASKED, whole, words
from tests.relay.llm.realtime import FIRST, calling, cut, then

F = ModelFailure
STOP = Finish(FinishReason.STOP)
COUNTED = Usage(12, 7, cached_tokens=5)


def types(events: Sequence[str]) -> list[str]:
    return [event.removeprefix("conversation.") for event in events]


def test_it_is_a_model_and_one_for_each_call() -> None:
    model = openai_realtime.connect(model="m", api_key="sk-test")
    assert isinstance(model, PerCall)
    call: CallModel = model.for_call()
    assert call.name == model.name == "openai_realtime/m"
    assert call is not model.for_call()


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        (None, "wss://api.openai.com/v1/realtime?model=gpt-realtime"),
        ("https://acme.example/openai/v1/", "wss://acme.example/openai/v1/realtime?model=gpt-realtime"),
        ("http://127.0.0.1:8000/v1", "ws://127.0.0.1:8000/v1/realtime?model=gpt-realtime"),
    ],
)
def test_the_socket_is_as_safe_as_the_address(base_url: str | None, address: str) -> None:
    line = openai_realtime.connect(model="gpt-realtime", api_key="sk-test", base_url=base_url).line
    assert line.url == address
    assert (line.tls is not None) == address.startswith("wss:")
    assert "sk-test" not in repr(line)


async def test_a_whole_reply() -> None:
    async with RealtimeServer(Answers("It is forty-nine dollars.")) as server, calling(server) as call:
        parts = await whole(call, ASKED)
    assert words(parts) == "It is forty-nine dollars."
    assert parts[-2:] == [COUNTED, STOP]
    (socket,) = server.calls
    assert (socket.path, socket.key) == ("/v1/realtime?model=m", "Bearer sk-test")
    assert types(socket.sent()) == ["session.update", *["item.create"] * 3, "response.create"]
    assert socket.session == {
        "type": "realtime",
        "output_modalities": ["text"],
        "instructions": "You answer for Acme Home.",
        "tools": [],
        "max_output_tokens": 400,
        "audio": {"input": {"turn_detection": None}},
    }
    assert server.asked == [[("user", "Hello"), ("assistant", "Hi."), ("user", "What does it cost?")]]
    assert not server.complaints


async def test_a_second_turn_sends_only_what_is_new() -> None:
    async with RealtimeServer(Answers("Hello \n there.")) as server, calling(server) as call:
        await whole(call, FIRST)
        await whole(call, then(FIRST, Message("assistant", "Hello there."), Message("user", "Prices?")))
    (socket,) = server.calls
    assert types(socket.sent())[3:] == ["item.create", "response.create"]
    assert server.asked[1] == [
        ("user", "Hello"),
        ("assistant", "Hello \n there."),
        ("user", "Prices?"),
    ]
    assert not server.complaints


async def test_after_a_barge_in_the_server_holds_what_was_heard() -> None:
    async with RealtimeServer(Held(), Answers("Yes, fifty.")) as server, calling(server) as call:
        assert await cut(call, FIRST) == "It is forty"
        request = then(FIRST, Message("assistant", "It is —"), Message("user", "Is it fifty?"))
        assert words(await whole(call, request)) == "Yes, fifty."
    (socket,) = server.calls
    assert socket.cancelled == ["resp_1"]
    assert server.asked[1] == [("user", "Hello"), ("assistant", "It is —"), ("user", "Is it fifty?")]
    assert not server.complaints


async def test_words_generated_but_not_heard_are_taken_back() -> None:
    async with RealtimeServer(Answers("One. Two. Three.")) as server, calling(server) as call:
        await whole(call, FIRST)
        await whole(call, then(FIRST, Message("assistant", "One. —"), Message("user", "Wait")))
    (socket,) = server.calls
    assert types(socket.sent())[3:] == ["item.delete", *["item.create"] * 2, "response.create"]
    assert server.asked[1] == [("user", "Hello"), ("assistant", "One. —"), ("user", "Wait")]
    assert not server.complaints


async def test_late_words_of_a_cancelled_reply_are_never_given_to_the_next() -> None:
    async with RealtimeServer(Held(late=True), Answers("Yes.")) as server, calling(server) as call:
        await cut(call, FIRST)
        parts = await whole(call, FIRST)
    assert parts == [Text("Yes."), COUNTED, STOP]
    assert not server.complaints


async def test_a_reply_abandoned_before_it_exists_is_cancelled_when_it_does() -> None:
    async with RealtimeServer(HeldBack(), Answers("Yes.")) as server, calling(server) as call:
        asking = asyncio.create_task(whole(call, FIRST))
        await server.seen("response.create")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.go.set()
        parts = await whole(call, FIRST)
    assert words(parts) == "Yes."
    (socket,) = server.calls
    assert socket.cancelled == ["resp_1"]
    assert server.asked[1] == [("user", "Hello")]
    assert not server.complaints


async def test_a_reply_that_ended_before_its_cancel_does_no_harm() -> None:
    async with RealtimeServer(Answers("One two three.")) as server, calling(server) as call:
        await cut(call, FIRST, after=1)
        assert words(await whole(call, FIRST)) == "Hello there."
    assert len(server.calls) == 1
    assert server.asked[1] == [("user", "Hello")]
    assert set(server.complaints) <= {"response_cancel_not_active"}


async def test_leaving_waits_for_nobody_and_a_socket_that_does_not_cancel_is_replaced() -> None:
    async with (
        RealtimeServer(Unmoved(), Answers("Yes.")) as server,
        calling(server, cancel_within=0.05) as call,
    ):
        assert await cut(call, FIRST, after=1) == "Well,"
        assert "response.cancel" not in server.calls[0].sent()
        assert words(await whole(call, FIRST)) == "Yes."
    assert len(server.calls) == 2
    assert server.asked[1] == [("user", "Hello")]


BOOK = Tool("book", "Books a visit.", {"type": "object", "properties": {"day": {"type": "integer"}}})


async def test_a_tool_call_its_result_and_what_remains_of_both() -> None:
    server = RealtimeServer(
        Answers("One moment.", calls=(("book", '{"day":5}', "call_7"), ("book", "", "call_8"))),
        Answers("Done."),
    )
    async with server, calling(server) as call:
        asked = replace(FIRST, tools=(BOOK,))
        calls = (ToolCall("call_7", "book", '{"day":5}'), ToolCall("call_8", "book", "{}"))
        assert await whole(call, asked) == [
            Text("One"),
            Text(" moment."),
            *calls,
            COUNTED,
            Finish(FinishReason.TOOL_CALLS),
        ]
        results = (ToolResult("call_7", "booked"), ToolResult("call_8", "failed"))
        asked = then(asked, Message("assistant", "One moment.", calls), *results)
        assert words(await whole(call, asked)) == "Done."
        heard = Message("assistant", "One moment. Done.")
        assert words(await whole(call, then(FIRST, heard, Message("user", "Thanks")))) == "Hello there."
    (socket,) = server.calls
    assert socket.received[0]["session"]["tools"] == [
        {
            "type": "function",
            "name": "book",
            "description": "Books a visit.",
            "parameters": {"type": "object", "properties": {"day": {"type": "integer"}}},
        }
    ]
    assert types(socket.sent())[3:6] == ["item.create", "item.create", "response.create"]
    assert server.asked[1] == [
        ("user", "Hello"),
        ("assistant", "One moment."),
        ("call", "call_7", "book", '{"day":5}'),
        ("call", "call_8", "book", ""),
        ("result", "call_7", "booked"),
        ("result", "call_8", "failed"),
    ]
    assert server.asked[2] == [("user", "Hello"), ("assistant", "One moment. Done."), ("user", "Thanks")]
    assert socket.session["tools"] == []
    assert not server.complaints


async def test_facts_that_change_ahead_of_the_talk_change_in_their_place() -> None:
    async with RealtimeServer() as server, calling(server) as call:
        await whole(call, FIRST)
        more = (Message("assistant", "Hello there."), Message("user", "Prices?"))
        await whole(call, replace(FIRST, messages=(Message("user", "Facts.\n\nHello"), *more)))
    (socket,) = server.calls
    assert types(socket.sent())[3:] == ["item.delete", "item.create", "item.create", "response.create"]
    assert server.asked[1] == [
        ("user", "Facts.\n\nHello"),
        ("assistant", "Hello there."),
        ("user", "Prices?"),
    ]
    assert not server.complaints


async def test_instructions_are_sent_again_only_when_they_change_and_never_left_to_the_server() -> None:
    async with RealtimeServer() as server, calling(server, max_tokens=100_000) as call:
        for instructions in ("Be kind.", "Be kind.", ""):
            await whole(call, replace(FIRST, instructions=instructions))
    (socket,) = server.calls
    sent = [event["session"] for event in socket.received if event["type"] == "session.update"]
    assert [session["instructions"] for session in sent] == ["Be kind.", ""]
    assert sent[0]["max_output_tokens"] == 4096
    assert not server.complaints


async def test_no_word_is_given_out_before_the_server_has_our_instructions() -> None:
    async with RealtimeServer(UpdatesLate("Hello there.")) as server, calling(server) as call:
        assert await whole(call, FIRST) == [Text("Hello"), Text(" there."), COUNTED, STOP]
        server.script.append(UpdatesLate(never=True))
        async with call.stream(replace(FIRST, instructions="Be kind.")) as parts:
            with pytest.raises(ModelError) as raised:
                await anext(parts)  # not a single one
    assert raised.value.failure is F.BROKEN_STREAM


async def test_a_reply_cut_at_the_limit_says_so() -> None:
    cut_short = Answers("And so", status="incomplete", reason="max_output_tokens")
    async with RealtimeServer(cut_short) as server, calling(server) as call:
        parts = await whole(call, FIRST)
    assert parts == [Text("And"), Text(" so"), COUNTED, Finish(FinishReason.LENGTH)]


async def test_events_that_nobody_told_us_of_are_passed_over() -> None:
    frames = ('{"type":"response.daydream","delta":{"a":1}}', '{"no":"type"}', b'{"type":"session.created"}')
    async with RealtimeServer(Frames(frames, "Yes.")) as server, calling(server) as call:
        assert await whole(call, FIRST) == [Text("Yes."), COUNTED, STOP]


async def test_neither_key_nor_speech_is_written_to_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with RealtimeServer(Answers("Your code is 4711.")) as server, calling(server) as call:
        await whole(call, then(FIRST, Message("assistant", "Hi."), Message("user", "I am Ada")))
    written = [record for record in caplog.records if record.name != "websockets.server"]
    text = "\n".join(record.getMessage() for record in written)
    assert not any(secret in text for secret in ("sk-test", "4711", "Ada", "Acme"))
