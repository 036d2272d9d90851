"""OpenAI's chunks, and those of the many servers that speak almost the same."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from relay.llm import openai
from relay.llm.port import Finish, FinishReason, ReplyPart, Request, Text, ToolCall, Usage
from tests.model_server import Answer, CallsTool, Dribble, ModelServer
from tests.relay.llm.providers import ASKED, openai_at, whole, words


def choice(delta: dict[str, Any] | None, finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def tool(delta: dict[str, Any]) -> dict[str, Any]:
    return choice({"tool_calls": [delta]})


def read(*chunks: dict[str, Any] | str) -> list[ReplyPart]:
    reply = openai.Chunks("openai/m")
    parts: list[ReplyPart] = []
    for chunk in chunks:
        parts += reply.feed((chunk if isinstance(chunk, str) else json.dumps(chunk)).encode())
    return [*parts, *reply.finish()]


STOP = Finish(FinishReason.STOP)
CALLED = Finish(FinishReason.TOOL_CALLS)

REPLIES: dict[str, tuple[list[dict[str, Any] | str], list[ReplyPart]]] = {
    "a finish without [DONE]": ([choice({"content": "Hi"}), choice({}, "stop")], [Text("Hi"), STOP]),
    "[DONE] without a finish": ([choice({"content": "Hi"}), "[DONE]"], [Text("Hi"), STOP]),
    "neither": ([choice({"content": "Hi"})], [Text("Hi")]),
    "after the end": ([choice({}, "stop"), "[DONE]", choice({"content": "Hi"}), "noise"], [STOP]),
    "null and empty fields": (
        [
            choice({"role": "assistant", "content": None}),
            choice({"content": ""}),
            choice(None),
            {"choices": []},
            {"choices": None},
            {},
            choice({"content": "Hi", "tool_calls": None}, "stop"),
        ],
        [Text("Hi"), STOP],
    ),
    "fields we do not know": (
        [choice({"reasoning_content": "Hm", "reasoning": {"a": 1}}), choice({"content": "Hi"}, "eos")],
        [Text("Hi"), STOP],
    ),
    "usage on the last chunk": (
        [{**choice({"content": "Hi"}, "stop"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}}],
        [Text("Hi"), Usage(3, 1), STOP],
    ),
    "usage with nulls": (
        [
            choice({}, "stop"),
            {"usage": {"prompt_tokens": 3, "completion_tokens": None, "prompt_tokens_details": None}},
        ],
        [Usage(3, 0), STOP],
    ),
    "cut at the limit": (
        [choice({"content": "Hi"}, "length")],
        [Text("Hi"), Finish(FinishReason.LENGTH)],
    ),
    "filtered": (
        [choice({"content": "Hi"}), choice({}, "content_filter")],
        [Text("Hi"), Finish(FinishReason.REFUSAL)],
    ),
    "a refusal in its own field": (
        [choice({"refusal": "I can't"}), choice({}, "stop")],
        [Finish(FinishReason.REFUSAL)],
    ),
    "two calls by index, interleaved": (
        [
            tool({"index": 0, "id": "a", "function": {"name": "book", "arguments": '{"d'}}),
            tool({"index": 1, "id": "b", "function": {"name": "price", "arguments": ""}}),
            tool({"index": 0, "function": {"arguments": 'ay":5}'}}),
            tool({"index": 1, "function": {"arguments": "{}"}}),
            choice({}, "tool_calls"),
        ],
        [ToolCall("a", "book", '{"day":5}'), ToolCall("b", "price", "{}"), CALLED],
    ),
    "two calls, both numbered 0": (
        [
            tool({"index": 0, "id": "a", "function": {"name": "book", "arguments": "{}"}}),
            tool({"index": 0, "id": "b", "function": {"name": "price", "arguments": "[]"}}),
            choice({}, "stop"),
        ],
        [ToolCall("a", "book", "{}"), ToolCall("b", "price", "[]"), CALLED],
    ),
    "a call without index, id or arguments": (
        [tool({"function": {"name": "book", "arguments": None}}), choice({}, "tool_calls")],
        [ToolCall("call_0", "book", "{}"), CALLED],
    ),
}


@pytest.mark.parametrize(("chunks", "parts"), REPLIES.values(), ids=REPLIES.keys())
def test_what_chunks_mean(chunks: list[dict[str, Any] | str], parts: list[ReplyPart]) -> None:
    assert read(*chunks) == parts


async def test_a_whole_reply(http: aiohttp.ClientSession) -> None:
    async with ModelServer(Answer("It is forty-nine dollars.")) as server:
        parts = await whole(openai_at(http, server.base_url))
        (asked,) = server.requests
    assert words(parts) == "It is forty-nine dollars."
    assert parts[-2:] == [Usage(12, 7, cached_tokens=5), STOP]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == "Bearer sk-test"
    assert asked.body == {
        "model": "m",
        "max_tokens": 400,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "You answer for Acme Home."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "What does it cost?"},
        ],
    }


async def test_a_tool_call(http: aiohttp.ClientSession) -> None:
    async with ModelServer(CallsTool("book", ('{"day"', ":5}"))) as server:
        parts = await whole(openai_at(http, server.base_url))
    assert parts == [ToolCall("call_1", "book", '{"day":5}'), Usage(12, 7, 5), CALLED]


async def test_a_reply_in_crumbs(http: aiohttp.ClientSession) -> None:
    async with ModelServer(Dribble("Zwölf Euro, 만 원.", size=2)) as server:
        parts = await whole(openai_at(http, server.base_url))
    assert words(parts) == "Zwölf Euro, 만 원."


async def test_a_local_server_needs_no_key_and_no_instructions(http: aiohttp.ClientSession) -> None:
    async with ModelServer(Answer(marked_end=False)) as server:
        model = openai.connect(model="m", base_url=f"{server.base_url}/", temperature=0.0, http=http)
        parts = await whole(model, Request("", ASKED.messages[:1]))
        (asked,) = server.requests
    assert words(parts) == "Hello there."
    assert "Authorization" not in asked.headers
    assert asked.body["messages"] == [{"role": "user", "content": "Hello"}]
    assert asked.body["temperature"] == 0.0


@pytest.mark.parametrize(
    ("base_url", "field"),
    [
        (openai.BASE_URL, "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://acme.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8000/v1", "max_tokens"),
        ("https://notopenai.com/v1", "max_tokens"),
    ],
)
def test_the_limit_goes_by_the_name_that_the_server_knows(base_url: str, field: str) -> None:
    assert openai.limit_field(base_url) == field
