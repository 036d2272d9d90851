"""A server, Twilio's API and its network, and a call that the agent gives away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from compliance.events import Fact, Kind
from policies.agent_file import parse
from tests.carrier import Carrier, carrying
from tests.carrier_calls import Leg, Person
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN, Running, public, running
from tests.twilio_api import WORKFLOW, TwilioApi, twilio_api_here

CALL = "CA" + "c" * 32
KIM, LEE = "+15550100003", "+15550100004"
DESK = "sip:desk@pbx.example.com"
AGENT = """
agent: {name: acme, organisation: Acme, numbers: ["+15550100001"]}
llm: [LLM]
guard:
  rules:
    - {id: no-refund, never: ["full refund"], action: handoff, say: "Let me get a colleague for that."}
handoff:
  destinations:
    DESTINATIONS
    duty: {type: dial, number: "+15550100004", sla: 20s}
  routes: [{to: first}]
  follow_up: {owner: Kim, due: 1d}
"""
SALES = f"first: {{type: taskrouter, workflow_sid: {WORKFLOW}, sla: 30s, on_timeout: THEN}}"
DIAL = f'first: {{type: dial, number: "{KIM}", sla: 20s, on_timeout: THEN}}'
SETTLED = 15.0  # seconds after the end of a call by which everything about it is known


@dataclass
class Scene:
    servers: list[Running]
    api: TwilioApi
    network: Carrier

    async def arrives(self) -> Leg:
        """A call that the agent gives away, as Twilio asks what comes next."""
        leg = self.network.caller(CALL)
        await leg.ask(f"{PUBLIC}/twilio/voice")
        leg.begin(self.action(leg))
        return leg

    async def action(self, leg: Leg, reference: str = "f" * 32) -> str:
        data = f'{{"reason":"explicit_request","ref":"{reference}"}}'
        session = {"SessionId": "VX" + "1" * 32, "SessionStatus": "ended", "HandoffData": data}
        return await leg.ask(f"{PUBLIC}/twilio/action", **session)

    async def ends(self, leg: Leg) -> None:
        await leg.over.wait()
        await self.settles()

    async def settles(self) -> None:
        await self.network.told()
        await asyncio.sleep(SETTLED)
        await self.network.told()

    def facts(self, kind: Kind) -> list[dict[str, Fact]]:
        return [facts for server in self.servers for facts in server.told.facts(kind)]

    @property
    def attempts(self) -> list[tuple[Fact, Fact]]:
        return [(each["destination"], each["outcome"]) for each in self.facts(Kind.HANDOFF_ENDED)]

    @property
    def outcome(self) -> Fact:
        (ended,) = self.facts(Kind.CALL_ENDED)
        return ended["outcome"]

    @property
    def left_to_do(self) -> set[Fact]:
        return {each["what"] for each in self.facts(Kind.FOLLOW_UP)}

    def ended_as(self, attempts: list[tuple[str, str]], outcome: str) -> None:
        assert self.attempts == attempts
        assert self.outcome == outcome
        self.nothing_is_left()

    def nothing_is_left(self) -> None:
        """No orphaned task, and nobody's telephone goes on."""
        states = [str(task["assignment_status"]) for task in self.api.tasks.values()]
        assert [state for state in states if state not in ("canceled", "completed")] == []
        assert self.network.left_ringing() == []


@asynccontextmanager
async def scene(
    data: Path,
    destinations: str,
    *people: Person,
    then: str = "callback",
    seed: int | None = None,
    twice: bool = False,
    processes: int = 1,
    llm: str = "{provider: echo}",
    language: str = "en-US",
) -> AsyncIterator[Scene]:
    text = AGENT.replace("DESTINATIONS", destinations).replace("THEN", then).replace("LLM", llm)
    file = parse(text.replace("organisation: Acme", f"organisation: Acme, languages: [{language}]"))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(twilio_api_here(ACCOUNT, TOKEN))
        settings = public(data, twilio_api_base=api.url)
        servers = [await stack.enter_async_context(running(settings, [file])) for _ in range(processes)]
        bases = [server.base for server in servers]
        network = await stack.enter_async_context(
            carrying(api, *bases, people=people, seed=seed, twice=twice)
        )
        yield Scene(servers, api, network)
