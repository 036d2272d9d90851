"""A TwiML document is read as the carrier follows it."""

from __future__ import annotations

import pytest

from evaluation.seen import Verb
from evaluation.twiml import (
    BadTwiml,
    Dial,
    Enqueue,
    Hangup,
    Instruction,
    Other,
    Redirect,
    Relay,
    Say,
    decisive,
    parse,
    relay,
)
from evaluation.wire import Inputs

HERE = "https://voice.example.com/twilio/voice"
NOUN = '<ConversationRelay url="wss://voice.example.com/relay"'


def session(attributes: str = "", children: str = "", connect: str = "") -> Relay:
    noun = f"{NOUN}{attributes}>{children}</ConversationRelay>"
    (found,) = parse(f"<Response><Connect{connect}>{noun}</Connect></Response>", HERE)
    assert isinstance(found, Relay)
    return found


@pytest.mark.parametrize(
    ("verb", "instruction"),
    [
        ("<Hangup/>", Hangup()),
        ("<Say>One  <emphasis>moment</emphasis>.</Say>", Say("One moment.")),
        ("<Redirect>/flow</Redirect>", Redirect("https://voice.example.com/flow")),
        ("<Dial>+15550100003</Dial>", Dial("Number", "+15550100003")),
        ("<Dial><Sip>sip:a@example.com</Sip></Dial>", Dial("Sip", "sip:a@example.com")),
        ("<Enqueue>support</Enqueue>", Enqueue("", "", "support")),
        (
            '<Enqueue workflowSid="WW1"><Task>{"a":1}</Task></Enqueue>',
            Enqueue("WW1", '{"a":1}', ""),
        ),
        ('<Pause length="1"/>', Other("Pause")),
        ("<Connect><Stream/></Connect>", Other("Connect")),
    ],
)
def test_each_verb_becomes_a_value(verb: str, instruction: Instruction) -> None:
    assert parse(f"<Response>{verb}</Response>", HERE) == (instruction,)


@pytest.mark.parametrize(
    ("verbs", "verb"),
    [
        ("", Verb.NONE),
        ("<Pause/>", Verb.NONE),
        ("<Say>Bye.</Say>", Verb.SAY),
        ("<Say>Bye.</Say><Hangup/><Dial>1</Dial>", Verb.HANGUP),
        ("<Say>Wait.</Say><Enqueue>a</Enqueue>", Verb.ENQUEUE),
        ("<Redirect>/x</Redirect><Hangup/>", Verb.REDIRECT),
        ("<Dial>1</Dial>", Verb.DIAL),
        (f"<Say>Hi.</Say><Connect>{NOUN}/></Connect><Hangup/>", Verb.RELAY),
    ],
)
def test_the_first_verb_that_moves_the_call_decides(verbs: str, verb: Verb) -> None:
    assert decisive(parse(f"<Response>{verbs}</Response>", HERE)) is verb


def test_what_a_session_leaves_out_has_the_documented_default() -> None:
    found = session()
    assert found == Relay(url=found.url, attributes={"url": found.url})
    assert (found.interruptible, found.report_during_speech) == (Inputs.ANY, Inputs.NONE)
    assert not found.dtmf_detection
    assert not found.partial_prompts
    assert found.events == frozenset()


def test_every_attribute_that_the_carrier_heeds_is_read() -> None:
    found = session(
        ' welcomeGreeting="Hi." welcomeGreetingInterruptible="none" interruptible="speech" preemptible="true"'
        ' reportInputDuringAgentSpeech="any" dtmfDetection="true" partialPrompts="true" debug="debugging"'
        ' events="speaker-events tokens-played" language="ko-KR"',
        '<Language code="en-US" voice="a"/><Parameter name="ref" value="x1"/>',
        ' action="../action" method="get"',
    )
    assert (found.action, found.method) == ("https://voice.example.com/action", "GET")
    assert (found.greeting, found.greeting_interruptible) == ("Hi.", Inputs.NONE)
    assert (found.interruptible, found.report_during_speech) == (Inputs.SPEECH, Inputs.ANY)
    assert found.preemptible
    assert found.dtmf_detection
    assert found.partial_prompts
    assert found.events == {"speaker-events", "tokens-played", "debugging"}
    assert found.prompt_language == "ko-KR"
    assert found.languages == ({"code": "en-US", "voice": "a"},)
    assert found.parameters == {"ref": "x1"}


@pytest.mark.parametrize(
    ("value", "inputs"), [("true", Inputs.ANY), ("false", Inputs.NONE), ("dtmf", Inputs.DTMF)]
)
def test_interruptible_takes_words_and_booleans(value: str, inputs: Inputs) -> None:
    assert session(f' interruptible="{value}"').interruptible is inputs


@pytest.mark.parametrize(
    ("attributes", "language"),
    [
        ({}, "en-US"),
        ({"language": "de-DE"}, "de-DE"),
        ({"language": "de-DE", "transcriptionLanguage": "fr-FR"}, "fr-FR"),
        ({"speechModel": "flux"}, "en"),
        ({"speechModel": "flux", "language": "en-GB"}, "en-GB"),
        ({"language": "multi"}, "en"),
    ],
)
def test_prompts_carry_the_language_as_recorded(attributes: dict[str, str], language: str) -> None:
    assert relay("wss://a/b", attributes, {}).prompt_language == language


@pytest.mark.parametrize(
    "document",
    [
        "",
        "hello",
        "<Response>",
        "<html/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><Response/>',
        "<Response><Connect><ConversationRelay/></Connect></Response>",
        '<Response><Connect><ConversationRelay url="https://a/b"/></Connect></Response>',
        f'<Response><Connect>{NOUN} interruptible="maybe"/></Connect></Response>',
    ],
)
def test_what_cannot_be_followed_is_refused(document: str) -> None:
    with pytest.raises(BadTwiml):
        parse(document, HERE)
