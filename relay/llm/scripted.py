"""A model that answers by a file of cues: for the demo, for tests, and for a line that needs no key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from relay.llm import cues
from relay.llm.port import Finish, FinishReason, LanguageModel, ReplyPart, Request, Text

DELAY = 0.03
"""Seconds before each word: about the pace of a fast hosted model."""


def connect(*, script: Path, delay: float = DELAY) -> LanguageModel:
    """Reads the file of cues, once. Raises `cues.BadScript`, or `OSError` when it cannot be read."""
    return Scripted(f"scripted/{script.stem}", cues.read(script.read_text("utf-8"), str(script)), delay)


@dataclass(frozen=True, slots=True)
class Scripted:
    """Says its answer word by word, waiting `delay` seconds before each with the loop's clock."""

    name: str
    script: cues.Script
    delay: float = DELAY

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        async with aclosing(self._parts(request)) as parts:
            yield parts

    async def _parts(self, request: Request) -> AsyncGenerator[ReplyPart, None]:
        answer = self.script.answer(request.asked, request.language)
        for word in re.findall(r"\S+\s*", answer):
            await asyncio.sleep(self.delay)
            yield Text(word)
        yield Finish(FinishReason.STOP)
