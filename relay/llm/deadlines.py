"""A model that answers in time or says that it did not: the deadlines of one reply, around any model.

A reply without a word is a failure as well, so that whoever asked needs one `except` for all that calls for
other words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

from relay.llm.port import (
    Finish,
    FinishReason,
    LanguageModel,
    ModelError,
    ModelFailure,
    ReplyPart,
    Request,
    Text,
    ToolCall,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds, on the running loop's clock.

    `first_token`: from asking to the first word or tool call, connecting included. `stall`: between two parts
    after that. `total`: from asking to the end. The time a consumer takes between two parts counts only for
    `total`.
    """

    first_token: float = 4.0
    stall: float = 2.5
    total: float = 30.0


@dataclass(frozen=True, slots=True)
class InTime:
    """`model` within `limits`; a `LanguageModel` itself."""

    model: LanguageModel
    limits: Deadlines

    @property
    def name(self) -> str:
        return self.model.name

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        """As the port says; also NO_FIRST_TOKEN, STALLED, TOO_LONG, and EMPTY or REFUSAL for a reply that
        finishes without a word."""
        watch = _Watch(self.name, self.limits)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(watch.due()):
                    parts = await stack.enter_async_context(self.model.stream(request))
            except TimeoutError as error:
                raise watch.missed() from error
            yield await stack.enter_async_context(aclosing(_watched(parts, watch)))


class _Watch:
    """Which deadline is next in one reply, and what it means to miss it."""

    def __init__(self, model: str, limits: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.model = model
        self._limits = limits
        self._next = ModelFailure.NO_FIRST_TOKEN
        self.spoke = False

    def due(self) -> float:
        """When the next part must be here, on the loop's clock. Asked before each wait, so that the time the
        consumer takes is no stall."""
        now = self._loop.time()
        end = self._began + self._limits.total
        if self.spoke:
            due, self._next = now + self._limits.stall, ModelFailure.STALLED
        else:
            due, self._next = self._began + self._limits.first_token, ModelFailure.NO_FIRST_TOKEN
        if end < due:
            due, self._next = end, ModelFailure.TOO_LONG
        if now >= end:  # parts that are always ready would never let the timeout act
            raise self.missed()
        return due

    def missed(self) -> ModelError:
        limits = {
            ModelFailure.NO_FIRST_TOKEN: self._limits.first_token,
            ModelFailure.STALLED: self._limits.stall,
            ModelFailure.TOO_LONG: self._limits.total,
        }
        return ModelError(self.model, self._next, f"{limits[self._next]:g} s")

    def look(self, part: ReplyPart) -> None:
        """Is this the first word, or the end without one?"""
        match part:
            case Text(text):
                self.spoke = not text.isspace()
            case ToolCall():
                self.spoke = True
            case Finish(reason):
                refused = reason is FinishReason.REFUSAL
                raise ModelError(self.model, ModelFailure.REFUSAL if refused else ModelFailure.EMPTY, reason)
            case Usage():
                pass


async def _watched(parts: AsyncIterator[ReplyPart], watch: _Watch) -> AsyncGenerator[ReplyPart, None]:
    part: ReplyPart | None = None
    while not isinstance(part, Finish):
        # The timeout is never held over a yield: it would cancel whatever the consumer's task does meanwhile.
        try:
            async with asyncio.timeout_at(watch.due()):
                part = await anext(parts)
        except TimeoutError as error:
            raise watch.missed() from error
        except StopAsyncIteration:
            raise ModelError(watch.model, ModelFailure.BROKEN_STREAM, "no finish") from None
        if not watch.spoke:
            watch.look(part)
        yield part
