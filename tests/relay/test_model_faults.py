"""The fault matrix of the models, on the wire: whatever one does, the caller is kept company, and hears each
thing once and from one model.

Every fault, for every provider, with one model alone and with a healthy second one; and two questions, so
that the second finds a model that has failed already.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.events import Kind
from evaluation.clock import run_virtual
from policies.lines import ENGLISH
from policies.vocabulary import EscalationReason
from relay.llm.port import ModelFailure
from tests import realtime_answers as realtime
from tests.flows.faults import (
    HEALTHY,
    LATE,
    QUESTIONS,
    converse,
    entry,
    failures,
    goes_to_a_person,
    hears_it_well,
    relaying,
)
from tests.flows.wire import FIRST_SOUND, MOST_SILENCE, Wire
from tests.model_server import (
    GARBAGE,
    HTML,
    Answer,
    Behaviour,
    CallsTool,
    Completions,
    DiesAfter,
    Drops,
    Empty,
    FailsMidway,
    Messages,
    ModelServer,
    Never,
    Raw,
    StallsAfter,
    Status,
    refusing_url,
)
from tests.realtime_server import RealtimeServer

PROVIDERS = ("openai", "anthropic")
SECOND = pytest.mark.parametrize("second", [False, True], ids=["alone", "with-a-healthy-second"])


# -- chat completions, messages --------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """`script` is done request by request, the last of it for ever.

    `failure` is the record's word for it, None where the model answers in the end. `begins`: the reply may
    have begun when it fails, and then no other model is asked.
    """

    name: str
    script: tuple[Behaviour, ...]
    failure: ModelFailure | None = None
    begins: bool = False
    may_be_given_up: bool = False


def says_and_calls(provider: str, said: str, arguments: str = '{"name": "window"}') -> Raw:
    """A reply of words and a tool call behind them."""
    words = Messages() if provider == "anthropic" else Completions()
    call = words.call("call_1", "lookup_fact", (arguments,))
    return Raw(words.opening() + words.words(said) + call + words.closing(words.TOOL))


ASKS = CallsTool("lookup_fact", ('{"name": "window"}',))
ASKS_BADLY = CallsTool("lookup_fact", ('{"name": "win',))
FAULTS = [
    Fault("slow first token", (Answer(LATE, first_delay=3.0),)),
    Fault("no first token", (Never(),), ModelFailure.NO_FIRST_TOKEN),
    Fault("stall after three words", (StallsAfter(3),), ModelFailure.STALLED, begins=True),
    Fault("dribble", (Answer(LATE, delay=0.9),), may_be_given_up=True),
    Fault("429 with Retry-After", (Status(429, {"Retry-After": "3"}),), ModelFailure.BUSY),
    Fault("500", (Status(500),), ModelFailure.SERVER_ERROR),
    Fault("connection dropped", (Drops(),), ModelFailure.UNREACHABLE),
    Fault("connection reset", (Drops(reset=True),), ModelFailure.UNREACHABLE),
    Fault("cut stream", (DiesAfter(3),), ModelFailure.BROKEN_STREAM, begins=True),
    Fault("no finish", (DiesAfter(3, politely=True),), ModelFailure.BROKEN_STREAM, begins=True),
    Fault("error midway", (FailsMidway("overloaded_error"),), ModelFailure.BUSY, begins=True),
    Fault("garbage", (GARBAGE,), ModelFailure.BROKEN_STREAM),
    Fault("a web page", (HTML,), ModelFailure.BROKEN_STREAM),
    Fault("empty answer", (Empty(),), ModelFailure.EMPTY),
    Fault("one broken tool call", (ASKS_BADLY, Answer(LATE))),
    Fault("broken tool calls", (ASKS_BADLY,), ModelFailure.EMPTY),
    Fault("endless tool loop", (ASKS,), ModelFailure.EMPTY),
    Fault("a tool call, then 500", (ASKS, Status(500)), ModelFailure.SERVER_ERROR),
]


@pytest.mark.parametrize("provider", PROVIDERS)
@SECOND
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_whatever_a_model_does_the_caller_is_kept_company(
    fault: Fault, second: bool, provider: str, tmp_path: Path
) -> None:
    async def call() -> None:
        *first, last = fault.script
        async with (
            ModelServer(*first, otherwise=last) as model,
            relaying(tmp_path, entry(provider, model.base_url), second=second) as server,
        ):
            wire = await converse(server)
        hears_it_well(wire)
        said = [text for turn in wire.turns() for text in turn.said]
        if fault.failure is None:
            given_up = fault.may_be_given_up and "given_up" in failures(server)
            assert LATE in said or HEALTHY in said or given_up
        else:
            assert fault.failure in failures(server) or "given_up" in failures(server)
            if second and not fault.begins:
                assert [turn.said[-1] for turn in wire.turns()] == [HEALTHY] * len(QUESTIONS)
            if not second:
                assert goes_to_a_person(server)

    run_virtual(call())


@pytest.mark.parametrize("provider", [*PROVIDERS, "openai_realtime"])
@SECOND
def test_a_provider_that_nobody_can_connect_to(second: bool, provider: str, tmp_path: Path) -> None:
    async def call() -> None:
        async with relaying(tmp_path, entry(provider, refusing_url()), second=second) as server:
            wire = await converse(server)
        hears_it_well(wire)
        assert ModelFailure.UNREACHABLE in failures(server)
        if second:
            assert [turn.said[-1] for turn in wire.turns()] == [HEALTHY] * len(QUESTIONS)
        else:
            assert goes_to_a_person(server)

    run_virtual(call())


@pytest.mark.parametrize("provider", PROVIDERS)
@SECOND
def test_words_before_each_of_endless_tool_calls_are_heard_once(
    second: bool, provider: str, tmp_path: Path
) -> None:
    async def call() -> None:
        loop = says_and_calls(provider, "I am looking that up.")
        async with (
            ModelServer(otherwise=loop) as model,
            relaying(tmp_path, entry(provider, model.base_url), second=second) as server,
        ):
            wire = await converse(server, QUESTIONS[:1])
        hears_it_well(wire)

    run_virtual(call())


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("then", [Status(500), Never(), Empty(), GARBAGE], ids=lambda each: str(each)[:12])
@SECOND
def test_words_a_tool_call_and_then_a_fault(
    then: Behaviour, second: bool, provider: str, tmp_path: Path
) -> None:
    async def call() -> None:
        begins = says_and_calls(provider, "I am looking that up.")
        async with (
            ModelServer(begins, otherwise=then) as model,
            relaying(tmp_path, entry(provider, model.base_url), second=second) as server,
        ):
            wire = await converse(server, QUESTIONS[:1])
        hears_it_well(wire)

    run_virtual(call())


async def asked_once(data: Path, answer: Behaviour, *, second: bool) -> Wire:
    """One question, answered so by the first model."""
    async with (
        ModelServer(otherwise=answer) as model,
        relaying(data, entry("openai", model.base_url), second=second) as server,
    ):
        wire = await converse(server, QUESTIONS[:1])
    hears_it_well(wire)
    return wire


@pytest.mark.parametrize("delay", [0.1, 0.5, 1.0, 1.5, 1.9, 2.4])
@SECOND
def test_a_dribble_of_any_pace_is_answered_or_given_up_in_time(
    delay: float, second: bool, tmp_path: Path
) -> None:
    run_virtual(asked_once(tmp_path, Answer(LATE, delay=delay), second=second))


@pytest.mark.parametrize("first_delay", [0.0, 0.69, 0.7, 0.71, 0.79, 0.8, 0.81, 1.5, 2.0, 3.9])
@SECOND
def test_an_answer_at_the_moment_of_a_filler_or_a_hedge_is_heard_once(
    first_delay: float, second: bool, tmp_path: Path
) -> None:
    async def call() -> None:
        wire = await asked_once(tmp_path, Answer(LATE, first_delay=first_delay), second=second)
        (turn,) = wire.turns()
        assert turn.said[-1] in (LATE, HEALTHY)

    run_virtual(call())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_two_models_that_fail_are_not_two_apologies(provider: str, tmp_path: Path) -> None:
    async def call() -> None:
        async with ModelServer(otherwise=Status(500)) as model, ModelServer(otherwise=Never()) as other:
            llm = entry(provider, model.base_url) + entry("openai", other.base_url, "second")
            async with relaying(tmp_path, llm, second=False) as server:
                wire = await converse(server)
        hears_it_well(wire)
        assert goes_to_a_person(server)
        assert len(wire.turns()) == 2
        (ruled,) = server.told.facts(Kind.ACTION)
        assert ruled["answer"] == EscalationReason.SYSTEM_FAILURE

    run_virtual(call())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_model_asked_twice_answers_once(provider: str, tmp_path: Path) -> None:
    async def call() -> None:
        slow, fast = Answer(LATE, first_delay=1.0), Answer("A yearly plan it is.", first_delay=0.6)
        async with ModelServer(slow, fast, otherwise=fast) as model:
            llm = entry(provider, model.base_url, more=", hedge_after: 300ms")
            async with relaying(tmp_path, llm, second=False) as server:
                wire = await converse(server, QUESTIONS[:1])
        hears_it_well(wire)
        (turn,) = wire.turns()
        assert turn.said[-1] == "A yearly plan it is."
        assert len(model.requests) == 2

    run_virtual(call())


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "fault",
    [Answer(LATE, first_delay=3.0), Never()],
    ids=lambda fault: str(fault)[:24],
)
def test_it_is_not_quiet_in_the_callers_ear_either(fault: Behaviour, provider: str, tmp_path: Path) -> None:
    """By the phone's own playback, which begins a first sound later than the wire."""

    async def call() -> None:
        async with (
            ModelServer(otherwise=fault) as model,
            relaying(tmp_path, entry(provider, model.base_url), second=False) as server,
        ):
            wire = await converse(server, QUESTIONS[:1])
        (turn,) = wire.turns()
        assert turn.longest_quiet() <= MOST_SILENCE + FIRST_SOUND, turn.said

    run_virtual(call())


