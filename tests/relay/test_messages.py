"""The wire: whatever Twilio sends is read, and nothing that it would refuse can be built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.wire import Judge
from evaluation.wire import Malformed as RefusedByTwilio
from relay.messages import (
    HANDOFF_DATA_LIMIT,
    AgentSpeaking,
    CallerSpeaking,
    CarrierError,
    ConfigUpdated,
    Dtmf,
    End,
    Inbound,
    Interrupt,
    InvalidFrame,
    Language,
    Malformed,
    Play,
    Prompt,
    RoundTrip,
    SendDigits,
    Setup,
    Text,
    TokensPlayed,
    Unknown,
    dump,
    handoff_data,
    parse,
)

RECORDINGS = sorted((Path(__file__).parents[1] / "data" / "conversationrelay").glob("*.jsonl"))


@pytest.mark.parametrize(
    ("frame", "read"),
    [
        ('{"type":"prompt","voicePrompt":"Hi","lang":"en","last":false}', Prompt("Hi", "en", last=False)),
        ('{"type":"prompt","voicePrompt":null,"lang":"en","last":true}', Prompt("", "en", last=True)),
        ('{"type":"prompt","voicePrompt":"Hi","last":"false","new":[1]}', Prompt("Hi", "", last=False)),
        ('{"type":"prompt","voicePrompt":"Hi","lang":"en"}', Prompt("Hi", "en", last=True)),
        ('{"type":"dtmf","digit":"#"}', Dtmf("#")),
        ('{"type":"dtmf","digit":7}', Dtmf("7")),
        ('{"type":"dtmf","digit":"12"}', Malformed("dtmf without a key")),
        (
            '{"type":"interrupt","utteranceUntilInterrupt":"Hi","durationUntilInterruptMs":684}',
            Interrupt("Hi", 684),
        ),
        (
            '{"type":"interrupt","utteranceUntilInterrupt":"","durationUntilInterruptMs":"460"}',
            Interrupt("", 460),
        ),
        ('{"type":"interrupt","durationUntilInterruptMs":"1e999"}', Interrupt("", 0)),
        ('{"type":"info","name":"agentSpeaking","value":"on"}', AgentSpeaking(on=True)),
        ('{"type":"info","name":"clientSpeaking","value":"off","ts":1}', CallerSpeaking(on=False)),
        ('{"type":"info","name":"tokensPlayed","value":" Hi"}', TokensPlayed(" Hi")),
        ('{"type":"info","name":"roundTripDelayMs","value":"148"}', RoundTrip(148)),
        ('{"type":"info","name":"somethingNew","value":"1"}', Unknown("info somethingNew")),
        (
            '{"type":"error","description":"Invalid message received"}',
            CarrierError("Invalid message received"),
        ),
        ('{"type":"configUpdated","config":{}}', ConfigUpdated()),
        ('{"type":"eagerEndOfTurn"}', Unknown("eagerEndOfTurn")),
        ('{"type":"setup","callSid":"CA1"}', Malformed("setup without sessionId or callSid")),
        ('{"type":5}', Malformed("no type")),
        ("[]", Malformed("not a JSON object")),
        ("this is not json", Malformed("not JSON")),
        ("[" * 100_000, Malformed("not JSON")),
        (b"\xff\xfe", Malformed("not JSON")),
    ],
)
def test_every_frame_is_read(frame: str | bytes, read: Inbound) -> None:
    assert parse(frame) == read


def test_setup_holds_who_calls_whom() -> None:
    setup = parse(
        '{"type":"setup","sessionId":"VX1","accountSid":"AC1","callSid":"CA1","parentCallSid":"","from":"+1555",'
        '"to":"sip:a@b","direction":"outbound-api","callType":"PSTN","callStatus":"RINGING",'
        '"customParameters":{"tenant":"acme","n":1},"applicationSid":"AP1"}'
    )
    assert isinstance(setup, Setup)
    assert (setup.caller, setup.called, setup.account_sid) == ("+1555", "sip:a@b", "AC1")
    assert setup.parameters == {"tenant": "acme", "n": "1"}
    assert setup.outbound


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KEYS = ["type", "voicePrompt", "last", "digit", "name", "value", "callSid", "sessionId", "customParameters"]
TYPES = ["setup", "prompt", "dtmf", "interrupt", "info", "error"]


@given(st.binary() | st.text())
def test_no_bytes_can_raise(frame: str | bytes) -> None:
    parse(frame)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(KEYS[1:]), JSON))
def test_no_values_can_raise(kind: str, fields: dict[str, object]) -> None:
    parse(json.dumps({**fields, "type": kind}))


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_every_frame_of_a_recorded_call_is_known(recording: Path) -> None:
    for line in recording.read_text().splitlines():
        entry = json.loads(line)
        if entry["dir"] == "in":
            assert not isinstance(parse(json.dumps(entry["frame"])), Unknown | Malformed)


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        (Text(token="Hi", last=False), {"type": "text", "token": "Hi", "last": False}),
        (Text(token="", last=True), {"type": "text", "token": "", "last": True}),
        (
            Text(token="안녕", last=True, lang="ko-KR", interruptible=False, preemptible=False),
            {
                "type": "text",
                "token": "안녕",
                "last": True,
                "lang": "ko-KR",
                "interruptible": False,
                "preemptible": False,
            },
        ),
        (
            Play(source="https://example.com/a.mp3", loop=0),
            {"type": "play", "source": "https://example.com/a.mp3", "loop": 0},
        ),
        (SendDigits(digits="1w2#"), {"type": "sendDigits", "digits": "1w2#"}),
        (Language(tts_language="ko-KR"), {"type": "language", "ttsLanguage": "ko-KR"}),
        (
            Language(tts_language="es-MX", transcription_language="multi"),
            {"type": "language", "ttsLanguage": "es-MX", "transcriptionLanguage": "multi"},
        ),
        (End(), {"type": "end"}),
        (End(handoff_data='{"reason":"resume"}'), {"type": "end", "handoffData": '{"reason":"resume"}'}),
    ],
)
def test_frames_are_written_as_twilio_documents_them(
    frame: Text | Play | SendDigits | Language | End, sent: dict[str, object]
) -> None:
    assert json.loads(dump(frame)) == sent
    assert not isinstance(Judge().judge(dump(frame)), RefusedByTwilio)


def test_what_twilio_would_refuse_cannot_be_built() -> None:
    for build in (
        lambda: Text(token=None, last=True),  # type: ignore[arg-type]
        lambda: Text(token="half \ud83d", last=True),
        lambda: Text(token="Hi", last=True, lang="English!"),
        lambda: Play(source="javascript:1"),
        lambda: Play(source="https://example.com/a.mp3", loop=-1),
        lambda: SendDigits(digits=""),
        lambda: SendDigits(digits="12a"),
        Language,
        lambda: Language(tts_language="en US"),
        lambda: End(handoff_data="x" * (HANDOFF_DATA_LIMIT + 1)),
    ):
        with pytest.raises(InvalidFrame):
            build()


def test_handoff_data_is_compact_flat_and_begins_with_its_reason() -> None:
    assert handoff_data("resume", "r1") == '{"reason":"resume","ref":"r1"}'
