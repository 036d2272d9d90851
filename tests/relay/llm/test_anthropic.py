"""Anthropic's events, in the order the vendor sends them and with what it adds later."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from relay.llm import anthropic
from relay.llm.port import Finish, FinishReason, ReplyPart, Request, Text, ToolCall, Usage
from tests.model_server import Answer, CallsTool, Dribble, ModelServer
from tests.relay.llm.providers import ASKED, anthropic_at, whole, words


def event(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, **fields}


def said(text: str) -> dict[str, Any]:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def ended(reason: str, **usage: int) -> dict[str, Any]:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage or None)


def read(*events: dict[str, Any]) -> list[ReplyPart]:
    reply = anthropic.Events("anthropic/m")
    parts: list[ReplyPart] = []
    for each in events:
        parts += reply.feed(json.dumps(each).encode())
    return [*parts, *reply.finish()]


STOP = Finish(FinishReason.STOP)
LENGTH = Finish(FinishReason.LENGTH)
DONE = event("message_stop")

REPLIES: dict[str, tuple[list[dict[str, Any]], list[ReplyPart]]] = {
    "no stop reason": ([said("Hi")], [Text("Hi")]),
    "no message_stop": ([said("Hi"), ended("end_turn")], [Text("Hi"), STOP]),
    "no stop reason before message_stop": ([said("Hi"), DONE], [Text("Hi"), STOP]),
    "after the end": ([said("Hi"), ended("end_turn"), DONE, said("ho")], [Text("Hi"), STOP]),
    "a stop sequence": ([said("Hi"), ended("stop_sequence"), DONE], [Text("Hi"), STOP]),
    "a stop reason of the future": ([said("Hi"), ended("bored"), DONE], [Text("Hi"), STOP]),
    "cut at the limit": ([said("Hi"), ended("max_tokens"), DONE], [Text("Hi"), LENGTH]),
    "no room left": ([said("Hi"), ended("model_context_window_exceeded"), DONE], [Text("Hi"), LENGTH]),
    "a refusal": ([ended("refusal"), DONE], [Finish(FinishReason.REFUSAL)]),
    "text at a block's start": (
        [event("content_block_start", index=0, content_block={"type": "text", "text": "Hi"}), DONE],
        [Text("Hi"), STOP],
    ),
    "what we do not know": (
        [
            event("ping"),
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "Hm"}),
            event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm"}),
            event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "{}"}),
            event("content_block_stop", index=0),
            event("an_event_of_the_future", delta={"type": "x"}),
            said(""),
            said("Hi"),
            ended("end_turn"),
            DONE,
        ],
        [Text("Hi"), STOP],
    ),
    "counts are cumulative": (
        [
            event("message_start", message={"usage": {"input_tokens": 4, "cache_read_input_tokens": 5}}),
            ended("end_turn", output_tokens=3),
            ended("end_turn", output_tokens=7),
            DONE,
        ],
        [Usage(9, 7, 5), STOP],
    ),
}


@pytest.mark.parametrize(("events", "parts"), REPLIES.values(), ids=REPLIES.keys())
def test_what_events_mean(events: list[dict[str, Any]], parts: list[ReplyPart]) -> None:
    assert read(*events) == parts


async def test_a_whole_reply(http: aiohttp.ClientSession) -> None:
    async with ModelServer(Answer("It is forty-nine dollars.")) as server:
        parts = await whole(anthropic_at(http, server.base_url))
        (asked,) = server.requests
    assert words(parts) == "It is forty-nine dollars."
    assert parts[-2:] == [Usage(12, 7, cached_tokens=5), STOP]
    assert asked.path == "/v1/messages"
    assert asked.headers["x-api-key"] == "sk-test"
    assert asked.headers["anthropic-version"] == "2023-06-01"
    instructions = {
        "type": "text",
        "text": "You answer for Acme Home.",
        "cache_control": {"type": "ephemeral"},
    }
    assert asked.body == {
        "model": "m",
        "max_tokens": 400,
        "stream": True,
        "system": [instructions],
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "What does it cost?"},
        ],
    }


async def test_a_tool_call(http: aiohttp.ClientSession) -> None:
    async with ModelServer(CallsTool("book", ('{"day"', ":5}")), CallsTool("price", ())) as server:
        model = anthropic_at(http, server.base_url)
        first, second = await whole(model), await whole(model)
    assert first[0] == ToolCall("call_1", "book", '{"day":5}')
    assert first[-1] == Finish(FinishReason.TOOL_CALLS)
    assert second[0] == ToolCall("call_1", "price", "{}")


async def test_a_reply_in_crumbs(http: aiohttp.ClientSession) -> None:
    async with ModelServer(Dribble("Zwölf Euro, 만 원.", size=2)) as server:
        parts = await whole(anthropic_at(http, server.base_url))
    assert words(parts) == "Zwölf Euro, 만 원."


async def test_nothing_is_sent_for_empty_instructions(http: aiohttp.ClientSession) -> None:
    async with ModelServer() as server:
        model = anthropic.connect(
            model="m", api_key="k", base_url=f"{server.base_url}/", temperature=0.5, http=http
        )
        await whole(model, Request("", ASKED.messages[:1]))
        (asked,) = server.requests
    assert "system" not in asked.body
    assert asked.body["temperature"] == 0.5
