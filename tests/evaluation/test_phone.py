"""The phone behaves as the carrier does, towards servers it has never seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvloop
from twilio.request_validator import RequestValidator
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from evaluation.clock import run_virtual
from evaluation.phone import (
    Account,
    ActionAnswered,
    AgentSpeaking,
    Call,
    CallerPartial,
    CallerSaid,
    CallOver,
    CallRefused,
    Connected,
    Dialled,
    FrameIn,
    FrameOut,
    HungUp,
    Interrupted,
    NotHeard,
    Phone,
    Played,
    Seen,
    Status,
    Target,
    Verb,
)
from tests.evaluation.servers import Agent, Webhooks, agent, echo, mute, relay_twiml, send, webhooks

DATA = Path(__file__).parents[1] / "data" / "conversationrelay"
TOKEN = "0123456789abcdef0123456789abcdef"
STORY = "Once upon a time, there was a caller. The caller had a question. The question had an answer."

Scenario = Callable[[Call, Agent, Webhooks], Coroutine[Any, Any, None]]
Reply = Callable[[ServerConnection, dict[str, Any]], Coroutine[Any, Any, None]]


def on_a_call(
    scenario: Scenario,
    reply: Reply = echo,
    *,
    action: str | tuple[int, str] = "<Response/>",
    observe: Callable[[Seen], None] = lambda _: None,
    end_waits: bool = True,
    **attributes: str,
) -> tuple[Agent, Webhooks]:
    """One call in virtual time, through webhook, TwiML, socket and action."""

    async def main() -> tuple[Agent, Webhooks]:
        async with agent(reply) as server, webhooks(voice="", action=action, status="") as hooks:
            hooks.answers["/voice"] = [(200, relay_twiml(server.url, **attributes))]
            target = Target(webhook=hooks.url("/voice"), status=hooks.url("/status"))
            async with Phone(target, observe=observe, end_waits=end_waits).call() as call:
                await scenario(call, server, hooks)
        return server, hooks

    return run_virtual(main())


def refused(target: Callable[[Agent, Webhooks], Target], **answers: str | tuple[int, str]) -> CallRefused:
    async def main() -> CallRefused:
        async with agent(mute) as server, webhooks(**answers) as hooks:
            with pytest.raises(CallRefused) as caught:
                async with Phone(target(server, hooks)).call():
                    pass
            return caught.value

    return run_virtual(main())


def sent(call: Call, *, since: float = 0.0) -> list[Mapping[str, object]]:
    return [seen.frame for seen in call.frames if isinstance(seen, FrameOut) and seen.at >= since]


async def tell_a_story(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="text", token=STORY, last=True)


async def tell_a_protected_story(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="text", token=STORY, last=True, interruptible=False)


def test_a_conversation_is_heard_as_it_was_spoken() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("I need help.")
        await call.quiet()
        said = "You said: I need help. Is there anything else that I can repeat?"
        assert " ".join(call.agent_text(call.answer_from).split()) == said

    server, hooks = on_a_call(scenario)
    assert [frame["voicePrompt"] for frame in server.of("prompt") if frame["last"]] == ["I need help."]
    assert hooks.forms("/voice")[0]["CallStatus"] == "ringing"


def test_setup_is_the_first_frame_and_names_the_call() -> None:
    async def scenario(call: Call, server: Agent, hooks: Webhooks) -> None:
        await call.quiet()
        setup = server.frames[0]
        recorded = json.loads((DATA / "greeting_dtmf.jsonl").read_text().splitlines()[2])["frame"]
        assert list(setup) == list(recorded)
        assert setup["callSid"] == call.call_sid == hooks.forms("/voice")[0]["CallSid"]
        assert setup["sessionId"] == call.session_id
        assert (setup["from"], setup["to"]) == ("+15550100002", "+15550100001")
        assert setup["customParameters"] == {"tenant": "acme"}

    on_a_call(scenario)


def test_partials_grow_and_the_final_comes_when_the_caller_stops() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("I need some help with my boiler.")

    server, _ = on_a_call(scenario)
    *partials, final = server.of("prompt")
    texts = [partial["voicePrompt"] for partial in partials]
    assert len(texts) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [partial["last"] for partial in partials] == [False] * len(partials)
    assert final == {
        "type": "prompt",
        "voicePrompt": "I need some help with my boiler.",
        "lang": "en-US",
        "last": True,
    }


def test_a_barge_in_reports_in_the_recorded_order() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_heard("Once upon a time")
        await asyncio.sleep(0.5)
        began = max(seen.at for seen in call.frames) + 0.4
        await call.say("Stop it.")
        frames = [
            frame.get("value") or frame.get("utteranceUntilInterrupt") or frame.get("voicePrompt")
            for frame in sent(call, since=began)
        ]
        assert frames == ["on", "there was", "there was", "Stop", "off", "Stop it.", "off", "Stop it."]
        assert call.agent_text().split() == ["Once", "upon", "a", "time,", "there", "was"]

    server, _ = on_a_call(scenario, tell_a_story)
    (interrupt,) = server.of("interrupt")
    assert interrupt["durationUntilInterruptMs"] == 500


@pytest.mark.parametrize(
    ("report", "prompts"), [("none", []), ("dtmf", []), ("speech", ["Hi."]), ("any", ["Hi."])]
)
def test_over_protected_speech_only_what_the_session_reports_arrives(report: str, prompts: list[str]) -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_speaking()
        await call.say("Hi.")
        await call.quiet(60)

    server, _ = on_a_call(scenario, tell_a_protected_story, reportInputDuringAgentSpeech=report)
    assert [frame["voicePrompt"] for frame in server.of("prompt") if frame["last"]] == prompts
    assert server.of("interrupt") == []


def test_keys_arrive_one_by_one_and_cut_the_agent() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_speaking()
        await call.press("12#")
        assert call.heard[-1].text == "[3 digits]"

    server, _ = on_a_call(scenario, tell_a_story)
    assert [frame["digit"] for frame in server.of("dtmf")] == ["1", "2", "#"]
    kinds = [frame["type"] for frame in server.frames]
    assert kinds.index("dtmf") < kinds.index("interrupt")
    assert len(server.of("interrupt")) == 1


def test_without_dtmf_detection_no_key_arrives() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.press("1")

    server, _ = on_a_call(scenario, dtmfDetection="false")
    assert server.of("dtmf") == []


def test_a_noise_interrupts_and_brings_no_prompt() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_speaking()
        await asyncio.sleep(0.3)
        await call.noise()

    server, _ = on_a_call(scenario, tell_a_story)
    assert len(server.of("interrupt")) == 1
    assert server.of("prompt") == []


def test_one_utterance_can_arrive_as_several_prompts() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("I would like to know the price.", finals=3, gap=0.08)
        assert [heard.text for heard in call.heard[-3:]] == ["I would", "like to know", "the price."]

    server, _ = on_a_call(scenario)
    finals = [frame["voicePrompt"] for frame in server.of("prompt") if frame["last"]]
    assert " ".join(finals) == "I would like to know the price."
    assert len(finals) == 3


def test_without_subscriptions_no_telemetry_is_sent_but_the_caller_hears() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("Hello?")
        await call.until_heard("You said: Hello?")

    server, _ = on_a_call(scenario, events="", partialPrompts="false")
    assert {frame["type"] for frame in server.frames} == {"setup", "prompt"}


def test_the_welcome_greeting_is_spoken_by_the_carrier() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        assert call.agent_text() == "Welcome to Acme."

    on_a_call(scenario, mute, welcomeGreeting="Welcome to Acme.")


@pytest.mark.parametrize(
    ("answer", "verb", "spoken"),
    [
        ("<Response/>", Verb.NONE, ()),
        ("<Response><Hangup/></Response>", Verb.HANGUP, ()),
        ("<Response><Say>Goodbye,  then.</Say></Response>", Verb.SAY, ("Goodbye, then.",)),
        ("<Response><Say>Hold on.</Say><Dial>+15550100003</Dial></Response>", Verb.DIAL, ("Hold on.",)),
        ('<Response><Enqueue workflowSid="WW1"><Task>{}</Task></Enqueue></Response>', Verb.ENQUEUE, ()),
        ("<Response><Redirect>/flow</Redirect></Response>", Verb.REDIRECT, ()),
        ((500, "Oh dear"), Verb.NONE, ()),
        ("not xml", Verb.NONE, ()),
    ],
)
def test_end_leads_to_the_action_and_where_its_twiml_says(
    answer: str | tuple[int, str], verb: Verb, spoken: tuple[str, ...]
) -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("Goodbye.")
        ended = await call.wait_ended()
        assert (ended.status, ended.verb, ended.spoken) == (Status.ENDED, verb, spoken)
        assert ended.handoff_data == '{"reason":"goodbye"}'
        with pytest.raises(CallOver):
            await call.say("Are you still there?")

    server, hooks = on_a_call(scenario, action=answer)
    assert server.closes == [(1000, "Closing websocket session")]
    (form,) = hooks.forms("/action")
    assert form["HandoffData"] == '{"reason":"goodbye"}'
    assert form["CallStatus"] == "in-progress"


def test_without_an_action_the_next_verb_of_the_document_follows() -> None:
    async def main() -> None:
        async with agent(echo) as server, webhooks(voice="") as hooks:
            document = relay_twiml(server.url, None, "<Say>Our office is closed.</Say><Hangup/>")
            hooks.answers["/voice"] = [(200, document)]
            async with Phone(Target(webhook=hooks.url("/voice"))).call() as call:
                await call.say("Goodbye.")
                ended = await call.wait_ended()
                assert (ended.verb, ended.spoken) == (Verb.HANGUP, ("Our office is closed.",))

    run_virtual(main())


async def say_farewell(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="text", token="Thank you for calling, goodbye.", last=True)
        await send(socket, type="end")


@pytest.mark.parametrize(
    ("end_waits", "heard"), [(True, "Thank you for calling, goodbye."), (False, "")], ids=["waits", "cuts"]
)
def test_end_lets_queued_speech_finish_unless_told_otherwise(end_waits: bool, heard: str) -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        assert (await call.wait_ended()).handoff_data is None
        assert " ".join(call.agent_text().split()) == heard

    _, hooks = on_a_call(scenario, say_farewell, end_waits=end_waits)
    assert "HandoffData" not in hooks.forms("/action")[0]


async def hold_forever(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="play", source="https://media.example.com/hold.mp3", loop=0)
        await send(socket, type="end")


def test_endless_music_does_not_hold_the_end_up_for_ever() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        assert (await call.wait_ended(300)).status is Status.ENDED

    on_a_call(scenario, hold_forever)


def test_hanging_up_during_the_closing_words_is_the_callers_end() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_speaking()
        await call.hang_up()
        assert call.ended is not None
        assert call.ended.status is Status.COMPLETED

    server, _ = on_a_call(scenario, say_farewell)
    assert len(server.closes) == 1


def test_hanging_up_closes_asks_the_action_and_tells_the_status_callback() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.hang_up()
        assert call.ended is not None
        assert call.ended.status is Status.COMPLETED

    server, hooks = on_a_call(scenario)
    assert server.closes == [(1000, "Closing websocket session")]
    assert [request.path for request in hooks.requests] == ["/voice", "/action", "/status"]


def test_leaving_the_call_hangs_up() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        pass

    _, hooks = on_a_call(scenario)
    assert hooks.forms("/action")[0]["SessionStatus"] == "completed"


def test_a_dropped_call_goes_on_in_a_second_session() -> None:
    async def scenario(call: Call, server: Agent, hooks: Webhooks) -> None:
        hooks.answers["/action"] = [(200, relay_twiml(server.url)), (200, "<Response/>")]
        await call.quiet()
        first = call.session_id
        await call.drop()
        assert call.ended is None
        assert call.session_id != first
        await call.say("Are you there?")
        await call.until_heard("You said: Are you there?")

    server, hooks = on_a_call(scenario)
    one, two = server.of("setup")
    assert one["callSid"] == two["callSid"]
    assert one["sessionId"] != two["sessionId"]
    assert (one["callStatus"], two["callStatus"]) == ("RINGING", "IN_PROGRESS")
    assert server.closes[0][0] == 1006
    assert [form["SessionStatus"] for form in hooks.forms("/action")] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("recording", "status"),
    [("greeting_dtmf", "completed"), ("end_then_say_hangup", "ended"), ("socket_drop", "failed")],
)
def test_the_action_request_has_the_recorded_fields(recording: str, status: str) -> None:
    recorded = json.loads((DATA / f"{recording}.jsonl").read_text().splitlines()[-1])["form"]

    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        match status:
            case "ended":
                await call.say("Goodbye.")
                await call.wait_ended()
            case "failed":
                await call.drop()

    _, hooks = on_a_call(scenario)
    (form,) = hooks.forms("/action")
    assert form["SessionStatus"] == status
    assert form.keys() == recorded.keys()
    same = {"SessionStatus", "CallStatus", "ErrorCode", "ErrorMessage", "Direction", "ApiVersion"}
    assert {key: form[key] for key in same & form.keys()} == {
        key: recorded[key] for key in same & form.keys()
    }


async def talk_nonsense(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        for number in range(1, 11):
            await socket.send(f"this is not json #{number}")


def test_ten_malformed_frames_end_the_session_as_failed() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        ended = await call.wait_ended()
        assert (ended.status, ended.error_code, ended.close_code) == (Status.FAILED, "64105", 1007)

    server, _ = on_a_call(scenario, talk_nonsense)
    assert len(server.of("error")) == 10
    assert (
        server.of("error")[0]["description"] == "Invalid message received, code: 64107, this is not json #1"
    )
    assert server.closes == [(1007, "Too many consecutive malformed messages.")]


async def close_at_once(socket: ServerConnection, _: dict[str, Any]) -> None:
    await socket.close(1011, "crash")


def test_a_server_that_closes_has_failed() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        ended = await call.wait_ended()
        assert (ended.status, ended.error_code, ended.close_code) == (Status.FAILED, "64105", 1011)

    on_a_call(scenario, close_at_once)


async def answer_in(language: str, socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="language", transcriptionLanguage=language)


def test_a_language_switch_shows_in_the_next_prompt() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await asyncio.sleep(1)
        await call.say("Hallo.")

    server, _ = on_a_call(scenario, lambda socket, frame: answer_in("de-DE", socket, frame))
    assert server.of("configUpdated")
    assert server.of("prompt")[-1]["lang"] == "de-DE"


def test_any_frame_can_be_sent_to_the_server() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.send_raw('{"type":"news","value":1}')
        await call.quiet()

    server, _ = on_a_call(scenario)
    assert server.of("news") == [{"type": "news", "value": 1}]


async def say_everything(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="config", interruptible="none")
        await send(socket, type="hints", hints="Acme Home")
        await send(socket, type="language", ttsLanguage="ko-KR")
        await send(socket, type="sendDigits", digits="1w2")
        await socket.send(b"bytes")


def test_every_kind_of_frame_has_its_answer() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_heard("1w2")

    server, _ = on_a_call(scenario, say_everything)
    answers = [frame.get("name", frame["type"]) for frame in server.frames]
    assert answers[:5] == ["setup", "configUpdated", "configUpdated", "configUpdated", "error"]
    assert {"type": "info", "name": "tokensPlayed", "value": "1w2"} in server.frames


def test_a_call_that_ends_before_the_awaited_words_is_told() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()
        await call.say("Goodbye.")
        with pytest.raises(NotHeard, match="the call ended before"):
            await call.until_heard("See you soon")

    on_a_call(scenario)


def test_silence_is_told_as_not_heard() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        with pytest.raises(NotHeard, match="has not answered"):
            await call.quiet(5)
        with pytest.raises(NotHeard, match="was not said"):
            await call.until_heard("hello", 5)
        with pytest.raises(NotHeard, match="goes on"):
            await call.wait_ended(5)

    on_a_call(scenario, mute)


async def forget_last(socket: ServerConnection, frame: dict[str, Any]) -> None:
    if frame["type"] == "setup":
        await send(socket, type="text", token="Hello there. How are you?")


def test_a_cycle_that_nobody_closed_is_named() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        with pytest.raises(NotHeard, match="no last:true"):
            await call.quiet(10)

    on_a_call(scenario, forget_last)


def test_the_observer_sees_the_call_in_order() -> None:
    seen: list[Seen] = []

    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.until_speaking()
        await asyncio.sleep(0.2)
        await call.say("Wait.")

    on_a_call(scenario, tell_a_story, observe=seen.append)
    kinds = [type(one) for one in seen if not isinstance(one, FrameIn | FrameOut)]
    assert kinds == [
        Dialled,
        Connected,
        AgentSpeaking,
        Played,
        Interrupted,
        CallerPartial,
        AgentSpeaking,
        CallerSaid,
        ActionAnswered,
        HungUp,
    ]
    times = [one.at for one in seen]
    assert times == sorted(times)


def test_an_observers_fault_reaches_whoever_waits() -> None:
    def observe(seen: Seen) -> None:
        match seen:
            case AgentSpeaking():
                raise RuntimeError("the observer broke")

    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()

    with pytest.raises(ExceptionGroup) as caught:
        on_a_call(scenario, observe=observe)
    assert caught.group_contains(RuntimeError, match="the observer broke")


def test_webhooks_are_signed_over_the_public_address() -> None:
    async def main() -> None:
        account = Account("AC" + "1" * 32, TOKEN)
        async with webhooks(voice="<Response/>") as hooks:
            target = Target(webhook="https://voice.example.com/voice", via=f"http://127.0.0.1:{hooks.port}")
            async with Phone(target, account).call():
                pass
        (voice,) = hooks.requests
        signature = voice.headers["x-twilio-signature"]
        assert RequestValidator(TOKEN).validate(
            "https://voice.example.com/voice", dict(voice.form), signature
        )
        assert voice.headers["host"] == "voice.example.com"
        assert voice.headers["x-fivegates-rehearsal"] == "1"
        assert voice.form["AccountSid"] == account.sid

    run_virtual(main())


def test_a_get_action_is_signed_with_its_query() -> None:
    async def main() -> None:
        account = Account(auth_token=TOKEN)
        async with agent(echo) as server, webhooks(voice="", action="<Response/>") as hooks:
            document = relay_twiml(server.url).replace("<Connect ", '<Connect method="GET" ')
            hooks.answers["/voice"] = [(200, document)]
            async with Phone(Target(webhook=hooks.url("/voice")), account).call():
                pass
            action = hooks.requests[-1]
            assert (action.method, action.form["SessionStatus"]) == ("GET", "completed")
            signature = action.headers["x-twilio-signature"]
            url = f"{hooks.url('/action')}?{urlencode(action.form)}"
            assert RequestValidator(TOKEN).validate(url, {}, signature)

    run_virtual(main())


def test_the_handshake_is_signed_over_the_url_attribute_as_written() -> None:
    async def main() -> None:
        url = "wss://voice.example.com/relay"
        async with agent(echo) as server:
            target = Target(socket=url, via=f"http://127.0.0.1:{server.port}")
            async with Phone(target, Account(auth_token=TOKEN)).call() as call:
                await call.quiet()
        (handshake,) = server.handshakes
        assert RequestValidator(TOKEN).validate(url, {}, handshake["X-Twilio-Signature"])
        assert handshake["Host"] == "voice.example.com"
        assert handshake["User-Agent"] == "Jetty/11.0.24"
        assert "Sec-WebSocket-Extensions" not in handshake

    run_virtual(main())


def test_without_a_token_nothing_is_signed() -> None:
    async def scenario(call: Call, _: Agent, __: Webhooks) -> None:
        await call.quiet()

    server, hooks = on_a_call(scenario)
    assert "X-Twilio-Signature" not in server.handshakes[0]
    assert "x-twilio-signature" not in hooks.requests[0].headers


def test_a_call_straight_to_a_socket_has_twiml_defaults() -> None:
    async def main() -> None:
        async with agent(echo) as server:
            target = Target(socket=server.url, parameters={"campaign": "autumn"})
            async with Phone(target).call() as call:
                await call.quiet()
                await call.say("Hello.")
                await call.quiet()
            assert server.of("setup")[0]["customParameters"] == {"campaign": "autumn"}
            assert {frame["type"] for frame in server.frames} == {"setup", "prompt"}
            assert call.ended is not None
            assert (call.ended.status, call.ended.verb) == (Status.COMPLETED, Verb.NONE)

    run_virtual(main())


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_refused_webhook_refuses_the_call(status: int) -> None:
    error = refused(lambda _, hooks: Target(webhook=hooks.url("/voice")), voice=(status, ""))
    assert error.status == status


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{}", "not XML"),
        ("<Twiml/>", "not <Response>"),
        ("<!DOCTYPE x [<!ENTITY y 'z'>]><Response/>", "no entities"),
        ('<Response><Connect><ConversationRelay url="https://x/y"/></Connect></Response>', "wss://"),
        (relay_twiml("wss://x/y", interruptible="sometimes"), "interruptible='sometimes'"),
    ],
)
def test_what_is_no_twiml_refuses_the_call(document: str, reason: str) -> None:
    error = refused(lambda _, hooks: Target(webhook=hooks.url("/voice")), voice=document)
    assert reason in error.reason


@pytest.mark.parametrize(
    "target",
    [
        Target(socket="ws://127.0.0.1:1/relay"),
        Target(socket="http://127.0.0.1:1/relay"),
        Target(socket="ws://127.0.0.1:1/relay", attributes={"interruptible": "perhaps"}),
    ],
    ids=["nobody listens", "no websocket", "no such value"],
)
def test_a_socket_that_cannot_be_called_refuses_the_call(target: Target) -> None:
    assert refused(lambda _, __: target).status is None


def test_a_server_that_is_not_there_refuses_the_call() -> None:
    async def main() -> None:
        async with webhooks() as hooks:
            gone = hooks.url("/voice")
        with pytest.raises(CallRefused, match="ConnectError"):
            async with Phone(Target(webhook=gone)).call():
                pass

    run_virtual(main())


def test_a_refused_handshake_refuses_the_call() -> None:
    def forbid(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(403, "")

    async def main() -> None:
        async with serve(mute_socket, "127.0.0.1", 0, process_request=forbid) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(CallRefused) as caught:
                async with Phone(Target(socket=f"ws://127.0.0.1:{port}/relay")).call():
                    pass
            assert caught.value.status == 403

    run_virtual(main())


async def mute_socket(socket: ServerConnection) -> None:
    await socket.wait_closed()


def test_a_second_session_that_is_refused_ends_the_call() -> None:
    async def scenario(call: Call, _: Agent, hooks: Webhooks) -> None:
        await call.quiet()
        hooks.answers["/action"] = [(200, relay_twiml(hooks.url("/nowhere").replace("http", "ws")))]
        await call.drop()
        ended = await call.wait_ended()
        assert (ended.status, ended.error_code) == (Status.FAILED, "64102")

    on_a_call(scenario)


def test_a_webhook_without_a_relay_never_connects() -> None:
    async def main() -> None:
        document = "<Response><Say>We are busy.</Say><Hangup/></Response>"
        async with (
            webhooks(voice=document) as hooks,
            Phone(Target(webhook=hooks.url("/voice"))).call() as call,
        ):
            assert call.ended is not None
            assert (call.ended.status, call.ended.verb) == (Status.NEVER_CONNECTED, Verb.HANGUP)
            assert call.agent_text() == "We are busy."
            await call.quiet()

    run_virtual(main())


def test_a_target_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="webhook or a socket"):
        Phone(Target())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_in_real_time_on_any_loop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        async with agent(echo) as server:
            attributes = {"events": "tokens-played"}
            async with Phone(Target(socket=server.url, attributes=attributes)).call() as call:
                await call.until_speaking()
                await call.noise()
                await call.drop()
            assert len(server.of("interrupt")) == 1

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
