"""A call inside a Studio flow: taken from the flow, given back with a reason, a reference and an outcome."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
from starlette.requests import Request
from twilio.request_validator import RequestValidator

from compliance.events import Kind
from evaluation.clock import run_virtual
from evaluation.phone import Account, ActionAnswered, Phone, Seen, Target, Verb
from policies.agent_file import AgentFile, parse
from policies.agent_handoff import Handoff
from policies.vocabulary import EscalationReason
from relay.app import Relay
from relay.messages import handoff_data
from relay.server import Server, config
from relay.studio import StudioRoutes
from relay.switchboard import Switchboard
from relay.webhooks import Webhooks
from tests.relay.fakes import Told
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN, public

FLOW, OTHER, STRANGE = "FW" + "a" * 32, "FW" + "b" * 32, "FW" + "c" * 32
CALL = "CA" + "1" * 32
AGENT = """
agent: {name: echo, organisation: Acme}
llm:
  - {provider: echo}
context:
  must: [campaign, contract]
  on_missing: {contract: handoff}
  sources: {parameters: [campaign]}
"""
STUDIO = {"destinations": {"flow": {"type": "studio", "flow_sid": FLOW, "sla": "1m"}}}
FORM = {
    "AccountSid": ACCOUNT,
    "CallSid": CALL,
    "From": "+15550100002",
    "To": "+15550100001",
    "Direction": "inbound",
    "CallStatus": "in-progress",
}


def file_of(text: str = AGENT) -> AgentFile:
    return replace(parse(text), handoff=Handoff.model_validate(STUDIO))


def webhooks_of(request: Request) -> Webhooks:
    webhooks: Webhooks = request.app.state.webhooks
    return webhooks


@dataclass
class Flow:
    """Studio's side: its requests, signed as Twilio signs them, the query included."""

    http: httpx.AsyncClient
    calls: Switchboard
    told: Told

    async def post(
        self, path: str, form: Mapping[str, str], *, token: str = TOKEN, **query: str
    ) -> httpx.Response:
        url = f"{PUBLIC}{path}?{urlencode(query)}" if query else f"{PUBLIC}{path}"
        signature = RequestValidator(token).compute_signature(url, dict(form))
        return await self.http.post(url, data=dict(form), headers={"X-Twilio-Signature": signature})

    async def arrives(self, flow: str = FLOW, **facts: str) -> str:
        answer = await self.post("/twilio/studio", FORM, flow=flow, **facts)
        assert answer.status_code == 200
        return answer.text

    async def ended(
        self, status: str, data: str = "", *, session: str = "VX1", flow: str = FLOW, **more: str
    ) -> str:
        form = {**FORM, "SessionId": session, "SessionStatus": status, "SessionDuration": "9", **more}
        if data:
            form["HandoffData"] = data
        answer = await self.post("/twilio/studio/action", form, flow=flow)
        assert answer.status_code == 200
        return answer.text


@asynccontextmanager
async def flow_at(data: Path, agent: str = AGENT, **settings: object) -> AsyncIterator[Flow]:
    told = Told()
    relay = Relay(public(data, **settings), [file_of(agent)], "http://127.0.0.1:1", watcher=told)
    app = relay.app()
    app.router.routes.extend(StudioRoutes(webhooks_of).routes())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http,
    ):
        yield Flow(http, app.state.calls, told)


