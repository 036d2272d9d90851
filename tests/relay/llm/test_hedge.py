"""Of several models one answers: never two, never one behind the other's words, and without delay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from evaluation.clock import run_virtual
from relay.llm.breaker import IN_A_ROW
from relay.llm.hedge import DELAY, FEWEST, SHARE, Backend, Budget, Hedged
from relay.llm.port import (
    Attempt,
    AttemptEvent,
    Finish,
    FinishReason,
    Message,
    ModelError,
    ModelFailure,
    ReplyPart,
    Request,
    Text,
)

REQUEST = Request("Be kind.", (Message("user", "Hello"),))


@dataclass
class Slow:
    """Says its words after `seconds`, or fails then."""

    name: str
    seconds: float = 0.0
    words: tuple[str, ...] = ("Hello ", "there.")
    fails: ModelError | None = None
    then: ModelError | None = None  # after the words
    asked: int = 0
    open: int = 0
    spoken: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        self.asked += 1
        self.open += 1
        try:
            yield self._parts()
        finally:
            self.open -= 1

    async def _parts(self) -> AsyncIterator[ReplyPart]:
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise self.fails
        for word in self.words:
            yield Text(word)
        if self.then:
            raise self.then
        yield Finish(FinishReason.STOP)


def error(name: str, failure: ModelFailure = ModelFailure.SERVER_ERROR) -> ModelError:
    return ModelError(name, failure, "HTTP 500")


def virtual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(test())

    run.__name__ = test.__name__
    return run


@dataclass
class Said:
    text: str
    events: list[tuple[str, AttemptEvent]]
    seconds: float


async def said(hedged: Hedged, request: Request = REQUEST) -> Said:
    loop = asyncio.get_running_loop()
    began, first = loop.time(), 0.0
    text, events = "", []
    async with hedged.stream(request) as parts:
        async for part in parts:
            match part:
                case Text(word):
                    first = first or loop.time() - began
                    text += word
                case Attempt(model, event):
                    events.append((model, event))
    return Said(text, events, first)


def hedged(models: Sequence[Slow], *, tokens: float = 1.0, alone: bool = False) -> Hedged:
    return Hedged([Backend(model) for model in models], Budget(tokens), hedge_alone=alone)


@virtual
async def test_the_first_answers_alone_when_it_is_in_time() -> None:
    first, second = Slow("a", 0.3), Slow("b")
    heard = await said(hedged([first, second]))
    assert heard.text == "Hello there."
    assert heard.events == [("a", AttemptEvent.ASKED), ("a", AttemptEvent.WON)]
    assert second.asked == 0


@virtual
async def test_a_late_first_word_is_hedged_and_the_loser_is_gone_before_a_word_is_said() -> None:
    first, second = Slow("a", 5.0), Slow("b", 0.2, words=("Second.",))
    heard = await said(hedged([first, second]))
    assert heard.text == "Second."
    assert heard.seconds == pytest.approx(DELAY + 0.2, abs=0.01)
    assert heard.events == [
        ("a", AttemptEvent.ASKED),
        ("b", AttemptEvent.HEDGED),
        ("a", AttemptEvent.LOST),
        ("b", AttemptEvent.WON),
    ]
    assert first.open == second.open == 0


@virtual
async def test_a_hedge_that_is_slower_is_cancelled() -> None:
    first, second = Slow("a", 1.0), Slow("b", 9.0, words=("Second.",))
    heard = await said(hedged([first, second]))
    assert heard.text == "Hello there."
    assert second.open == 0
    assert ("b", AttemptEvent.LOST) in heard.events


@virtual
async def test_a_failure_goes_to_the_next_at_once_and_costs_no_budget() -> None:
    first, second = Slow("a", 0.1, fails=error("a")), Slow("b", 0.1, words=("Second.",))
    model = hedged([first, second], tokens=0.0)
    heard = await said(model)
    assert heard.text == "Second."
    assert heard.seconds == pytest.approx(0.2, abs=0.01)
    assert heard.events[1:3] == [("a", AttemptEvent.FAILED), ("b", AttemptEvent.FELL_BACK)]
    assert model.budget.tokens == pytest.approx(SHARE)


@virtual
async def test_nothing_is_asked_once_words_have_begun() -> None:
    first, second = Slow("a", then=error("a")), Slow("b")
    with pytest.raises(ModelError) as failed:
        await said(hedged([first, second]))
    assert failed.value.model == "a"
    assert second.asked == 0


@virtual
async def test_when_all_fail_the_last_failure_is_told() -> None:
    first, second = Slow("a", fails=error("a")), Slow("b", fails=error("b", ModelFailure.BUSY))
    with pytest.raises(ModelError) as failed:
        await said(hedged([first, second]))
    assert (failed.value.model, failed.value.failure) == ("b", ModelFailure.BUSY)


@virtual
async def test_models_that_failed_in_this_turn_are_avoided() -> None:
    first, second = Slow("a"), Slow("b", words=("Second.",))
    model = hedged([first, second])
    avoiding = Request("", REQUEST.messages, avoid=frozenset({"a"}))
    assert (await said(model, avoiding)).text == "Second."
    with pytest.raises(ModelError):
        await said(model, Request("", REQUEST.messages, avoid=frozenset({"a", "b"})))


@virtual
async def test_a_broken_model_is_not_asked_until_it_is_tried_again() -> None:
    first, second = Slow("a", fails=error("a")), Slow("b", words=("Second.",))
    model = hedged([first, second])
    for _ in range(IN_A_ROW + 2):
        await said(model)
    assert first.asked == IN_A_ROW
    assert ("a", AttemptEvent.SKIPPED) in (await said(model)).events
    first.fails = None
    await asyncio.sleep(60)
    assert (await said(model)).text == "Hello there."


@virtual
async def test_with_every_breaker_open_one_is_asked_all_the_same() -> None:
    only = Slow("a", fails=error("a"))
    model = hedged([only])
    for _ in range(IN_A_ROW + 1):
        with pytest.raises(ModelError):
            await said(model)
    assert only.asked == IN_A_ROW + 1


@virtual
async def test_extra_requests_stay_within_a_tenth_of_all() -> None:
    first, second = Slow("a", 2.0), Slow("b", 5.0)
    model = hedged([first, second])
    for _ in range(200):
        await said(model)
    assert second.asked <= 200 * SHARE + 2


@virtual
async def test_the_delay_is_learnt_from_what_was_seen() -> None:
    first, second = Slow("a", 0.2), Slow("b", 0.1, words=("Second.",))
    model = hedged([first, second])
    for _ in range(FEWEST):
        await said(model)
    first.seconds = 9.0
    assert (await said(model)).seconds == pytest.approx(0.3, abs=0.02)


@virtual
async def test_one_model_is_hedged_with_itself_only_when_its_file_says_so() -> None:
    @dataclass
    class Twice(Slow):
        async def _parts(self) -> AsyncIterator[ReplyPart]:
            await asyncio.sleep(9.0 if self.asked == 1 else 0.1)
            yield Text("Hello.")
            yield Finish(FinishReason.STOP)

    assert (await said(hedged([Twice("a")], alone=True))).seconds == pytest.approx(DELAY + 0.1, abs=0.01)
    assert (await said(hedged([Twice("a")]))).seconds == pytest.approx(9.0, abs=0.01)


@virtual
async def test_a_caller_who_goes_on_cancels_all_of_them() -> None:
    first, second = Slow("a", 50.0), Slow("b", 50.0)
    asking = asyncio.create_task(said(hedged([first, second])))
    await asyncio.sleep(2.0)
    assert first.open == second.open == 1
    asking.cancel()
    await asyncio.wait([asking])
    assert first.open == second.open == 0


@virtual
async def test_a_reply_that_is_left_early_closes_its_stream() -> None:
    first = Slow("a")
    model = hedged([first])
    async with model.stream(REQUEST) as parts:
        async for part in parts:
            if isinstance(part, Text):
                break
    assert first.open == 0