# -- the Realtime API ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RealtimeFault:
    name: str
    script: tuple[realtime.Behaviour, ...]
    failure: ModelFailure | None = None
    begins: bool = False
    refuse: int = 0
    unwelcome: str = ""
    go_after: float | None = None  # seconds from the first request, for what is held back


def asks(name: str, arguments: str) -> tuple[realtime.Behaviour, ...]:
    """Tool calls and nothing else, for longer than any turn; each has an id of its own."""
    return tuple(realtime.Answers("", ((name, arguments, f"call_{number}"),)) for number in range(24))


REALTIME_FAULTS = [
    RealtimeFault("refused with 429", (), ModelFailure.BUSY, refuse=429),
    RealtimeFault("refused with 500", (), ModelFailure.SERVER_ERROR, refuse=500),
    RealtimeFault("unwelcome", (), ModelFailure.BUSY, unwelcome="rate_limit_exceeded"),
    RealtimeFault("slow first token", (realtime.Held("", LATE),), go_after=3.0),
    RealtimeFault("no first token", (realtime.Silent(),), ModelFailure.NO_FIRST_TOKEN),
    RealtimeFault(
        "stall after three words", (realtime.Held("word0 word1 word2"),), ModelFailure.STALLED, begins=True
    ),
    RealtimeFault("stall, and deaf", (realtime.Unmoved(),), ModelFailure.STALLED, begins=True),
    RealtimeFault("rate limited", (realtime.Fails("rate_limit_exceeded"),), ModelFailure.BUSY),
    RealtimeFault("server error", (realtime.Fails("server_error"),), ModelFailure.SERVER_ERROR),
    RealtimeFault(
        "server error midway",
        (realtime.Fails("server_error", midway=True),),
        ModelFailure.SERVER_ERROR,
        begins=True,
    ),
    RealtimeFault("error event", (realtime.Errs("server_error", "server_error"),), ModelFailure.SERVER_ERROR),
    RealtimeFault(
        "error event midway",
        (realtime.Errs("server_error", "server_error", midway=True),),
        ModelFailure.SERVER_ERROR,
        begins=True,
    ),
    RealtimeFault("socket dropped", (realtime.Drops(),), ModelFailure.UNREACHABLE),
    RealtimeFault("cut stream", (realtime.Drops(3),), ModelFailure.BROKEN_STREAM, begins=True),
    RealtimeFault("garbage", (realtime.Frames(("{]]",)),), ModelFailure.BROKEN_STREAM),
    RealtimeFault("empty answer", (realtime.Answers(""),), ModelFailure.EMPTY),
    RealtimeFault("broken tool calls", asks("lookup_fact", '{"name": "win'), ModelFailure.EMPTY),
    RealtimeFault("endless tool loop", asks("lookup_fact", '{"name": "window"}'), ModelFailure.EMPTY),
]


