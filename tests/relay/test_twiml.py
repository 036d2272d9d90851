"""The TwiML: each attribute of the agent file, element by element as the vendor's SDK writes it."""

from __future__ import annotations

import inspect
from xml.etree import ElementTree as ET

import pytest
from twilio.twiml.voice_response import Connect, VoiceResponse

from policies.agent_voice import Voice, VoiceLanguage
from relay import twiml

SOCKET, ACTION = "wss://voice.example.com/twilio/relay", "https://voice.example.com/twilio/action"

FULL = Voice(
    welcome_greeting="Welcome <to> Acme & Co.",
    welcome_greeting_interruptible="none",
    language="multi",
    tts_language="en-US",
    transcription_language="multi",
    tts_provider="ElevenLabs",
    voice="abc",
    transcription_provider="Deepgram",
    speech_model="flux",
    profanity_filter=False,
    dtmf_detection=True,
    interruptible="speech",
    interrupt_sensitivity="low",
    ignore_backchannel=True,
    report_input_during_agent_speech="dtmf",
    preemptible=True,
    partial_prompts=True,
    hints=("Acme", "yearly check"),
    speech_timeout="1.2s",  # type: ignore[arg-type]  # as the file has it
    eot_threshold=0.7,
    eager_eot_threshold=0.4,
    turn_detection=True,
    echo_prompt_filtering=True,
    background_noise_reduction=True,
    asr_smart_format=False,
    tts_text_normalization="auto",
    tts_language_text_normalization=True,
    include_in_prompt=("turn-state", "prompt-segments"),
    partial_prompt_on_hangup=True,
    application_reconnect=True,
    events=("tokens-played",),
    debug=("debugging",),
    intelligence_service="GA1",
    conversation_configuration="conv_configuration_1",
    customer_name="Acme",
    languages=(
        VoiceLanguage(
            code="ko-KR",
            tts_provider="Google",
            voice="ko-KR-Chirp3-HD-Aoede",
            transcription_provider="Google",
            speech_model="telephony",
            hints=("아크메",),
            asr_smart_format=True,
            tts_text_normalization="off",
            tts_language_text_normalization=False,
        ),
    ),
    parameters={"tenant": "acme"},
)


def rendered(voice: Voice, *, greeted: bool = False) -> ET.Element:
    xml = twiml.connect(
        voice, "en-US", socket=SOCKET, action=ACTION, parameters={"fivegates": "t"}, greeted=greeted
    )
    return ET.fromstring(xml)


def tree(element: ET.Element) -> tuple[str, dict[str, str], str, list[object]]:
    return element.tag, dict(element.attrib), element.text or "", [tree(child) for child in element]


def test_every_attribute_is_rendered_as_the_sdk_renders_it() -> None:
    response = VoiceResponse()
    connect = Connect(action=ACTION, method="POST")
    relay = connect.conversation_relay(
        url=SOCKET,
        welcome_greeting="Welcome <to> Acme & Co.",
        welcome_greeting_interruptible="none",
        language="multi",
        tts_language="en-US",
        transcription_language="multi",
        tts_provider="ElevenLabs",
        voice="abc",
        transcription_provider="Deepgram",
        speech_model="flux",
        profanity_filter=False,
        dtmf_detection=True,
        interruptible="speech",
        interrupt_sensitivity="low",
        ignoreBackchannel=True,
        report_input_during_agent_speech="dtmf",
        preemptible=True,
        partial_prompts=True,
        hints="Acme,yearly check",
        speechTimeout=1200,
        eot_threshold=0.7,
        eager_eot_threshold=0.4,
        turn_detection=True,
        echo_prompt_filtering=True,
        backgroundNoiseReduction=True,
        asr_smart_format=False,
        tts_text_normalization="auto",
        tts_language_text_normalization=True,
        include_in_prompt="turn-state prompt-segments",
        partial_prompt_on_hangup=True,
        application_reconnect=True,
        events="tokens-played",
        debug="debugging",
        intelligence_service="GA1",
        conversation_configuration="conv_configuration_1",
        customer_name="Acme",
    )
    relay.language(
        code="ko-KR",
        tts_provider="Google",
        voice="ko-KR-Chirp3-HD-Aoede",
        transcription_provider="Google",
        speech_model="telephony",
        hints="아크메",
        asr_smart_format=True,
        tts_text_normalization="off",
        tts_language_text_normalization=False,
    )
    relay.parameter(name="tenant", value="acme")
    relay.parameter(name="fivegates", value="t")
    response.append(connect)
    assert tree(rendered(FULL)) == tree(ET.fromstring(str(response)))


def test_a_file_without_a_voice_still_subscribes_to_what_proof_needs() -> None:
    relay = rendered(Voice()).find("./Connect/ConversationRelay")
    assert relay is not None
    assert relay.attrib == {
        "url": SOCKET,
        "language": "en-US",
        "dtmfDetection": "true",
        "reportInputDuringAgentSpeech": "any",
        "events": "speaker-events tokens-played",
    }


def test_a_caller_who_comes_back_is_not_greeted_again() -> None:
    relay = rendered(FULL, greeted=True).find("./Connect/ConversationRelay")
    assert relay is not None
    assert "welcomeGreeting" not in relay.attrib


SET_BY_US = {"url", "kwargs", "self"}
SUPERSEDED_ALIASES = {"elevenlabs_language_text_normalization"}


def test_every_parameter_of_the_sdk_has_its_key_in_the_agent_file() -> None:
    camel = {
        "backgroundNoiseReduction": "background_noise_reduction",
        "speechTimeout": "speech_timeout",
        "deepgramSmartFormat": "deepgram_smart_format",
        "ignoreBackchannel": "ignore_backchannel",
    }
    known = {camel.get(name, name) for name in inspect.signature(Connect.conversation_relay).parameters}
    assert known - SET_BY_US - SUPERSEDED_ALIASES <= set(Voice.model_fields)


@pytest.mark.parametrize(
    ("xml", "verbs"),
    [
        (twiml.goodbye("Bye <now>.", "en-US"), ["Say", "Hangup"]),
        (twiml.hang_up(), ["Hangup"]),
        (twiml.nothing(), []),
    ],
)
def test_the_short_answers(xml: str, verbs: list[str]) -> None:
    assert [child.tag for child in ET.fromstring(xml)] == verbs
