"""The two hosted providers, connected to a server of our own, and what the tests ask of them."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

from relay.llm import anthropic, openai
from relay.llm.port import LanguageModel, Message, ReplyPart, Request, Text

ASKED = Request(
    instructions="You answer for Acme Home.",
    messages=(
        Message("user", "Hello"),
        Message("assistant", "Hi."),
        Message("user", "What does it cost?"),
    ),
)

Provider = Callable[[aiohttp.ClientSession, str], LanguageModel]


def openai_at(http: aiohttp.ClientSession, base_url: str) -> LanguageModel:
    return openai.connect(model="m", api_key="sk-test", base_url=f"{base_url}/v1", http=http)


def anthropic_at(http: aiohttp.ClientSession, base_url: str) -> LanguageModel:
    return anthropic.connect(model="m", api_key="sk-test", base_url=base_url, http=http)


PROVIDERS: dict[str, Provider] = {"openai": openai_at, "anthropic": anthropic_at}


async def whole(model: LanguageModel, request: Request = ASKED) -> list[ReplyPart]:
    async with model.stream(request) as parts:
        return [part async for part in parts]


def words(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))
