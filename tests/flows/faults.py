"""The fault matrix: a relay before a model that fails, a caller who asks on, and what is promised to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from compliance.events import Kind
from policies.agent_file import parse
from policies.vocabulary import Outcome
from tests.flows.wire import MOST_SILENCE, Wire, said_twice, spliced
from tests.model_server import Answer, ModelServer
from tests.relay.running import Running, public, running

QUESTIONS = (
    "What does the yearly check cost?",
    "Is the exhaust measured as well?",
    "Then tell me about the burner.",
)
HEALTHY = "A yearly plan is ninety-nine dollars. It covers every repair."
LATE = "The first price is forty-nine dollars. The next one is higher."
MARKS = ("word", "first price", "yearly plan")  # each is said in one reply only
AGENT = """
agent: {{name: acme, organisation: Acme, instructions: Be kind.}}
llm:
{llm}
context:
  must: [inquiry_source]
  conditional: {{window: {{when: {{intent: [booking]}}}}}}
  sources: {{dialled_number: {{"+15550100001": {{inquiry_source: web ad, window: Tuesday}}}}}}
intents: {{booking: {{examples: [I want an appointment]}}}}
"""


def entry(provider: str, url: str, name: str = "first", more: str = "") -> str:
    base = url if provider == "anthropic" or url.endswith("/v1") else f"{url}/v1"
    return f'  - {{provider: {provider}, model: {name}, base_url: "{base}"{more}}}\n'


@asynccontextmanager
async def relaying(data: Path, first: str, *, second: bool) -> AsyncIterator[Running]:
    """`first` is its entry in the agent file; the second model is in order, if there is one."""
    async with ModelServer(otherwise=Answer(HEALTHY)) as healthy:
        llm = first + (entry("openai", healthy.base_url, "second") if second else "")
        settings = public(data, anthropic_api_key="k", openai_api_key="k")
        async with running(settings, [parse(AGENT.format(llm=llm))]) as server:
            yield server


async def converse(server: Running, questions: Sequence[str] = QUESTIONS) -> Wire:
    """Each question is asked once the answer before was heard, unless the call has left by then."""
    wire = Wire()
    async with server.phone(observe=wire.observe).call() as call:
        await call.quiet()
        for question in questions:
            await call.say(question)
            await wire.until_answered()
            await call.quiet()
            if call.ended is not None:
                break
    return wire


def hears_it_well(wire: Wire) -> None:
    """What is promised to the caller, turn by turn."""
    assert wire.turns()
    for turn in wire.turns():
        assert not turn.left_open
        assert turn.longest_silence() <= MOST_SILENCE, turn.said
        assert said_twice(turn.said) == []
        assert spliced(turn.said, MARKS) == []


def failures(server: Running) -> set[object]:
    return {fact["failure"] for fact in server.told.facts(Kind.MODEL_FAILED)}


def goes_to_a_person(server: Running) -> bool:
    (ended,) = server.told.facts(Kind.CALL_ENDED)
    return ended["outcome"] == Outcome.CALLBACK_SCHEDULED
