"""The two flows that bring a Studio call to us, ready to be imported: deploy/studio holds them.

*Widget*: Studio's own ConversationRelay widget opens our socket. The call passes no webhook of ours: a secret
parameter lets it in, there are no speaking events, and the flow reads in `HandoffData` where to go next.
*Redirect*: the flow hands the call to `POST /twilio/studio` and has it back with a reason, a reference and an
outcome. All gates hold there, so it is the one to prefer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from handoff.sayings import sayings, spoken_tag
from policies.agent_voice import Voice
from policies.vocabulary import EscalationReason
from relay.addresses import SOCKET
from relay.studio_definition import (
    LONGEST_WAIT,
    Condition,
    ConditionType,
    Definition,
    State,
    Transition,
    check,
)
from relay.switchboard import STUDIO_PARAMETER

__all__ = ["Flex", "People", "Queue", "Workflow", "check", "redirect_flow", "widget_flow", "write"]

SECRET: Final = "REPLACE_WITH_THE_VALUE_OF_FIVEGATES_STUDIO_SECRET"  # noqa: S105  - says what to put there
PUBLIC_URL: Final = "https://voice.example.com"
WORKFLOW_SID: Final = "WW" + "0" * 32
DUTY: Final = "+15550100009"

AGENT: Final = "five_gates"
ENDED: Final = "how_it_ended"
PERSON: Final = "person"
ON_DUTY: Final = "person_on_duty"
ANSWERED: Final = "duty_answered"
APOLOGY: Final = "apology"
VOICEMAIL: Final = "voicemail"
KEPT: Final = "message_kept"
EMPTY: Final = "no_message"
END: Final = ""

QUEUES: Final = tuple(reason for reason in EscalationReason if reason is not EscalationReason.EMERGENCY)
"""An emergency never waits in a queue."""

_APOLOGIES: Final = {
    "en": "I'm sorry, nobody can take your call right now. Please leave a message after the tone, "
    "and press the pound key when you are done.",
    "ko": "죄송합니다, 지금은 전화를 받을 수 있는 담당자가 없습니다. 삐 소리가 난 뒤 메시지를 남겨 주시고, "
    "마치시면 우물 정자를 눌러 주세요.",
}


@dataclass(frozen=True, slots=True)
class Workflow:
    """Enqueue Call: a TaskRouter workflow, Flex's as well."""

    workflow_sid: str


@dataclass(frozen=True, slots=True)
class Flex:
    """Send to Flex: the workflow and the task channel, voice."""

    workflow_sid: str
    channel_sid: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A plain queue: made when it is first named, and without task attributes."""

    name: str


@dataclass(frozen=True, slots=True)
class People:
    """Who takes the calls: `person` in turn, `duty` (E.164) at once, in an emergency."""

    person: Workflow | Flex | Queue = Workflow(WORKFLOW_SID)
    duty: str = DUTY


@dataclass(frozen=True, slots=True)
class _Branch:
    """One `match` of a split; `next` is blank where the flow ends."""

    name: str
    type: ConditionType
    value: str
    next: str


def widget_flow(
    public_url: str,
    *,
    voice: Voice | None = None,
    language: str = "en-US",
    people: People | None = None,
    facts: Sequence[str] = (),
) -> dict[str, object]:
    """`facts`: names of `context.sources.parameters`. The flow's variables of these names are passed on."""
    voice, people = voice or Voice(), people or People()
    data = f"{{{{widgets.{AGENT}.HandoffData}}}}"
    parameters = {
        **voice.parameters,
        **{name: _variable(name) for name in facts},
        STUDIO_PARAMETER: SECRET,
    }
    branches = [
        _Branch("goodbye", "contains", _marker("goodbye"), END),
        _Branch("over without data", "is_blank", "", END),
        _Branch("back to the agent", "contains", _marker("resume"), AGENT),
        _Branch(EscalationReason.EMERGENCY, "contains", _marker(EscalationReason.EMERGENCY), ON_DUTY),
        *(_Branch(reason, "contains", _marker(reason), PERSON) for reason in QUEUES),
    ]
    properties: dict[str, object] = {
        "url": "wss" + public_url.rstrip("/").removeprefix("https") + SOCKET,
        **_spoken(voice, language),
        "parameters": [{"key": key, "value": value} for key, value in parameters.items()],
    }
    return _flow(
        "Five Gates by Studio's ConversationRelay widget. Before you publish: replace the placeholder in "
        f"the parameter {STUDIO_PARAMETER} of {AGENT} by the value of FIVEGATES_STUDIO_SECRET, put your own "
        f"address into its url, and your own workflow SID and number into {PERSON} and {ON_DUTY}.",
        [
            _state(
                AGENT,
                "run-conversation-relay",
                1,
                properties,
                Transition("success", ENDED),
                Transition("failed", APOLOGY),
            ),
            _split(ENDED, 2, data, branches, APOLOGY),
            *_people(people, data),
            *_voicemail(language),
        ],
    )


