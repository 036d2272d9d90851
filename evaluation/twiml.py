"""What a TwiML document tells the carrier to do, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin
from xml.etree import ElementTree

from evaluation.seen import Verb
from evaluation.wire import Inputs


class BadTwiml(Exception):
    """The answer is no TwiML that the carrier can follow."""


@dataclass(frozen=True, slots=True)
class Relay:
    """`<Connect><ConversationRelay>`, with Twilio's defaults for what the document leaves out.

    `attributes` are those of the noun as written; `action` is absolute, None where the document has none.
    """

    url: str
    action: str | None = None
    method: str = "POST"
    greeting: str = ""
    greeting_interruptible: Inputs = Inputs.ANY
    interruptible: Inputs = Inputs.ANY
    report_during_speech: Inputs = Inputs.NONE
    preemptible: bool = False
    dtmf_detection: bool = False
    partial_prompts: bool = False
    events: frozenset[str] = frozenset()
    prompt_language: str = "en-US"
    parameters: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[Mapping[str, str], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


@dataclass(frozen=True, slots=True)
class Redirect:
    url: str


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A TaskRouter workflow with its task, or a plain queue by name."""

    workflow_sid: str
    task: str
    queue: str


@dataclass(frozen=True, slots=True)
class Dial:
    """`target` is the text of the first noun: a number, a SIP address, a conference's or queue's name."""

    noun: str
    target: str


@dataclass(frozen=True, slots=True)
class Other:
    """A verb that changes nothing here, such as `<Pause>` or `<Start>`."""

    name: str


Instruction = Relay | Say | Hangup | Redirect | Enqueue | Dial | Other

_TRUTH: Final = {"true": Inputs.ANY, "false": Inputs.NONE}


def parse(document: str, url: str) -> tuple[Instruction, ...]:
    """The verbs of a document fetched from `url`. Raises BadTwiml."""
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        raise BadTwiml("TwiML holds no document type and no entities")
    try:
        response = ElementTree.fromstring(document)  # noqa: S314 - entities are refused above
    except ElementTree.ParseError as error:
        raise BadTwiml(f"the answer is not XML: {error}") from error
    if response.tag != "Response":
        raise BadTwiml(f"the answer is <{response.tag}>, not <Response>")
    return tuple(_instruction(verb, url) for verb in response)


def decisive(instructions: tuple[Instruction, ...]) -> Verb:
    """What becomes of the call: the first verb that moves it elsewhere, else that it only spoke."""
    spoke = False
    for instruction in instructions:
        match instruction:
            case Relay():
                return Verb.RELAY
            case Hangup():
                return Verb.HANGUP
            case Redirect():
                return Verb.REDIRECT
            case Enqueue():
                return Verb.ENQUEUE
            case Dial():
                return Verb.DIAL
            case Say():
                spoke = True
            case Other():
                pass
    return Verb.SAY if spoke else Verb.NONE


def relay(
    url: str,
    attributes: Mapping[str, str],
    parameters: Mapping[str, str],
    *,
    action: str | None = None,
    method: str = "POST",
    languages: tuple[Mapping[str, str], ...] = (),
) -> Relay:
    """A session's settings from the attributes of the noun, however they were come by. Raises BadTwiml."""

    def admitted(name: str, default: Inputs) -> Inputs:
        value = attributes.get(name, default.value)
        try:
            return _TRUTH.get(value) or Inputs(value)
        except ValueError as error:
            raise BadTwiml(f"{name}={value!r} is none of none, dtmf, speech, any") from error

    return Relay(
        url=url,
        action=action,
        method=method,
        greeting=attributes.get("welcomeGreeting", ""),
        greeting_interruptible=admitted("welcomeGreetingInterruptible", Inputs.ANY),
        interruptible=admitted("interruptible", Inputs.ANY),
        report_during_speech=admitted("reportInputDuringAgentSpeech", Inputs.NONE),
        preemptible=attributes.get("preemptible") == "true",
        dtmf_detection=attributes.get("dtmfDetection") == "true",
        partial_prompts=attributes.get("partialPrompts") == "true",
        events=frozenset(f"{attributes.get('events', '')} {attributes.get('debug', '')}".split()),
        prompt_language=_prompt_language(attributes),
        parameters=parameters,
        languages=languages,
        attributes=attributes,
    )


def _prompt_language(attributes: Mapping[str, str]) -> str:
    """`lang` of the prompts: a bare tag with `flux` where no language was set, and with `multi`."""
    language = attributes.get("transcriptionLanguage") or attributes.get("language")
    if language == "multi" or (language is None and attributes.get("speechModel", "").startswith("flux")):
        return "en"
    return language or "en-US"


def _instruction(verb: ElementTree.Element, url: str) -> Instruction:
    text = (verb.text or "").strip()
    match verb.tag:
        case "Connect" if (noun := verb.find("ConversationRelay")) is not None:
            return _connect(verb, noun, url)
        case "Say":
            return Say(" ".join("".join(verb.itertext()).split()))
        case "Hangup":
            return Hangup()
        case "Redirect":
            return Redirect(urljoin(url, text))
        case "Enqueue":
            return Enqueue(verb.get("workflowSid", ""), (verb.findtext("Task") or "").strip(), text)
        case "Dial":
            for noun in verb:
                return Dial(noun.tag, (noun.text or "").strip())
            return Dial("Number", text)
        case name:
            return Other(name)


def _connect(verb: ElementTree.Element, noun: ElementTree.Element, url: str) -> Relay:
    if not noun.get("url", "").startswith(("wss://", "ws://")):
        raise BadTwiml("ConversationRelay needs a url that starts with wss://")
    action = verb.get("action")
    return relay(
        noun.get("url", ""),
        dict(noun.attrib),
        {item.get("name", ""): item.get("value", "") for item in noun.findall("Parameter")},
        action=None if action is None else urljoin(url, action),
        method=verb.get("method", "POST").upper(),
        languages=tuple(dict(item.attrib) for item in noun.findall("Language")),
    )
