"""A model that says back what it heard: for trying the line, the microphone and the speech recognition."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from relay.llm.port import Finish, FinishReason, LanguageModel, ReplyPart, Request, Text


def connect() -> LanguageModel:
    return _Echo()


class _Echo:
    @property
    def name(self) -> str:
        return "echo/echo"

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        async with aclosing(_said_back(request)) as parts:
            yield parts


async def _said_back(request: Request) -> AsyncGenerator[ReplyPart, None]:
    yield Text(f"You said: {request.asked}")
    yield Finish(FinishReason.STOP)