def redirect_flow(
    public_url: str,
    *,
    language: str = "en-US",
    people: People | None = None,
    facts: Sequence[str] = (),
) -> dict[str, object]:
    """`facts` are passed on as with the widget. Studio fills in the flow's own SID, which we check."""
    passed = "".join(f"&{name}={_variable(f'{name} | url_encode')}" for name in facts)
    reason = f"{{{{widgets.{AGENT}.reason}}}}"
    attributes = {name: f"{{{{widgets.{AGENT}.{name}}}}}" for name in ("reason", "ref", "summary_id")}
    branches = [
        _Branch("goodbye", "equal_to", "goodbye", END),
        _Branch(EscalationReason.EMERGENCY, "equal_to", EscalationReason.EMERGENCY, ON_DUTY),
        _Branch("to a person", "matches_any_of", ",".join(QUEUES), PERSON),
    ]
    properties: dict[str, object] = {
        "method": "POST",
        "url": f"{public_url.rstrip('/')}/twilio/studio?flow={{{{flow.flow_sid}}}}{passed}",
        "timeout": str(LONGEST_WAIT),
    }
    return _flow(
        f"Five Gates by TwiML Redirect. Before you publish: put your own address into the url of {AGENT}, "
        f"your own workflow SID and number into {PERSON} and {ON_DUTY}, and the SID of this flow into "
        "FIVEGATES_STUDIO_FLOWS on the server.",
        [
            _state(
                AGENT,
                "add-twiml-redirect",
                1,
                properties,
                Transition("return", ENDED),
                Transition("timeout", APOLOGY),
                Transition("fail", APOLOGY),
            ),
            _split(ENDED, 2, reason, branches, APOLOGY),
            *_people(people or People(), _json(attributes)),
            *_voicemail(language),
        ],
    )


