"""The voice section knows Twilio's attributes, their values and what goes together."""

from __future__ import annotations

import inspect

import pytest
from twilio.twiml.voice_response import Connect, ConversationRelay

from policies.agent_faults import AgentFileInvalid
from policies.agent_file import parse
from policies.agent_voice import Voice, VoiceLanguage

NOT_NAMED_BY_THE_SDK = {"eot_threshold", "conversation_configuration"}  # it passes them on all the same
NOT_ATTRIBUTES = {"languages", "parameters"}
MULTI = "'multi' needs `transcription_provider: Deepgram` and `tts_provider: ElevenLabs`"
FLUX = "works only with Deepgram's `speech_model: flux`"


def voice(section: str) -> Voice:
    return parse(f"agent: {{name: a}}\nllm: [{{provider: echo}}]\nvoice: {section}", source="f").voice


def faults(section: str) -> list[str]:
    with pytest.raises(AgentFileInvalid) as refused:
        voice(section)
    return [fault.key.removeprefix("voice.") + ": " + fault.says for fault in refused.value.faults]


def snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


@pytest.mark.parametrize(
    ("element", "ours", "own"),
    [
        # The last one is an older name of `tts_language_text_normalization`.
        (Connect.conversation_relay, Voice, {"url", "self", "elevenlabs_language_text_normalization"}),
        (ConversationRelay.language, VoiceLanguage, {"self"}),
    ],
)
def test_every_attribute_of_the_vendors_sdk_has_its_key(
    element: object, ours: type[Voice | VoiceLanguage], own: set[str]
) -> None:
    assert callable(element)
    theirs = {snake(name) for name in inspect.signature(element).parameters} - {"kwargs"} - own
    extra = NOT_NAMED_BY_THE_SDK | NOT_ATTRIBUTES if ours is Voice else set()
    assert set(ours.model_fields) == theirs | extra


def test_only_what_the_design_asks_for_is_sent_unasked() -> None:
    assert voice("{}").attributes() == {
        "dtmf_detection": True,
        "report_input_during_agent_speech": "any",
        "events": "speaker-events tokens-played",
    }


def test_what_is_set_is_written_as_twilio_wants_it() -> None:
    section = voice("""
  tts_provider: ElevenLabs
  voice: abc123
  transcription_provider: Deepgram
  speech_model: flux
  language: multi
  eot_threshold: 0.7
  eager_eot_threshold: 0.5
  interruptible: true
  welcome_greeting_interruptible: false
  hints: [Acme Home, AcmeCare]
  speech_timeout: 1.2s
  include_in_prompt: [turn-state, prompt-segments]
  debug: [debugging]
  events: []
  profanity_filter: false
  parameters: {tenant: acme}
  languages:
    - {code: ko-KR, tts_provider: Google, voice: ko-KR-Chirp3-HD-Aoede, speech_model: nova-3-general,
       hints: [에이크미]}
    - {code: multi}
""")  # fmt: skip
    assert section.attributes() == {
        "tts_provider": "ElevenLabs",
        "voice": "abc123",
        "transcription_provider": "Deepgram",
        "speech_model": "flux",
        "language": "multi",
        "eot_threshold": 0.7,
        "eager_eot_threshold": 0.5,
        "interruptible": "any",
        "welcome_greeting_interruptible": "none",
        "hints": "Acme Home,AcmeCare",
        "speech_timeout": 1200,
        "include_in_prompt": "turn-state prompt-segments",
        "debug": "debugging",
        "dtmf_detection": True,
        "report_input_during_agent_speech": "any",
        "profanity_filter": False,
    }
    assert voice("{speech_timeout: auto}").speech_timeout == "auto"
    assert section.parameters == {"tenant": "acme"}
    assert section.languages[0].attributes() == {
        "code": "ko-KR",
        "tts_provider": "Google",
        "voice": "ko-KR-Chirp3-HD-Aoede",
        "speech_model": "nova-3-general",
        "hints": "에이크미",
    }
    assert section.languages[1].attributes() == {"code": "multi"}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{speech_timeout: 500ms}", ["speech_timeout: must be auto or between 600ms and 5s"]),
        ("{speech_timeout: 5001ms}", ["speech_timeout: must be auto or between 600ms and 5s"]),
        (
            "{speech_timeout: 700}",
            ["speech_timeout: must be a number with a unit: 800ms, 1.2s, 5m, 2h or 90d"],
        ),
        (
            "{tts_provider: Elevenlabs}",
            ["tts_provider: must be one of Google, Amazon, ElevenLabs; did you mean 'ElevenLabs'?"],
        ),
        ("{interruptible: voice}", ["interruptible: must be one of none, dtmf, speech, any"]),
        (
            "{profanity_filter: yes}",
            ["profanity_filter: must be true or false (yes, no, on and off are text)"],
        ),
        ("{hints: ['a, b']}", ["hints[0]: a hint cannot hold a comma: make it two hints"]),
        ("{hints: ['']}", ["hints[0]: must not be empty"]),
        (
            "{events: [speaker-event]}",
            ["events[0]: must be one of speaker-events, tokens-played; did you mean 'speaker-events'?"],
        ),
        ("{tts_language: multi}", ["tts_language: must be a language tag such as en-US or ko-KR"]),
        ("{parameters: {a: 1}}", ["parameters.a: must be text; put it in quotes"]),
        (
            "{parameters: {a: %s}}" % ("x" * 499),
            ["parameters: a: name and value together must stay under 500 characters"],
        ),
        (
            "{dtmfDetection: true}",
            ["dtmfDetection: unknown key 'dtmfDetection'; did you mean 'dtmf_detection'?"],
        ),
        (
            "{transcription_provider: Google, speech_model: flux}",
            ["speech_model: 'flux' is not a model of Google"],
        ),
        (
            "{transcription_provider: Deepgram, speech_model: telephony}",
            ["speech_model: 'telephony' is not a model of Deepgram"],
        ),
        ("{transcription_provider: Google, speech_model: long}", []),
        ("{language: multi}", [f"language: {MULTI}"]),
        (
            "{transcription_language: multi, tts_provider: Google, transcription_provider: Deepgram}",
            [f"transcription_language: {MULTI}"],
        ),
        ("{languages: [{code: multi, tts_provider: ElevenLabs}]}", [f"languages[0].code: {MULTI}"]),
        ("{languages: [{code: multi, tts_provider: ElevenLabs, transcription_provider: Deepgram}]}", []),
        ("{languages: [{code: en-US}, {code: en-us}]}", ["languages[1].code: en-us is listed twice"]),
        (
            "{eot_threshold: 0.7, eager_eot_threshold: 0.4}",
            [f"eager_eot_threshold: {FLUX}", f"eot_threshold: {FLUX}"],
        ),
        ("{eot_threshold: 0.95}", ["eot_threshold: must be less than or equal to 0.9"]),
        (
            "{transcription_provider: Deepgram, speech_model: flux, eager_eot_threshold: 0.8}",
            ["eager_eot_threshold: must be below `eot_threshold` (0.8), since it fires before it"],
        ),
        (
            "{asr_smart_format: true, deepgram_smart_format: false}",
            ["deepgram_smart_format: remove it: `asr_smart_format` is set and takes precedence"],
        ),
    ],
)
def test_what_twilio_would_refuse_or_ignore_is_a_fault(section: str, expected: list[str]) -> None:
    if expected:
        assert faults(section) == expected
    else:
        assert voice(section)