@SECOND
@pytest.mark.parametrize("fault", REALTIME_FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_whatever_a_realtime_model_does_the_caller_is_kept_company(
    fault: RealtimeFault, second: bool, tmp_path: Path
) -> None:
    async def call() -> None:
        *first, last = fault.script or (realtime.Answers(LATE),)
        async with (
            RealtimeServer(*first, otherwise=last, refuse=fault.refuse, unwelcome=fault.unwelcome) as model,
            relaying(tmp_path, entry("openai_realtime", model.base_url), second=second) as server,
        ):
            held = asyncio.create_task(let_go(model, fault.go_after))
            try:
                wire = await converse(server)
            finally:
                held.cancel()
        hears_it_well(wire)
        said = [text for turn in wire.turns() for text in turn.said]
        assert model.complaints == []
        if fault.failure is None:
            assert LATE in said or HEALTHY in said
        else:
            assert fault.failure in failures(server) or "given_up" in failures(server)
            if second and not fault.begins:
                assert [turn.said[-1] for turn in wire.turns()] == [HEALTHY] * len(QUESTIONS)
            if not second:
                assert goes_to_a_person(server)

    run_virtual(call())


async def let_go(model: RealtimeServer, after: float | None) -> None:
    if after is not None:
        await model.seen("response.create", within=60)
        await asyncio.sleep(after)
        model.go.set()


# -- what the caller is told -----------------------------------------------------------------------------


def test_the_apology_asks_for_the_words_again_and_the_next_answer_is_whole(tmp_path: Path) -> None:
    async def call() -> None:
        async with (
            ModelServer(DiesAfter(3, politely=True), otherwise=Answer(LATE)) as model,
            relaying(tmp_path, entry("openai", model.base_url), second=False) as server,
        ):
            wire = await converse(server, QUESTIONS[:2])
        begun, whole = wire.turns()
        assert begun.said == [f"word0 word1 word2 {ENGLISH.trouble}"]
        assert whole.said == [LATE]
        assert not goes_to_a_person(server)

    run_virtual(call())