def write(folder: Path, public_url: str = PUBLIC_URL, *, people: People | None = None) -> list[Path]:
    """Both flows as files. The folder is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    flows = {
        "conversationrelay-widget.json": widget_flow(public_url, people=people),
        "twiml-redirect.json": redirect_flow(public_url, people=people),
    }
    for name, flow in flows.items():
        (folder / name).write_text(json.dumps(flow, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in flows]


def _flow(description: str, states: Sequence[State]) -> dict[str, object]:
    trigger = _state(
        "Trigger",
        "trigger",
        0,
        {},
        Transition("incomingMessage"),
        Transition("incomingCall", AGENT),
        Transition("incomingConversationMessage"),
        Transition("incomingRequest"),
    )
    definition = Definition(
        description=description,
        states=(trigger, *states),
        initial_state=trigger.name,
        flags={"allow_concurrent_calls": True},
    )
    return msgspec.json.decode(msgspec.json.encode(definition), type=dict[str, object])


def _state(
    name: str,
    kind: str,
    row: int,
    properties: Mapping[str, object],
    *transitions: Transition,
    column: int = 0,
) -> State:
    offset = {"x": 420 * column, "y": 260 * row}
    return State(name=name, type=kind, transitions=transitions, properties={**properties, "offset": offset})


def _split(name: str, row: int, value: str, branches: Sequence[_Branch], otherwise: str) -> State:
    matches = [
        Transition(
            "match",
            each.next,
            (Condition(friendly_name=each.name, arguments=(value,), type=each.type, value=each.value),),
        )
        for each in branches
    ]
    return _state(name, "split-based-on", row, {"input": value}, Transition("noMatch", otherwise), *matches)


def _people(people: People, attributes: str) -> list[State]:
    """Whoever is not reached leaves the caller with the voicemail, not with nobody."""
    match people.person:
        case Workflow(workflow_sid):
            kind = "enqueue-call"
            properties = {"workflow_sid": workflow_sid, "task_attributes": attributes}
        case Flex(workflow_sid, channel_sid):
            kind = "send-to-flex"
            properties = {"workflow": workflow_sid, "channel": channel_sid, "attributes": attributes}
        case Queue(name):
            kind = "enqueue-call"
            properties = {"queue_name": name}
    duty = {
        "noun": "number",
        "to": people.duty,
        "caller_id": "{{contact.channel.address}}",
        "timeout": 30,
    }
    answered = [_Branch("answered", "matches_any_of", "answered,completed", END)]
    status = f"{{{{widgets.{ON_DUTY}.DialCallStatus}}}}"
    return [
        _state(
            PERSON,
            kind,
            3,
            properties,
            Transition("callComplete"),
            Transition("failedToEnqueue", APOLOGY),
            Transition("callFailure", APOLOGY),
        ),
        _state(
            ON_DUTY,
            "connect-call-to",
            3,
            duty,
            Transition("callCompleted", ANSWERED),
            Transition("hangup"),
            column=1,
        ),
        _split(ANSWERED, 4, status, answered, APOLOGY),
    ]


def _voicemail(language: str) -> list[State]:
    ours, tag = sayings(language), spoken_tag(language)
    apology = _APOLOGIES[ours.language]

    def says(name: str, row: int, text: str, after: str, column: int) -> State:
        spoken = {"say": text, "language": tag}
        return _state(name, "say-play", row, spoken, Transition("audioComplete", after), column=column)

    record = {"play_beep": "true", "finish_on_key": "#", "timeout": 5, "max_length": 180}
    return [
        says(APOLOGY, 5, apology, VOICEMAIL, 1),
        _state(
            VOICEMAIL,
            "record-voicemail",
            6,
            record,
            Transition("recordingComplete", KEPT),
            Transition("noAudio", EMPTY),
            Transition("hangup"),
            column=1,
        ),
        says(KEPT, 7, ours.voicemail_kept, END, 1),
        says(EMPTY, 7, ours.voicemail_empty, END, 2),
    ]


def _spoken(voice: Voice, language: str) -> dict[str, object]:
    """What the widget has of the agent file's `voice`. `interruptible` is a text there, and a truth only."""
    chosen = {
        "welcome_greeting": voice.welcome_greeting,
        "tts_provider": voice.tts_provider,
        "voice": voice.voice,
        "language": voice.language or language,
        "transcription_provider": voice.transcription_provider,
        "speech_model": voice.speech_model,
        "dtmf_detection": voice.dtmf_detection,
        "interruptible": "false" if voice.interruptible == "none" else "true",
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _marker(reason: str) -> str:
    """What `HandoffData` holds when it says this reason, and no other."""
    return f'"reason":"{reason}"'


def _variable(name: str) -> str:
    return f"{{{{flow.variables.{name}}}}}"


def _json(values: Mapping[str, str]) -> str:
    return msgspec.json.encode(values).decode()
