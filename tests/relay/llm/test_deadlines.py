"""A reply is in time, or it says which of its deadlines it missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from relay.llm.deadlines import Deadlines, InTime
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
from tests.relay.llm.providers import ASKED, whole

PATIENT = Deadlines(first_token=20, stall=20, total=40)
STOP = Finish(FinishReason.STOP)
FOREVER = None


@dataclass
class Fake:
    """Gives its parts at once; `FOREVER` is a wait without end, `opens` false one before the first part."""

    parts: list[ReplyPart | None]
    opens: bool = True
    closed: bool = False
    name: str = field(default="fake/m")

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        try:
            if not self.opens:
                await asyncio.Event().wait()
            async with aclosing(self._given()) as parts:
                yield parts
        finally:
            self.closed = True

    async def _given(self) -> AsyncGenerator[ReplyPart, None]:
        for part in self.parts:
            if part is FOREVER:
                await asyncio.Event().wait()
            else:
                yield part


def soon(
    first_token: float = PATIENT.first_token, stall: float = PATIENT.stall, total: float = PATIENT.total
) -> Deadlines:
    return Deadlines(first_token, stall, total)


MISSED: dict[str, tuple[Fake, Deadlines, ModelFailure]] = {
    "opening": (Fake([STOP], opens=False), soon(first_token=0.01), ModelFailure.NO_FIRST_TOKEN),
    "opening, in all": (Fake([STOP], opens=False), soon(total=0.01), ModelFailure.TOO_LONG),
    "first word": (Fake([FOREVER]), soon(first_token=0.01), ModelFailure.NO_FIRST_TOKEN),
    "first word after a blank": (
        Fake([Text("\n"), FOREVER]),
        soon(first_token=0.01),
        ModelFailure.NO_FIRST_TOKEN,
    ),
    "next word": (Fake([Text("Hi"), FOREVER]), soon(stall=0.01), ModelFailure.STALLED),
    "after a tool call": (
        Fake([ToolCall("a", "b", "{}"), FOREVER]),
        soon(stall=0.01),
        ModelFailure.STALLED,
    ),
    "end": (Fake([Text("Hi"), FOREVER]), soon(total=0.01), ModelFailure.TOO_LONG),
}


@pytest.mark.parametrize(("fake", "limits", "failure"), MISSED.values(), ids=MISSED.keys())
async def test_each_deadline_has_its_name(fake: Fake, limits: Deadlines, failure: ModelFailure) -> None:
    with pytest.raises(ModelError) as raised:
        await whole(InTime(fake, limits))
    assert (raised.value.failure, raised.value.detail) == (failure, "0.01 s")
    assert fake.closed


async def test_parts_that_are_always_ready_end_too() -> None:
    endless = Fake([Text("and ")] * 1_000_000)
    with pytest.raises(ModelError) as raised:
        await whole(InTime(endless, soon(total=0.01)))
    assert raised.value.failure is ModelFailure.TOO_LONG


async def test_a_slow_listener_is_no_stall() -> None:
    async with InTime(Fake([Text("Hi"), Text(" there"), STOP]), soon(stall=0.01)).stream(ASKED) as parts:
        heard = []
        async for part in parts:
            await asyncio.sleep(0.03)
            heard.append(part)
    assert heard == [Text("Hi"), Text(" there"), STOP]


async def test_a_deadline_never_cancels_the_listener() -> None:
    async with InTime(Fake([Text("Hi"), STOP]), soon(first_token=0.01, stall=0.01)).stream(ASKED) as parts:
        await anext(parts)
        await asyncio.sleep(0.03)
        assert await anext(parts) == STOP


WORDLESS: dict[str, tuple[list[ReplyPart | None], ModelFailure]] = {
    "stop": ([Usage(3, 0), STOP], ModelFailure.EMPTY),
    "blanks": ([Text(" \n"), STOP], ModelFailure.EMPTY),
    "length": ([Finish(FinishReason.LENGTH)], ModelFailure.EMPTY),
    "refusal": ([Finish(FinishReason.REFUSAL)], ModelFailure.REFUSAL),
    "no finish": ([Text("Hi")], ModelFailure.BROKEN_STREAM),
}


@pytest.mark.parametrize(("parts", "failure"), WORDLESS.values(), ids=WORDLESS.keys())
async def test_a_reply_that_says_nothing_is_a_failure(
    parts: list[ReplyPart | None], failure: ModelFailure
) -> None:
    with pytest.raises(ModelError) as raised:
        await whole(InTime(Fake(parts), PATIENT))
    assert raised.value.failure is failure


@pytest.mark.parametrize(
    "parts",
    [
        [Text("Hi"), Usage(1, 1), STOP],
        [ToolCall("a", "book", "{}"), Finish(FinishReason.TOOL_CALLS)],
        [Text("I'd rather"), Finish(FinishReason.REFUSAL)],
        [Text(" "), Text("Hi"), Finish(FinishReason.LENGTH)],
    ],
    ids=["words", "a tool call", "a refusal midway", "cut at the limit"],
)
async def test_what_is_in_time_passes_unchanged(parts: list[ReplyPart | None]) -> None:
    assert await whole(InTime(Fake(parts), PATIENT)) == parts


async def test_nothing_is_read_after_the_finish() -> None:
    assert await whole(InTime(Fake([Text("Hi"), STOP, FOREVER]), PATIENT)) == [Text("Hi"), STOP]


async def test_it_has_the_name_of_its_model() -> None:
    model: LanguageModel = InTime(Fake([]), PATIENT)
    assert model.name == "fake/m"
