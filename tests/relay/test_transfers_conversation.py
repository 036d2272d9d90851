"""From the caller's first word to a person, and back to the agent where nobody is free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from compliance.events import Kind
from evaluation.call import Call
from evaluation.carrier import Account, Answer
from evaluation.carrier import Carrier as PhoneCarrier
from evaluation.carrier import Leg as PhoneLeg
from evaluation.clock import run_virtual
from evaluation.exchange import Target
from evaluation.phone import ignore
from evaluation.twiml import parse
from handoff.sayings import ENGLISH
from policies.lines import lines
from tests.carrier_calls import CALLER, OURS, Leg, Person
from tests.model_server import Answer as Says
from tests.model_server import ModelServer
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN, Running
from tests.relay.scenes import KIM, SALES, Scene, scene
from tests.task_router import TaskRouter

REFUND = Says("Of course you get a full refund.")
ASKED = "I was charged twice for the yearly check."


class GoesOn(PhoneCarrier):
    """A call that Twilio goes on with: its first document is there already."""

    def __init__(self, http: httpx.AsyncClient, server: Running, document: str) -> None:
        super().__init__(http, Account(ACCOUNT, TOKEN), via=server.base, rehearsal=False)
        self._document = document

    async def ask(self, url: str, form: object, method: str = "POST") -> Answer:
        if self._document:
            document, self._document = self._document, ""
            return Answer(parse(document, url), url, 200)
        assert isinstance(form, dict)
        return await super().ask(url, form, method)


@asynccontextmanager
async def phoned(the: Scene) -> AsyncIterator[Leg]:
    """A real session on the websocket, up to the line that gives the call away; it goes on as this leg."""
    server = the.servers[0]
    async with server.phone(rehearsal=False).call() as call:
        await call.quiet()
        await call.say(ASKED)
        ended = await call.wait_ended(30)
        assert "Let me get a colleague for that." in call.agent_text()
        assert "full refund" not in call.agent_text()
        session = {"SessionId": call.session_id, "SessionStatus": "ended"}
        leg = the.network.caller(call.call_sid)
        leg.begin(leg.ask(f"{PUBLIC}/twilio/action", **session, HandoffData=ended.handoff_data or ""))
        yield leg


@asynccontextmanager
async def resumed(the: Scene, leg: Leg) -> AsyncIterator[Call]:
    """The call is back in a session of the agent's."""
    document = await leg.back
    server = the.servers[0]
    async with httpx.AsyncClient(trust_env=False) as http:
        target = Target(webhook=f"{PUBLIC}/twilio/voice", via=server.base)
        same = PhoneLeg(ACCOUNT, leg.sid, caller=CALLER, called=OURS)
        call = Call(same, target, GoesOn(http, server, document), observe=ignore, end_waits=True)
        await call.dial()
        try:
            yield call
        finally:
            await call.hang_up()


@asynccontextmanager
async def told_by_model(data: Path, *people: Person, then: str) -> AsyncIterator[tuple[Scene, ModelServer]]:
    async with ModelServer(REFUND, otherwise=Says("It costs 49 dollars.")) as model:
        llm = f'{{provider: openai, model: m, base_url: "{model.base_url}/v1"}}'
        async with scene(data, SALES, *people, then=then, llm=llm) as the:
            yield the, model


def test_from_the_first_word_to_a_person_who_knows_why(tmp_path: Path) -> None:
    async def story() -> None:
        kim = Person(KIM)
        async with told_by_model(tmp_path, kim, then="callback") as (the, _):
            router = TaskRouter(the.network, (kim,))
            async with phoned(the) as leg:
                await the.ends(leg)
            the.ended_as([("first", "accepted")], "handed_off")
            assert "charged twice" in kim.heard
            (attributes,) = router.attributes
            assert attributes["reason"] == "prohibited_utterance"
            async with httpx.AsyncClient() as http:
                path = str(attributes["brief_url"]).removeprefix(PUBLIC)
                shown = await http.get(the.servers[0].base + path)
            assert ASKED in shown.text

    run_virtual(story())


def test_nobody_is_free_and_the_agent_goes_on_with_its_memory(tmp_path: Path) -> None:
    async def story() -> None:
        async with told_by_model(tmp_path, then="agent") as (the, model):
            TaskRouter(the.network, ())
            async with phoned(the) as leg, resumed(the, leg) as call:
                await call.quiet()
                offer = f"{ENGLISH.nobody} {lines('en').callback_offer}"
                assert " ".join(call.agent_text().split()) == offer
                assert the.attempts == [("first", "timed_out")]
                the.nothing_is_left()
                await call.say("No, just tell me what the check costs.")
                await call.until_heard("It costs 49 dollars.")
                said = [str(each["content"]) for each in model.requests[-1].body["messages"]]
                assert any(ASKED in each for each in said)
                assert any(ENGLISH.nobody in each for each in said)
                assert the.facts(Kind.CALL_ENDED) == []
            events = the.servers[0].told.events
            assert [event.session for event in events if event.kind is Kind.SESSION_STARTED] == [1, 2]
            leg.end()
            await the.settles()
            assert the.outcome == "resolved"

    run_virtual(story())


def test_a_callback_is_accepted_by_a_yes_and_noted_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with told_by_model(tmp_path, then="agent") as (the, _):
            TaskRouter(the.network, ())
            async with phoned(the) as leg, resumed(the, leg) as call:
                await call.quiet()
                await call.say("Yes please.")
                ended = await call.wait_ended(30)
                assert ended.spoken == (ENGLISH.callback,)
            leg.end()
            await the.settles()
            assert the.attempts == [("first", "timed_out")]
            assert the.outcome == "callback_scheduled"
            assert the.left_to_do == {"missed_sla", "callback"}
            the.nothing_is_left()

    run_virtual(story())


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_caller_who_is_back_with_the_agent_is_on_the_way_to_nobody(tmp_path: Path, seconds: float) -> None:
    async def story() -> None:
        async with told_by_model(tmp_path, then="agent") as (the, _):
            TaskRouter(the.network, ())
            async with phoned(the) as leg:
                await leg.back
                tasks = len(the.api.asked)
                await asyncio.sleep(seconds)
                leg.end()
                await the.settles()
            assert len(the.api.asked) == tasks  # nothing is canceled twice
            assert the.attempts == [("first", "timed_out")]
            assert len(the.facts(Kind.CALL_ENDED)) == 1

    run_virtual(story())
