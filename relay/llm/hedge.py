"""Several models behind one: the next is asked when the first fails, and beside it when it is late.

Only before the first word: what was begun by one model is never continued by another. The delay is near the
slowest tenth of the first words seen of late; extra requests are held to a share of all ("The Tail at Scale",
Dean and Barroso 2013: hedged requests).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from relay.llm.breaker import Breaker
from relay.llm.deadlines import InTime
from relay.llm.per_call import CallModel, PerCall
from relay.llm.port import (
    Attempt,
    AttemptEvent,
    Finish,
    LanguageModel,
    ModelError,
    ModelFailure,
    ReplyPart,
    Request,
    Text,
    ToolCall,
    Usage,
)

WINDOW: Final = 128  # first words that the delay is learnt from
FEWEST: Final = 16
LATE: Final = 0.94  # of all first words come sooner than the delay
DELAY: Final = 0.8  # seconds, until enough was seen
SHORTEST: Final = 0.15
LONGEST: Final = 1.2
SHARE: Final = 0.1  # extra requests, of all
SAVED: Final = 5.0  # extra requests that may come together


@dataclass(slots=True)
class Backend:
    """One model with what is known of it, shared by all calls. `delay`: when to hedge, until it is learnt."""

    model: LanguageModel
    delay: float = DELAY
    breaker: Breaker = field(default_factory=Breaker)
    first_words: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))  # seconds

    def hedge_after(self) -> float:
        if len(self.first_words) < FEWEST:
            return self.delay
        ordered = sorted(self.first_words)
        return min(LONGEST, max(SHORTEST, ordered[int(LATE * len(ordered))]))


@dataclass(slots=True)
class Budget:
    """A token bucket: each request adds its share, an extra one costs a whole token."""

    tokens: float = 1.0

    def asked(self) -> None:
        self.tokens = min(SAVED, self.tokens + SHARE)

    def spend(self) -> bool:
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(slots=True)
class _Racer:
    """One request on its way: its parts wait until it is known whether it wins."""

    backend: Backend
    stream: AsyncGenerator[ReplyPart]
    asked_at: float
    task: asyncio.Task[list[ReplyPart]]


@dataclass(frozen=True, slots=True)
class Hedged:
    """A `LanguageModel`. `hedge_alone`: with one backend the same model is asked again."""

    backends: Sequence[Backend]
    budget: Budget = field(default_factory=Budget)
    hedge_alone: bool = False

    @property
    def name(self) -> str:
        return self.backends[0].model.name

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        async with aclosing(self._parts(request)) as parts:
            yield parts

    async def _parts(self, request: Request) -> AsyncGenerator[ReplyPart]:
        """Raises `ModelError`, named by the model whose failure was the last."""
        loop = asyncio.get_running_loop()
        waiting, skipped = self._candidates(request, loop.time())
        for backend in skipped:
            yield Attempt(backend.model.name, AttemptEvent.SKIPPED)
        self.budget.asked()
        racers: list[_Racer] = []
        failure = ModelError(self.name, ModelFailure.UNREACHABLE, "no model is left")
        why: AttemptEvent | None = AttemptEvent.ASKED
        try:
            while True:
                if why and waiting:
                    racers.append(_begin(waiting.pop(0), request, loop.time()))
                    yield Attempt(racers[-1].backend.model.name, why)
                elif not racers:
                    raise failure
                hedge_at = self._hedge_at(racers, waiting)
                limit = None if hedge_at is None else max(0.0, hedge_at - loop.time())
                tasks = [racer.task for racer in racers]
                done, _ = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                why = None
                if not done:
                    if self.budget.spend():
                        why = AttemptEvent.HEDGED
                        waiting = waiting or [racers[0].backend]
                    else:
                        waiting = [] if self._alone else waiting
                        tasks = [racer.task for racer in racers]
                        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for racer in [each for each in racers if each.task in done]:
                    error = racer.task.exception()
                    if error is None:
                        async for part in self._won(racer, racers, loop.time()):
                            yield part
                        return
                    racers.remove(racer)
                    if not isinstance(error, ModelError):
                        raise error
                    failure = error
                    racer.backend.breaker.failed(loop.time(), error.failure, error.retry_after)
                    yield Attempt(racer.backend.model.name, AttemptEvent.FAILED, error.failure, error.detail)
                    if not racers:
                        why = AttemptEvent.FELL_BACK
        finally:
            await _leave(racers)

    async def _won(self, winner: _Racer, racers: list[_Racer], now: float) -> AsyncGenerator[ReplyPart]:
        """Everything from the one that was first; the others are gone before its first word is passed on."""
        racers.remove(winner)
        losers = list(racers)
        racers.clear()
        racers.append(winner)  # it is left like the others when the reply is abandoned
        await _leave(losers)
        for loser in losers:
            yield Attempt(loser.backend.model.name, AttemptEvent.LOST)
        winner.backend.breaker.succeeded()
        winner.backend.first_words.append(now - winner.asked_at)
        yield Attempt(winner.backend.model.name, AttemptEvent.WON)
        for part in winner.task.result():
            yield part
        try:
            async for part in winner.stream:
                yield part
        except ModelError as error:
            winner.backend.breaker.failed(asyncio.get_running_loop().time(), error.failure, error.retry_after)
            raise

    def for_call(self) -> tuple[Hedged, tuple[CallModel, ...]]:
        """The same for one call. Models that keep a connection for it have to be opened and closed."""
        backends: list[Backend] = []
        opened: list[CallModel] = []
        for backend in self.backends:
            match backend.model:
                case InTime(model=PerCall() as shared, limits=limits):
                    opened.append(shared.for_call())
                    backends.append(replace(backend, model=InTime(opened[-1], limits)))
                case _:
                    backends.append(backend)
        return replace(self, backends=backends), tuple(opened)

    @property
    def _alone(self) -> bool:
        return len(self.backends) == 1

    def _candidates(self, request: Request, now: float) -> tuple[list[Backend], list[Backend]]:
        """Whom to ask, in order, and who is left out. If all breakers are open, the first that is due."""
        wanted = [each for each in self.backends if each.model.name not in request.avoid]
        allowed = [each for each in wanted if each.breaker.allows(now)]
        if not allowed and wanted:
            allowed = [min(wanted, key=lambda each: each.breaker.probe_at or 0.0)]
        return allowed, [each for each in wanted if each not in allowed]

    def _hedge_at(self, racers: Sequence[_Racer], waiting: Sequence[Backend]) -> float | None:
        """When the next one is asked as well. At most two are asked at a time."""
        if len(racers) != 1 or not (waiting or (self._alone and self.hedge_alone)):
            return None
        return racers[0].asked_at + racers[0].backend.hedge_after()


def _begin(backend: Backend, request: Request, now: float) -> _Racer:
    stream = _streamed(backend.model, request)
    return _Racer(backend, stream, now, asyncio.create_task(_until_words(stream)))


async def _streamed(model: LanguageModel, request: Request) -> AsyncGenerator[ReplyPart]:
    async with model.stream(request) as parts:
        async for part in parts:
            yield part


async def _until_words(stream: AsyncGenerator[ReplyPart]) -> list[ReplyPart]:
    """The parts up to the first that can be spoken or acted on."""
    parts: list[ReplyPart] = []
    async for part in stream:
        parts.append(part)
        match part:
            case Text(text) if text.strip():
                break
            case ToolCall() | Finish():
                break
            case Text() | Usage() | Attempt():
                continue
    return parts


async def _leave(racers: Sequence[_Racer]) -> None:
    """Cancelled, and gone: their connections are closed when this returns."""
    for racer in racers:
        racer.task.cancel()
    if racers:
        await asyncio.wait([racer.task for racer in racers])
    for racer in racers:
        if not racer.task.cancelled():
            racer.task.exception()  # it is nobody's any more
        racer.backend.breaker.abandoned()
        await racer.stream.aclose()