def attribute(twiml: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', twiml)
    assert found, twiml
    return found[1].replace("&amp;", "&")


def parameters(twiml: str) -> dict[str, str]:
    found = ElementTree.fromstring(twiml).iter("Parameter")
    return {each.get("name", ""): each.get("value", "") for each in found}


def given_back(twiml: str) -> dict[str, str]:
    """What the flow can read of `{{widgets.five_gates.…}}`."""
    (redirect,) = ElementTree.fromstring(twiml)
    assert (redirect.tag, redirect.get("method")) == ("Redirect", "POST")
    url = urlsplit((redirect.text or "").strip())
    assert f"{url.scheme}://{url.netloc}{url.path}" == (
        f"https://webhooks.twilio.com/v1/Accounts/{ACCOUNT}/Flows/{FLOW}"
    )
    query = dict(parse_qsl(url.query, strict_parsing=True))
    assert query.pop("FlowEvent") == "return"
    assert query["summary_id"] == query["ref"]
    return query


class TestWhoGetsIn:
    @pytest.mark.parametrize("path", ["/twilio/studio", "/twilio/studio/action"])
    async def test_only_what_twilio_signed(self, tmp_path: Path, path: str) -> None:
        async with flow_at(tmp_path) as flow:
            assert (await flow.post(path, FORM, flow=FLOW, token="another")).status_code == 403

    @pytest.mark.parametrize("path", ["/twilio/studio", "/twilio/studio/action"])
    async def test_a_flow_that_is_not_configured_is_refused(self, tmp_path: Path, path: str) -> None:
        async with flow_at(tmp_path, studio_flows=frozenset({OTHER})) as flow:
            refused = await flow.post(path, FORM, flow=STRANGE)
            assert refused.status_code == 403
            assert STRANGE not in refused.text
            assert flow.told.facts(Kind.CALL_ANNOUNCED) == []

    async def test_the_agents_destinations_and_the_setting_name_the_flows(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path, studio_flows=frozenset({OTHER})) as flow:
            assert OTHER in attribute(await flow.arrives(OTHER), "action")
            assert FLOW in attribute(await flow.arrives(FLOW), "action")

    async def test_where_there_is_one_flow_only_it_need_not_be_named(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            answer = await flow.post("/twilio/studio", FORM)
            assert FLOW in attribute(answer.text, "action")

    async def test_of_several_flows_one_has_to_be_named(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path, studio_flows=frozenset({OTHER})) as flow:
            assert (await flow.post("/twilio/studio", FORM)).status_code == 403

    async def test_another_account_is_refused(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            theirs = {**FORM, "AccountSid": "AC" + "9" * 32}
            assert (await flow.post("/twilio/studio", theirs, flow=FLOW)).status_code == 403

    async def test_a_request_without_a_call_is_refused(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            no_call = {**FORM, "CallSid": ""}
            assert (await flow.post("/twilio/studio", no_call, flow=FLOW)).status_code == 400


class TestACallComesIn:
    async def test_it_is_connected_and_its_action_names_the_flow(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            twiml = await flow.arrives()
            assert attribute(twiml, "url") == "wss://voice.example.com/twilio/relay"
            assert attribute(twiml, "action") == f"{PUBLIC}/twilio/studio/action?flow={FLOW}"
            assert set(parameters(twiml)) == {"fivegates"}
            (announced,) = flow.told.facts(Kind.CALL_ANNOUNCED)
            assert (announced["flow"], announced["agent"]) == (FLOW, "echo")

    async def test_the_facts_it_brings_are_passed_on_when_the_agent_file_admits_them(
        self, tmp_path: Path
    ) -> None:
        async with flow_at(tmp_path) as flow:
            twiml = await flow.arrives(campaign="봄 행사", salary="100000")
            assert parameters(twiml)["campaign"] == "봄 행사"
            assert "봄 행사" not in str(flow.told.events)
            assert "salary" not in twiml
            query = dict(parse_qsl(urlsplit(attribute(twiml, "action")).query))
            assert query == {"flow": FLOW, "campaign": "봄 행사"}

    async def test_a_fact_may_come_in_the_form_as_well(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            answer = await flow.post("/twilio/studio", {**FORM, "campaign": "spring"}, flow=FLOW)
            assert parameters(answer.text)["campaign"] == "spring"

    async def test_a_fact_that_twilio_would_not_take_is_left_out(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            assert "campaign" not in parameters(await flow.arrives(campaign="x" * 500))

    async def test_a_fact_too_long_for_an_address_is_in_the_first_session_only(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            twiml = await flow.arrives(campaign="가" * 400)
            assert parameters(twiml)["campaign"] == "가" * 400
            assert attribute(twiml, "action") == f"{PUBLIC}/twilio/studio/action?flow={FLOW}"

    async def test_no_fact_can_take_the_place_of_our_announcement(self, tmp_path: Path) -> None:
        ours = AGENT.replace("parameters: [campaign]", "parameters: [campaign, fivegates]")
        async with flow_at(tmp_path, ours) as flow:
            twiml = await flow.arrives(fivegates="forged")
            assert "forged" not in twiml

    async def test_a_server_that_drains_gives_the_call_back_to_the_flow(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            flow.calls.live.accepting = False
            back = given_back(await flow.arrives())
            assert (back["reason"], back["outcome"]) == ("system_failure", "failed_by_system")

    async def test_a_number_that_no_agent_answers_goes_back_to_the_flow(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path, studio_flows=frozenset({FLOW})) as flow:
            flow.calls.agents.clear()
            assert given_back(await flow.arrives())["reason"] == "system_failure"


class TestTheSessionHasEnded:
    async def test_the_flow_learns_why_a_person_is_needed(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            for number, reason in enumerate(EscalationReason):
                data = handoff_data(reason.value, f"r{number}")
                back = given_back(await flow.ended("ended", data, CallSid=f"CA{number:032}"))
                assert back == {
                    "reason": reason.value,
                    "ref": f"r{number}",
                    "summary_id": f"r{number}",
                    "outcome": "handed_off",
                }
            offered = flow.told.facts(Kind.HANDOFF_OFFERED)
            assert [each["reason"] for each in offered] == list(EscalationReason)
            assert {(each["destination"], each["sla_s"]) for each in offered} == {("flow", 60.0)}

    async def test_a_flow_of_the_setting_alone_is_a_destination_too(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path, studio_flows=frozenset({OTHER})) as flow:
            await flow.ended("ended", handoff_data("legal", "r1"), flow=OTHER)
            (offered,) = flow.told.facts(Kind.HANDOFF_OFFERED)
            assert (offered["destination"], offered["reason"]) == ("studio", "legal")

    async def test_what_is_known_of_the_call_stays_under_its_reference(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            await flow.ended("ended", handoff_data("legal", "r1"))
            handing = await flow.calls.handings.load("r1")
            assert handing
            assert (handing.call_sid, handing.reason, handing.destination) == (CALL, "legal", "flow")

    @pytest.mark.parametrize("data", ["", handoff_data("goodbye", "r1")])
    async def test_a_goodbye_is_given_back_as_one(self, tmp_path: Path, data: str) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            back = given_back(await flow.ended("ended", data))
            assert (back["reason"], back["outcome"]) == ("goodbye", "not_a_conversation")
            (ended,) = flow.told.facts(Kind.CALL_ENDED)
            assert ended["outcome"] == back["outcome"]

    @pytest.mark.parametrize("data", ["{", '{"reason":"unheard_of"}'])
    async def test_what_is_not_ours_is_a_failure(self, tmp_path: Path, data: str) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            assert given_back(await flow.ended("ended", data))["reason"] == "system_failure"

    async def test_a_repeated_request_gets_the_same_answer(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            answers = await asyncio.gather(*(flow.ended("ended") for _ in range(3)))
            assert len(set(answers)) == 1
            assert len(flow.told.facts(Kind.CALL_ENDED)) == 1

    @pytest.mark.parametrize(
        "form",
        [
            {"status": "completed", "CallStatus": "completed"},
            {"status": "failed", "CallStatus": "completed", "ErrorCode": "64105"},
        ],
    )
    async def test_a_call_that_is_over_goes_nowhere(self, tmp_path: Path, form: dict[str, str]) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            assert list(ElementTree.fromstring(await flow.ended(**form))) == []
            assert len(flow.told.facts(Kind.CALL_ENDED)) == 1

    async def test_a_call_at_its_greatest_length_is_not_connected_again(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            assert "<Hangup" in await flow.ended("failed", ErrorCode="64104")


class TestALostSession:
    async def test_is_resumed_twice_and_then_the_flow_has_the_call(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            for session in ("VX1", "VX2"):
                twiml = await flow.ended("failed", session=session, ErrorCode="64105")
                assert attribute(twiml, "action") == f"{PUBLIC}/twilio/studio/action?flow={FLOW}"
                assert "welcomeGreeting" not in twiml
            back = given_back(await flow.ended("failed", session="VX3", ErrorCode="64105"))
            assert (back["reason"], back["outcome"]) == ("system_failure", "failed_by_system")
            assert [facts["answer"] for facts in flow.told.facts(Kind.ACTION)][:2] == ["resume", "resume"]

    async def test_brings_its_facts_to_the_next_session(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            first = await flow.arrives(campaign="spring")
            query = dict(parse_qsl(urlsplit(attribute(first, "action")).query))
            form = {**FORM, "SessionId": "VX1", "SessionStatus": "failed", "ErrorCode": "64105"}
            again = await flow.post("/twilio/studio/action", form, **query)
            assert parameters(again.text)["campaign"] == "spring"
            assert attribute(again.text, "action") == attribute(first, "action")

    async def test_is_resumed_when_our_server_asked_for_it(self, tmp_path: Path) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            assert "<ConversationRelay" in await flow.ended("ended", handoff_data("resume", "r1"))

    @pytest.mark.parametrize("code", ["64101", "64106", "64114"])
    async def test_is_not_resumed_where_the_same_twiml_would_fail_again(
        self, tmp_path: Path, code: str
    ) -> None:
        async with flow_at(tmp_path) as flow:
            await flow.arrives()
            assert given_back(await flow.ended("failed", ErrorCode=code))["reason"] == "system_failure"


async def test_a_flow_that_found_nobody_may_send_the_call_back_to_the_agent(tmp_path: Path) -> None:
    async with flow_at(tmp_path) as flow:
        await flow.arrives()
        await flow.ended("failed", ErrorCode="64105")  # a session was there, and left its state
        await flow.ended("ended", handoff_data("legal", "r1"), session="VX2")
        async with asyncio.timeout(5):
            while await flow.calls.store.load(CALL) is None:  # noqa: ASYNC110  - written by a task of its own
                await asyncio.sleep(0.005)
        assert "<ConversationRelay" in await flow.arrives()
        snapshot = await flow.calls.snapshot(CALL)
        assert snapshot
        assert (snapshot.session, snapshot.nobody_free) == (3, True)
        assert len(flow.told.facts(Kind.CALL_ANNOUNCED)) == 1


def test_a_whole_call_from_the_flow_and_back(tmp_path: Path) -> None:
    """Over real sockets: a lost session goes on, the facts enter, and a call for a person goes back."""
    seen: list[Seen] = []

    async def call() -> Told:
        async with serving(tmp_path) as (base, told):
            webhook = f"{PUBLIC}/twilio/studio?flow={FLOW}&campaign=spring"
            phone = Phone(Target(webhook, via=base), Account(ACCOUNT, TOKEN), observe=seen.append)
            async with phone.call() as call:
                await call.quiet()
                assert "AI assistant" in call.agent_text()
                await call.drop()
                await call.quiet()
                await call.say("What is in my contract?")
                await call.wait_ended()
            return told

    told = run_virtual(call())
    (offered,) = told.facts(Kind.HANDOFF_OFFERED)
    assert (offered["destination"], offered["reason"]) == ("flow", "out_of_scope")
    ruled = told.facts(Kind.CONTEXT_RULED)
    assert ruled
    assert all("campaign" in str(each["entered"]) for each in ruled)
    answers = [each for each in seen if isinstance(each, ActionAnswered)]
    assert [each.verb for each in answers] == [Verb.RELAY, Verb.REDIRECT]
    (ended,) = told.facts(Kind.CALL_ENDED)
    assert ended["outcome"] == "handed_off"


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[tuple[str, Told]]:
    told, ready = Told(), asyncio.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        relay = Relay(public(data), [file_of()], base, watcher=told)
        app = relay.app()
        app.router.routes.extend(StudioRoutes(webhooks_of).routes())
        server = Server(config(app), relay.drain, ready.set)
        task = asyncio.create_task(server.serve([listening]))
        await ready.wait()
        try:
            yield base, told
        finally:
            server.stop()
            await task
