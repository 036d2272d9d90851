"""People beside the agent: they are asked for, stop it, take calls from it, own what is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from twilio.request_validator import RequestValidator

from compliance.controls import ControlStore
from compliance.database import Database
from compliance.do_not_call import DoNotCall
from compliance.events import Kind
from compliance.follow_ups import FollowUpKind, FollowUps, FollowUpState
from compliance.journal import journal_url
from evaluation.clock import run_virtual
from policies.agent_file import parse
from relay.outbound import Outbound
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN, Running, public, running
from tests.twilio_api import ACCOUNT as ACCOUNT_SID
from tests.twilio_api import TOKEN as AUTH_TOKEN
from tests.twilio_api import twilio_api

AGENT = """
agent: {name: acme, organisation: Acme, numbers: ["+15550100001"]}
llm: [{provider: echo}]
handoff:
  rules: {explicit_request: now, topics: {emergency: now, complaint: offer}}
  destinations:
    duty: {type: dial, number: "+15550109999", sla: 20s, on_timeout: callback}
  routes: [{when: {reason: [explicit_request]}, to: callback}, {to: duty}]
  follow_up: {owner: Kim, due: 1d}
"""
API_TOKEN = "f" * 32
SID = "CA" + "2" * 32


@asynccontextmanager
async def serving(data: Path, text: str = AGENT, **more: object) -> AsyncIterator[Running]:
    async with running(public(data, **more), [parse(text)]) as server:
        yield server


def facts(server: Running, kind: Kind) -> list[dict[str, object]]:
    return [dict(event.facts) for event in server.told.events if event.kind is kind]


def test_an_explicit_request_leaves_a_callback_with_an_owner(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server:
            async with server.phone().call() as call:
                await call.quiet()
                await call.say("I want to speak to a human.")
                ended = await call.wait_ended(30)
            assert '"reason":"explicit_request"' in (ended.handoff_data or "")
            assert "+1555" not in (ended.handoff_data or "")
            (ruled,) = [each for each in facts(server, Kind.HANDOFF_RULED) if each["decision"] == "handoff"]
            assert (ruled["rule"], ruled["reason"]) == ("explicit_request", "explicit_request")
            assert facts(server, Kind.CALL_ENDED)[0]["outcome"] == "callback_scheduled"
            (left,) = facts(server, Kind.FOLLOW_UP)
            assert (left["what"], left["owner"]) == ("callback", "Kim")

    run_virtual(call())
    database = Database(journal_url(tmp_path))
    (kept,) = FollowUps(database).list(FollowUpState.OPEN)
    assert (kept.kind, kept.owner, kept.reason) == (FollowUpKind.CALLBACK, "Kim", "explicit_request")
    assert kept.due_at == pytest.approx(kept.created_at + 86_400)
    database.close()


def test_the_person_gets_a_brief_and_answers_with_one_tap(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server:
            async with server.phone().call() as call:
                await call.quiet()
                await call.say("I want to complain about my bill.")
                await call.until_heard("colleague?")
                await call.quiet()
                await call.say("Yes please.")
                await call.wait_ended(30)
            handing = await server.relay_state().calls.handings.of_call(call_sid(server))
            path = server.relay_state().webhooks.transfers.brief_url(handing.brief_ref).removeprefix(PUBLIC)
            async with httpx.AsyncClient(base_url=server.base) as http:
                shown = await http.get(path)
                assert shown.status_code == 200
                assert "I want to complain about my bill." in shown.text
                assert "complaint" in shown.text
                assert "+1555" not in shown.text
                form = {"question": "brief_right", "answer": "yes"}
                assert (await http.post(path, data=form)).status_code == 303
                assert 'aria-pressed="true"' in (await http.get(path)).text
                assert (await http.post(path, data={"question": "x", "answer": "yes"})).status_code == 400
                assert (await http.get("/brief/made.up.one")).status_code == 404
            assert facts(server, Kind.BRIEF_ANSWERED) == [{"question": "brief_right", "yes": True}]
            assert "complaint" in handing.spoken

    run_virtual(call())


def call_sid(server: Running) -> str:
    return server.told.events[0].call_sid


def test_the_farewell_is_heard_before_the_session_ends(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server, server.phone().call() as call:
            await call.quiet()
            await call.say("I want to speak to a human.")
            await call.wait_ended(30)
            assert "A colleague will take it from here." in call.agent_text()

    run_virtual(call())


def test_an_offer_is_accepted_by_a_yes(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server, server.phone().call() as call:
            await call.quiet()
            await call.say("I want to complain about this.")
            await call.until_heard("colleague?")
            await call.quiet()
            await call.say("Yes please.")
            ended = await call.wait_ended(30)
            assert '"reason":"complaint"' in (ended.handoff_data or "")
            assert facts(server, Kind.HANDOFF_OFFERED)[0]["destination"] == "duty"

    run_virtual(call())


def test_zero_gets_a_person_without_any_rule(tmp_path: Path) -> None:
    async def call() -> None:
        text = AGENT.replace(
            "  rules: {explicit_request: now, topics: {emergency: now, complaint: offer}}\n", ""
        )
        async with serving(tmp_path, text) as server, server.phone().call() as call:
            await call.quiet()
            await call.press("0")
            ended = await call.wait_ended(30)
            assert '"reason":"explicit_request"' in (ended.handoff_data or "")

    run_virtual(call())


def test_a_paused_agent_gets_no_new_call_and_a_resumed_one_does(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server:
            database = Database(journal_url(tmp_path))
            button = ControlStore(database)
            await asyncio.to_thread(button.pause, "acme", "duty", "Kim", "wrong prices", 1.0)
            await asyncio.sleep(2.0)
            async with httpx.AsyncClient() as http:
                answer = await post(http, server, "/twilio/voice", CallSid=SID, To="+15550100001")
                assert "<Dial" in answer.text
                assert "ConversationRelay" not in answer.text
                assert (
                    await post(http, server, "/twilio/voice", CallSid=SID, To="+15550100001")
                ).text == answer.text
                await asyncio.to_thread(button.resume, "*", "Kim", "", 2.0)
                await asyncio.sleep(2.0)
                fresh = await post(http, server, "/twilio/voice", CallSid="CA" + "3" * 32, To="+15550100001")
                assert "ConversationRelay" in fresh.text
            assert len(facts(server, Kind.HANDOFF_OFFERED)) == 1
            database.close()

    run_virtual(call())


def test_a_live_call_is_sent_to_a_person_by_one_command(tmp_path: Path) -> None:
    async def call() -> None:
        async with serving(tmp_path) as server, server.phone().call() as call:
            await call.quiet()
            database = Database(journal_url(tmp_path))
            sid = server.told.events[0].call_sid
            button = ControlStore(database)

            def order() -> int:
                return button.order(sid, "duty", end=False, by="Kim", reason="upset", at=server_now(server))

            await asyncio.to_thread(order)
            ended = await call.wait_ended(10)
            assert ended.verb is not None
            (ordered,) = facts(server, Kind.ORDERED)
            assert (ordered["by"], ordered["what"]) == ("Kim", "to duty")
            assert facts(server, Kind.HANDOFF_OFFERED)[0]["destination"] == "duty"
            database.close()

    run_virtual(call())


def test_only_a_share_of_the_calls_is_answered_by_the_agent(tmp_path: Path) -> None:
    async def call() -> None:
        text = AGENT + "evaluation: {rollout: {share: 0%, else: duty}}\n"
        async with serving(tmp_path, text) as server, httpx.AsyncClient() as http:
            answer = await post(http, server, "/twilio/voice", CallSid=SID, To="+15550100001")
            assert "<Dial" in answer.text

    run_virtual(call())


class TestPlacingCalls:
    ORDER: ClassVar[dict[str, object]] = {
        "to": "+12125550100",
        "consent": {"basis": "asked on the website", "given_at": "2026-01-01T00:00:00Z"},
        "timezone": "UTC",
    }

    async def place(self, server: Running, token: str = API_TOKEN, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            headers = {"Authorization": f"Bearer {token}"}
            return await http.post(f"{server.base}/calls", json={**self.ORDER, **more}, headers=headers)

    @pytest.mark.parametrize(
        ("more", "status", "says"),
        [
            ({"to": "555"}, 422, "E.164"),
            ({"agent": "nobody"}, 422, "no agent is named"),
            ({"timezone": "Mars/Base"}, 422, "IANA"),
            ({"consent": {"basis": "", "given_at": "2026-01-01T00:00:00Z"}}, 422, "consent.basis"),
            ({"consent": {"basis": "x", "given_at": "2099-01-01T00:00:00Z"}}, 422, "given_at"),
            ({"consent": None}, 422, "consent"),
            ({"surprise": 1}, 422, "surprise"),
        ],
    )
    async def test_what_is_wrong_is_named(
        self, tmp_path: Path, more: dict[str, Any], status: int, says: str
    ) -> None:
        async with serving(tmp_path, api_token=API_TOKEN) as server:
            answer = await self.place(server, **more)
            assert answer.status_code == status
            assert says in answer.json()["error"]

    async def test_without_the_token_nobody_is_called(self, tmp_path: Path) -> None:
        async with serving(tmp_path, api_token=API_TOKEN) as server:
            assert (await self.place(server, token="wrong")).status_code == 401

    async def test_it_is_closed_until_a_token_is_set(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as server:
            assert (await self.place(server)).status_code == 403

    async def test_who_asked_not_to_be_called_is_not(self, tmp_path: Path) -> None:
        database = Database(journal_url(tmp_path))
        DoNotCall(database).forbid("+12125550100", "call", 1.0)
        database.close()
        async with serving(tmp_path, api_token=API_TOKEN) as server:
            at_noon(server)
            answer = await self.place(server)
            assert (answer.status_code, "asked not to be called" in answer.text) == (403, True)

    async def test_nobody_is_rung_at_night(self, tmp_path: Path) -> None:
        async with serving(tmp_path, api_token=API_TOKEN) as server:
            at_noon(server, hour=5)
            answer = await self.place(server)
            assert (answer.status_code, "it is 05:00 in UTC" in answer.text) == (403, True)

    async def test_a_call_is_placed_and_an_answering_machine_hears_a_message(self, tmp_path: Path) -> None:
        with twilio_api() as api:
            account = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "twilio_api_base": api.url}
            async with serving(tmp_path, api_token=API_TOKEN, **account) as server:
                at_noon(server)
                placed = await self.place(server, facts={"campaign": "spring"})
                assert placed.status_code == 202, placed.text
                call_sid = placed.json()["call_sid"]
                (asked,) = api.posted("/Calls.json")
                assert (asked["To"], asked["From"]) == ("+12125550100", "+15550100001")
                assert asked["Url"] == f"{PUBLIC}/twilio/voice"
                assert (asked["AsyncAmd"], asked["AsyncAmdStatusCallback"]) == (
                    "true",
                    f"{PUBLIC}/twilio/amd",
                )
                assert facts(server, Kind.CALL_PLACED)[0]["consent"] == "asked on the website"
                assert await server.relay_state().calls.request_of(call_sid) == {"campaign": "spring"}
                form = {"CallSid": call_sid, "AccountSid": ACCOUNT_SID, "From": "+15550100001"}
                async with httpx.AsyncClient() as http:
                    told = await post(
                        http, server, "/twilio/amd", AUTH_TOKEN, **form, AnsweredBy="machine_end_beep"
                    )
                assert told.status_code == 204
                (moved,) = api.posted(f"/Calls/{call_sid}.json")
                assert "AI assistant of Acme" in moved["Twiml"]
                assert facts(server, Kind.CALL_ENDED)[0]["outcome"] == "not_a_conversation"
        assert api.refused == []


def at_noon(server: Running, hour: int = 12) -> None:
    """The clock of the calling hours, set."""
    state = server.relay_state()
    old: Outbound = state.outbound
    state.outbound = Outbound(
        old.calls, old.forms, old.public_url, old.api_token, lambda: datetime(2026, 11, 27, hour, tzinfo=UTC)
    )


def server_now(server: Running) -> float:
    now: float = server.relay_state().calls.clock()
    return now


async def post(
    http: httpx.AsyncClient, server: Running, path: str, token: str = TOKEN, **form: str
) -> httpx.Response:
    """A signed request of Twilio's."""
    fields = {"AccountSid": ACCOUNT, "From": "+15550100002", "CallStatus": "ringing", **form}
    signature = RequestValidator(token).compute_signature(f"{PUBLIC}{path}", fields)
    return await http.post(f"{server.base}{path}", data=fields, headers={"X-Twilio-Signature": signature})
