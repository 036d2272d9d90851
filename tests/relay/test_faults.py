"""A model that fails, over the whole path: in no case is the caller left in silence."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from compliance.events import Kind
from evaluation.clock import run_virtual
from evaluation.phone import Call, FrameIn
from evaluation.seen import Frame
from policies.lines import lines
from relay.llm.port import ModelFailure
from tests.model_server import (
    GARBAGE,
    HTML,
    Answer,
    Behaviour,
    DiesAfter,
    Drops,
    Empty,
    ModelServer,
    Never,
    Refusal,
    StallsAfter,
    Status,
)
from tests.relay.running import public, running

TROUBLE, ONE_MOMENT = lines("en").trouble, lines("en").one_moment
AGENT = """
agent: {name: acme, organisation: Acme}
llm:
  - {provider: PROVIDER, model: m, base_url: "URL", first_token_timeout: 3s, stall_timeout: 2s}
"""
QUIET = 2.0  # seconds of silence after the caller's words that no fault may exceed

FAULTS: list[tuple[Behaviour, ModelFailure]] = [
    (Never(), ModelFailure.NO_FIRST_TOKEN),
    (Drops(), ModelFailure.UNREACHABLE),
    (DiesAfter(3), ModelFailure.BROKEN_STREAM),
    (StallsAfter(3), ModelFailure.STALLED),
    (Status(500), ModelFailure.SERVER_ERROR),
    (Status(429, {"Retry-After": "3"}), ModelFailure.BUSY),
    (GARBAGE, ModelFailure.BROKEN_STREAM),
    (HTML, ModelFailure.BROKEN_STREAM),
    (Empty(), ModelFailure.EMPTY),
    (Refusal(), ModelFailure.REFUSAL),
]


def agent(provider: str, server: ModelServer) -> str:
    base = server.base_url if provider == "anthropic" else f"{server.base_url}/v1"
    return AGENT.replace("PROVIDER", provider).replace("URL", base)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(("fault", "failure"), FAULTS, ids=lambda value: str(value)[:24])
def test_the_caller_hears_something_in_time(
    provider: str, fault: Behaviour, failure: ModelFailure, tmp_path: Path
) -> None:
    async def call() -> None:
        async with ModelServer(fault, fault, otherwise=fault) as model:
            settings = public(tmp_path, anthropic_api_key="k")
            async with running(settings, agent(provider, model)) as server, server.phone().call() as call:
                await call.quiet()
                await call.say("What does it cost?")
                await call.until_heard(TROUBLE)
                assert silences(call) <= QUIET
                assert open_cycles(call) == 0
                failed = server.told.facts(Kind.MODEL_FAILED)[0]
                assert failed["failure"] == failure
                assert "4111" not in repr(server.told.facts(Kind.MODEL_FAILED))

    run_virtual(call())


def test_two_prompts_80_ms_apart_give_one_clean_answer(tmp_path: Path) -> None:
    async def call() -> None:
        sure = Answer("Sure, I can help you with that.")
        async with calling(tmp_path, sure) as (call, model):
            await call.say("I want to cancel my contract.", finals=2, gap=0.08)
            await call.quiet()
            assert call.agent_text().count("Sure") == 1
            asked = model.requests[-1].body["messages"][-1]
            assert asked == {"role": "user", "content": "I want to cancel my contract."}

    run_virtual(call())


def test_partial_prompts_ask_no_model(tmp_path: Path) -> None:
    async def call() -> None:
        async with calling(tmp_path, Answer(), "voice: {partial_prompts: true}") as (call, model):
            await call.say("I would like to know what the yearly check costs, please.")
            await call.quiet()
            partials = [seen for seen in call.frames if is_partial(seen.frame)]
            assert len(partials) > 3
            assert len(model.requests) == 1

    run_virtual(call())


def test_a_barge_in_closes_the_models_connection(tmp_path: Path) -> None:
    async def call() -> None:
        long = Answer(" ".join(f"Sentence {n} of a very long story." for n in range(60)), delay=0.05)
        async with calling(tmp_path, long) as (call, model):
            await call.say("Tell me everything.")
            await call.until_heard("Sentence 1")
            await call.say("Stop.")
            await model.requests[0].left.wait()
            assert model.requests[0].tokens < 200
            await model.arrived(2)
            heard = model.requests[1].body["messages"][-2]["content"]
            assert re.fullmatch(r"Sentence 0 of.* —", heard)
            assert "Sentence 9" not in heard

    run_virtual(call())


@asynccontextmanager
async def calling(data: Path, answer: Answer, more: str = "") -> AsyncIterator[tuple[Call, ModelServer]]:
    """A call that has heard the disclosure and the greeting, before a model that always answers so."""
    async with ModelServer(otherwise=answer) as model:
        text = f"{agent('openai', model)}{more}\n"
        async with running(public(data), text) as server, server.phone().call() as call:
            await call.quiet()
            yield call, model


def is_partial(frame: Frame) -> bool:
    return frame.get("type") == "prompt" and frame.get("last") is False


def silences(call: Call) -> float:
    """The longest time from the caller's last prompt to the next words on the wire."""
    longest, since = 0.0, None
    for seen in call.frames:
        match seen.frame:
            case {"type": "prompt", "last": True}:
                since = seen.at
            case {"type": "text", "token": str(token)} if token.strip() and since is not None:
                longest, since = max(longest, seen.at - since), None
    assert since is None, "the caller was never answered"
    return longest


def open_cycles(call: Call) -> int:
    states = [bool(seen.frame.get("last")) for seen in call.frames if is_text(seen)]
    return int(not states[-1])


def is_text(seen: object) -> bool:
    return isinstance(seen, FrameIn) and seen.frame.get("type") == "text"
