"""A call to a Realtime server of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from relay.llm import openai_realtime
from relay.llm.openai_realtime import RealtimeCall
from relay.llm.port import LanguageModel, Message, ReplyPart, Request, ToolResult
from tests.realtime_server import RealtimeServer
from tests.relay.llm.providers import words

FIRST = Request("You answer for Acme Home.", (Message("user", "Hello"),))


@asynccontextmanager
async def calling(server: RealtimeServer, **options: Any) -> AsyncIterator[RealtimeCall]:
    call = openai_realtime.connect(
        model="m", api_key="sk-test", base_url=server.base_url, **options
    ).for_call()
    try:
        yield call
    finally:
        await call.aclose()


def then(request: Request, *messages: Message | ToolResult) -> Request:
    return replace(request, messages=(*request.messages, *messages))


async def cut(call: LanguageModel, request: Request, after: int = 3) -> str:
    """The first parts of a reply, that is then abandoned."""
    heard: list[ReplyPart] = []
    async with call.stream(request) as parts:
        async for part in parts:
            heard.append(part)
            if len(heard) == after:
                break
    return words(heard)
