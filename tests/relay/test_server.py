"""The whole path over real sockets: webhook, handshake, session, model, record."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from compliance.events import Kind
from compliance.journal import journal_url
from compliance.record import Record
from evaluation.clock import run_virtual
from evaluation.phone import Account, CallRefused, Phone, Target
from policies.agent_file import parse
from policies.lines import lines
from relay.settings import Settings
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN, Running, public, running

CALL = "CA" + "1" * 32
FORM = {
    "AccountSid": ACCOUNT,
    "CallSid": CALL,
    "From": "+15550100002",
    "To": "+15550100001",
    "Direction": "inbound",
    "CallStatus": "ringing",
    "CallerZip": "",
}


async def post(server: Running, path: str, form: Mapping[str, str], *, token: str = TOKEN) -> httpx.Response:
    signature = RequestValidator(token).compute_signature(f"{PUBLIC}{path}", dict(form))
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.base}{path}", data=dict(form), headers={"X-Twilio-Signature": signature}
        )


def announced(twiml: str) -> str:
    found = re.search(r'name="fivegates" value="([^"]+)"', twiml)
    assert found
    return found[1]


def setup(token: str, *, session: str = "VX1", account: str = ACCOUNT, call: str = CALL) -> str:
    return (
        f'{{"type":"setup","sessionId":"{session}","accountSid":"{account}","callSid":"{call}",'
        f'"from":"+15550100002","to":"+15550100001","direction":"inbound",'
        f'"customParameters":{{"fivegates":"{token}"}}}}'
    )


def handshake(server: Running, *, token: str = TOKEN) -> connect:
    url = "wss" + PUBLIC.removeprefix("https") + "/twilio/relay"
    signature = RequestValidator(token).compute_signature(url, {})
    return connect(
        server.base.replace("http", "ws") + "/twilio/relay",
        additional_headers={"X-Twilio-Signature": signature},
        compression=None,
    )


async def refused(server: Running, frame: str) -> bool:
    """Was the session closed without a word?"""
    async with handshake(server) as socket:
        await socket.send(frame)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return socket.close_code == 1008


def test_a_whole_call(tmp_path: Path) -> None:
    async def call() -> str:
        async with running(public(tmp_path)) as server, server.phone().call() as call:
            await call.quiet()
            assert "AI assistant" in call.agent_text()
            await call.say("What does it cost?")
            await call.until_heard("You said: What does it cost?")
            return call.call_sid

    call_sid = run_virtual(call())
    record = [stored.event for stored in Record(journal_url(tmp_path)).events(call_sid)]
    kinds = [event.kind for event in record if event.kind is not Kind.CRM_ANSWERED]  # comes when it comes
    assert kinds[:4] == [Kind.CALL_ANNOUNCED, Kind.SESSION_STARTED, Kind.DISCLOSURE_SENT, Kind.SAID]
    assert kinds[-1] in (Kind.ACTION, Kind.CALL_ENDED)
    ended = next(event for event in record if event.kind is Kind.CALL_ENDED)
    assert (ended.facts["outcome"], ended.facts["next_action"]) == ("resolved", "not_required")
    assert record[0].facts["rehearsal"] is True
    assert [event.at for event in record] == sorted(event.at for event in record)


def test_a_barge_in_cuts_the_history_to_what_was_heard(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path)) as server, server.phone().call() as call:
            await call.quiet()
            await call.say("Tell me a very long story about heating, with many parts, and with an end.")
            await call.until_heard("You said")
            await call.say("Stop.")
            await call.until_heard("Stop.")
            cut = next(facts for facts in server.told.facts(Kind.HEARD) if facts["purpose"] == "reply")
            assert cut["whole"] is False
            assert str(cut["text"]).startswith("You said")

    run_virtual(call())


class TestWhoGetsIn:
    def test_an_unsigned_or_wrongly_signed_webhook_is_refused(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as server:
                for path in ("/twilio/voice", "/twilio/action", "/twilio/status"):
                    assert (await post(server, path, FORM, token="another")).status_code == 403
                    async with httpx.AsyncClient() as http:
                        assert (await http.post(server.base + path, data=FORM)).status_code == 403
                assert server.told.events == []

        run_virtual(ask())

    def test_an_unsigned_or_wrong_handshake_is_refused_before_accept(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as server:
                for attempt in (
                    connect(server.base.replace("http", "ws") + "/twilio/relay"),
                    handshake(server, token="another"),
                ):
                    with pytest.raises(InvalidStatus) as caught:
                        await attempt
                    assert caught.value.response.status_code == 403

        run_virtual(ask())

    def test_a_session_nobody_announced_is_closed_and_no_model_is_asked(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as server:
                token = announced((await post(server, "/twilio/voice", FORM)).text)
                assert await refused(server, setup(""))
                assert await refused(server, setup(token[:-1] + "x"))
                assert await refused(server, setup(token, call="CA" + "2" * 32))
                assert await refused(server, setup(token, account="AC" + "2" * 32))
                assert server.told.facts(Kind.SESSION_STARTED) == []

        run_virtual(ask())

    def test_an_announcement_is_good_once(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as server:
                token = announced((await post(server, "/twilio/voice", FORM)).text)
                async with handshake(server) as socket:
                    await socket.send(setup(token))
                    assert "AI assistant" in str(await socket.recv())
                assert await refused(server, setup(token, session="VX2"))

        run_virtual(ask())

    def test_of_two_processes_that_admit_one_announcement_one_falls_silent(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as one, running(public(tmp_path)) as other:
                token = announced((await post(one, "/twilio/voice", FORM)).text)
                async with handshake(one) as socket:
                    await socket.send(setup(token))
                    await socket.recv()
                    async with handshake(other) as second:
                        await second.send(setup(token, session="VX2"))
                        closing = [asyncio.create_task(each.wait_closed()) for each in (socket, second)]
                        done, still = await asyncio.wait(closing, timeout=5)
                        assert (len(done), len(still)) == (1, 1)
                        assert 1008 in (socket.close_code, second.close_code)
                await asyncio.wait(closing)

        run_virtual(ask())

    def test_another_account_is_refused(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(public(tmp_path)) as server:
                form = {**FORM, "AccountSid": "AC" + "9" * 32}
                assert (await post(server, "/twilio/voice", form)).status_code == 403

        run_virtual(ask())

    def test_studios_widget_gets_in_by_its_secret(self, tmp_path: Path) -> None:
        async def ask() -> None:
            secret = "studio-secret-of-the-widget"
            async with running(public(tmp_path, studio_secret=secret)) as server:
                frame = setup("").replace('"fivegates":""', f'"fivegates_secret":"{secret}"')
                async with handshake(server) as socket:
                    await socket.send(frame)
                    assert "AI assistant" in str(await socket.recv())
                assert await refused(server, frame.replace(secret, "studio-secret-of-nobody-"))

        run_virtual(ask())

    def test_a_server_for_this_machine_answers_nobody_else(self, tmp_path: Path) -> None:
        async def ask() -> None:
            async with running(Settings(data=tmp_path)) as server, httpx.AsyncClient() as http:
                voice = f"{server.base}/twilio/voice"
                assert (await http.post(voice, data=FORM)).status_code == 200
                for headers in ({"Host": "evil.example.com"}, {"X-Forwarded-For": "203.0.113.9"}):
                    assert (await http.post(voice, data=FORM, headers=headers)).status_code == 403
                    with pytest.raises(InvalidStatus):
                        await connect(
                            server.base.replace("http", "ws") + "/twilio/relay", additional_headers=headers
                        )

        run_virtual(ask())


class TestActions:
    ENDED: ClassVar = {**FORM, "SessionId": "VX1", "SessionDuration": "5", "CallStatus": "in-progress"}

    def answers(self, tmp_path: Path, *forms: dict[str, str]) -> list[str]:
        async def ask() -> list[str]:
            async with running(public(tmp_path)) as server:
                found = [(await post(server, "/twilio/action", self.ENDED | form)) for form in forms]
                assert {answer.status_code for answer in found} == {200}
                return [answer.text for answer in found]

        return run_virtual(ask())

    @pytest.mark.parametrize(
        ("form", "verbs"),
        [
            ({"SessionStatus": "completed", "CallStatus": "completed"}, "<Response />"),
            ({"SessionStatus": "completed"}, "<Response />"),
            ({"SessionStatus": "failed", "CallStatus": "completed", "ErrorCode": "64105"}, "<Response />"),
            ({"SessionStatus": "ended"}, "<Response><Hangup /></Response>"),
            (
                {"SessionStatus": "ended", "HandoffData": '{"reason":"goodbye","ref":"r"}'},
                "<Response><Hangup /></Response>",
            ),
            ({"SessionStatus": "failed", "ErrorCode": "64104"}, "<Response><Hangup /></Response>"),
        ],
    )
    def test_calls_that_are_over(self, tmp_path: Path, form: dict[str, str], verbs: str) -> None:
        assert self.answers(tmp_path, form)[0].endswith(verbs)

    @pytest.mark.parametrize(
        "form",
        [
            {"SessionStatus": "failed", "ErrorCode": "64105"},
            {"SessionStatus": "ended", "HandoffData": '{"reason":"resume","ref":"r"}'},
        ],
    )
    def test_a_lost_session_is_resumed(self, tmp_path: Path, form: dict[str, str]) -> None:
        assert "<ConversationRelay" in self.answers(tmp_path, form)[0]

    @pytest.mark.parametrize("code", ["64101", "64106", "64114"])
    def test_what_the_provider_refused_is_not_tried_again(self, tmp_path: Path, code: str) -> None:
        answer = self.answers(tmp_path, {"SessionStatus": "failed", "ErrorCode": code})[0]
        assert "<Say" in answer
        assert "<ConversationRelay" not in answer

    @pytest.mark.parametrize("data", ["not json", "[]", '{"reason":"complaint","ref":"r"}'])
    def test_a_reason_with_no_destination_yet_is_answered_in_words(self, tmp_path: Path, data: str) -> None:
        answer = self.answers(tmp_path, {"SessionStatus": "ended", "HandoffData": data})[0]
        assert "<Say" in answer
        assert "<Hangup" in answer

    def test_a_repeated_request_gets_the_same_answer(self, tmp_path: Path) -> None:
        form = {"SessionStatus": "failed", "ErrorCode": "64105"}
        one, two = self.answers(tmp_path, form, form)
        assert one == two
        assert self.answers(tmp_path, form) == [one], "another process gives it too"


def test_a_dropped_session_resumes_with_its_history_twice_at_most(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path)) as server, server.phone().call() as call:
            await call.quiet()
            await call.say("My name is Kim.")
            await call.until_heard("You said: My name is Kim.")
            for _ in range(2):
                await call.drop()
                await call.until_heard("Where were we?")
                await call.quiet()
            await call.drop()
            ended = await call.wait_ended()
            assert ended.spoken == (lines("en").apology,)
            assert sum("AI assistant" in str(f["text"]) for f in server.told.facts(Kind.DISCLOSURE_SENT)) == 1
            outcome = server.told.facts(Kind.CALL_ENDED)[0]["outcome"]
            assert outcome == "failed_by_system"

    run_virtual(call())


def test_sigterm_lets_a_call_end_and_then_hands_it_back(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path, drain_seconds=5.0)) as server:
            async with server.phone().call() as call:
                await call.quiet()
                server.server.stop()
                await call.say("Still there?")
                await call.until_heard("You said: Still there?")
                async with httpx.AsyncClient() as http:
                    assert (await http.get(f"{server.base}/readyz")).status_code == 503
            await server.serving

    run_virtual(call())


def test_readiness_is_told_in_words(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(public(tmp_path)) as server, httpx.AsyncClient() as http:
            assert (await http.get(f"{server.base}/healthz")).text == "alive\n"
            ready = await http.get(f"{server.base}/readyz")
            assert ready.json() == {"ready": True, "reasons": [], "impaired": []}

    run_virtual(ask())


def test_agents_are_chosen_by_the_dialled_number(tmp_path: Path) -> None:
    async def call() -> None:
        files = [
            parse(
                'agent: {name: one, numbers: ["+15550100001"], organisation: One}\nllm: [{provider: echo}]'
            ),
            parse("agent: {name: rest, organisation: Rest}\nllm: [{provider: echo}]"),
        ]
        async with running(public(tmp_path), files) as server:
            for called, organisation in (("+15550100001", "One"), ("+15550100009", "Rest")):
                async with server.phone(called=called).call() as call:
                    await call.until_heard(f"{organisation}'s AI assistant")

    run_virtual(call())


def test_a_refused_call_is_told_by_the_phone(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path)) as server:
            phone = Phone(
                Target(webhook=f"{PUBLIC}/twilio/voice", via=server.base), Account(ACCOUNT, "wrong")
            )
            with pytest.raises(CallRefused):
                async with phone.call():
                    pass

    run_virtual(call())


def test_a_call_that_outlasts_the_drain_is_handed_back_to_twilio(tmp_path: Path) -> None:
    async def call() -> None:
        settings = public(tmp_path, drain_seconds=2.0)
        async with running(settings) as server, server.phone().call() as call:
            await call.quiet()
            server.server.stop()
            ended = await call.wait_ended()
            assert ended.handoff_data is not None
            assert ended.handoff_data.startswith('{"reason":"resume","ref":"')

    run_virtual(call())


def test_a_call_of_a_worker_that_died_goes_on_in_another(tmp_path: Path) -> None:
    """Two servers over one data folder: the history is kept, the disclosure not repeated."""

    async def call() -> None:
        async with running(public(tmp_path)) as one, running(public(tmp_path)) as other:
            form = {**FORM, "CallStatus": "in-progress"}
            token = announced((await post(one, "/twilio/voice", FORM)).text)
            async with handshake(one) as socket:
                await socket.send(setup(token))
                await socket.recv()
                await socket.send('{"type":"info","name":"agentSpeaking","value":"on"}')
                played = '{"type":"info","name":"tokensPlayed","value":"Hi, this is Acme\'s AI assistant."}'
                await socket.send(played)
                await socket.send('{"type":"prompt","voicePrompt":"My name is Kim.","lang":"en","last":true}')
                async with asyncio.timeout(30):
                    while "Kim" not in str(await socket.recv()):
                        pass
                socket.transport.abort()
            failed = {**form, "SessionId": "VX1", "SessionStatus": "failed", "ErrorCode": "64105"}
            again = announced((await post(other, "/twilio/action", failed)).text)
            async with handshake(other) as socket:
                await socket.send(setup(again, session="VX2"))
                assert lines("en").resumed in str(await socket.recv())
            assert other.told.facts(Kind.SESSION_STARTED)[0]["resumed"] is True
            assert other.told.facts(Kind.DISCLOSURE_SENT) == []

    run_virtual(call())


def test_a_newer_session_lives_on_when_the_older_one_ends(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path)) as server:
            token = announced((await post(server, "/twilio/voice", FORM)).text)
            async with handshake(server) as older:
                await older.send(setup(token))
                await older.recv()
                failed = {**FORM, "SessionId": "VX1", "SessionStatus": "failed", "CallStatus": "in-progress"}
                again = announced((await post(server, "/twilio/action", failed)).text)
                async with handshake(server) as newer:
                    await newer.send(setup(again, session="VX2"))
                    await older.wait_closed()
                    await asyncio.sleep(10)
                    await newer.send('{"type":"prompt","voicePrompt":"Hi","lang":"en","last":true}')
                    async with asyncio.timeout(30):
                        while "Hi" not in str(await newer.recv()):
                            pass

    run_virtual(call())


def test_a_resumed_session_that_never_opens_counts_too(tmp_path: Path) -> None:
    async def ask() -> None:
        async with running(public(tmp_path)) as server:
            await post(server, "/twilio/voice", FORM)
            failed = {**FORM, "SessionStatus": "failed", "ErrorCode": "64105", "CallStatus": "in-progress"}
            answers = [
                (await post(server, "/twilio/action", {**failed, "SessionId": f"VX{n}"})).text
                for n in range(4)
            ]
            assert ["<ConversationRelay" in answer for answer in answers] == [True, True, False, False]

    run_virtual(ask())


def test_keyed_digits_stay_out_of_what_is_kept_when_they_are_read_back(tmp_path: Path) -> None:
    async def call() -> None:
        async with running(public(tmp_path)) as server, server.phone().call() as call:
            await call.quiet()
            await call.press("8675309123#")
            await call.until_heard("8675309123")
            await call.quiet()
        assert "8675309123" not in repr(server.told.events)

    run_virtual(call())
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"[10 digits]" in kept
    assert b"8675309123" not in kept
