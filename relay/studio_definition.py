"""Twilio's rules for the definition of a Studio flow: what an import would refuse, found before it.

Sources: Twilio, "Flow definition" and the widget library (docs/studio). `POST /v2/Flows/Validate` asks Twilio
itself, and needs an account; this needs none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

SCHEMA: Final = "https://schemas.twilio.com/studio/draft/2019-09/flow-definition"
LONGEST_WAIT: Final = 14_400  # seconds of a TwiML Redirect; 0 does not wait at all
MOST_ATTRIBUTES: Final = 1024  # characters of a task's attributes

ConditionType = Literal[
    "equal_to",
    "not_equal_to",
    "matches_any_of",
    "does_not_match_any_of",
    "contains",
    "does_not_contain",
    "starts_with",
    "does_not_start_with",
    "is_blank",
    "is_not_blank",
    "regex",
    "less_than",
    "greater_than",
    "is_before_date",
    "is_after_date",
    "is_before_time",
    "is_after_time",
]
WITHOUT_VALUE: Final = frozenset({"is_blank", "is_not_blank"})


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    friendly_name: str
    arguments: Annotated[tuple[str, ...], Meta(min_length=1)]
    type: ConditionType
    value: str = ""


class Transition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Without `next` the branch ends here."""

    event: str
    next: str = ""
    conditions: tuple[Condition, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1)]
    type: str
    transitions: tuple[Transition, ...]
    properties: dict[str, object]


class Definition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    description: str = ""
    states: Annotated[tuple[State, ...], Meta(min_length=1, max_length=1000)]
    initial_state: str
    flags: dict[str, bool] = {}
    schema: Literal["", "https://schemas.twilio.com/studio/draft/2019-09/flow-definition"] = msgspec.field(
        name="$schema", default=""
    )


class _Offset(msgspec.Struct, forbid_unknown_fields=True):
    """Where the widget stands on the canvas."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Widget:
    """`required`: of each group one has to be set. `texts`: a number or a boolean is refused there, where a
    text is meant ("integer found, string expected"); `switches` are the texts "true" and "false"."""

    events: frozenset[str]
    required: tuple[tuple[str, ...], ...] = ()
    texts: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    attributes: str = ""  # the property that holds a task's attributes


def _widget(
    events: str,
    *required: tuple[str, ...],
    texts: tuple[str, ...] = (),
    switches: tuple[str, ...] = (),
    attributes: str = "",
) -> Widget:
    return Widget(frozenset(events.split()), required, texts, switches, attributes)


_QUEUED: Final = "callComplete failedToEnqueue callFailure"
WIDGETS: Final[Mapping[str, Widget]] = {
    "trigger": _widget("incomingCall incomingMessage incomingConversationMessage incomingRequest"),
    "run-conversation-relay": _widget(
        "success failed",
        ("url",),
        texts=(
            "welcome_greeting",
            "tts_provider",
            "voice",
            "language",
            "transcription_provider",
            "speech_model",
        ),
        switches=("interruptible",),
    ),
    "add-twiml-redirect": _widget("return timeout fail", ("url",), texts=("method", "timeout")),
    "say-play": _widget("audioComplete", ("say", "play", "digits"), texts=("say", "voice", "language")),
    "gather-input-on-call": _widget(
        "keypress speech timeout", ("say", "play"), texts=("say",), switches=("profanity_filter",)
    ),
    "split-based-on": _widget("match noMatch", ("input",), texts=("input",)),
    "set-variables": _widget("next", ("variables",)),
    "make-http-request": _widget("success failed", ("method",), ("url",)),
    "run-function": _widget("success fail", ("url",)),
    "enqueue-call": _widget(
        _QUEUED, ("workflow_sid", "queue_name"), texts=("task_attributes",), attributes="task_attributes"
    ),
    "send-to-flex": _widget(
        f"{_QUEUED} composerStarted",
        ("workflow",),
        ("channel",),
        texts=("priority", "timeout", "attributes"),
        attributes="attributes",
    ),
    "connect-call-to": _widget("callCompleted hangup", ("noun",), texts=("noun", "to", "time_limit")),
    "record-voicemail": _widget(
        "recordingComplete noAudio hangup", texts=("finish_on_key", "trim"), switches=("play_beep",)
    ),
    "record-call": _widget("success failed", ("record_call",)),
    "run-subflow": _widget("completed failed", ("flow_sid",)),
}


def check(definition: object) -> list[str]:
    """A line for each fault. Where the shape itself is wrong, its first fault only."""
    try:
        known = msgspec.convert(definition, Definition)
    except msgspec.ValidationError as error:
        return [str(error)]
    names = Counter(state.name for state in known.states)
    faults = [f"the name {name} is given to {count} states" for name, count in names.items() if count > 1]
    if known.initial_state not in names:
        faults.append(f"initial_state: there is no state {known.initial_state}")
    for state in known.states:
        faults += [f"{state.name}: {fault}" for fault in _state(state, frozenset(names))]
    return faults


def _state(state: State, names: frozenset[str]) -> Iterator[str]:
    widget = WIDGETS.get(state.type)
    if widget is None:
        yield f"{state.type} is no widget type that is known here"
        return
    events = Counter(transition.event for transition in state.transitions)
    for event, count in events.items():
        if event not in widget.events:
            yield f"{state.type} has no event {event}, but {', '.join(sorted(widget.events))}"
        elif count > 1 and event != "match":
            yield f"the event {event} has {count} transitions"
    for transition in state.transitions:
        if transition.next and transition.next not in names:
            yield f"{transition.event} leads to {transition.next}, and there is no such state"
        yield from _conditions(transition)
    yield from _properties(state, widget)


def _conditions(transition: Transition) -> Iterator[str]:
    if transition.event == "match" and not transition.conditions:
        yield "match has no condition"
    if transition.event != "match" and transition.conditions:
        yield f"{transition.event} has conditions, and only match may"
    for condition in transition.conditions:
        if not condition.value and condition.type not in WITHOUT_VALUE:
            yield f"the condition {condition.friendly_name} ({condition.type}) has no value"


def _properties(state: State, widget: Widget) -> Iterator[str]:
    given = state.properties
    try:
        msgspec.convert(given.get("offset"), _Offset)
    except msgspec.ValidationError:
        yield "offset must be an x and a y, both numbers"
    for group in widget.required:
        if all(given.get(name) in (None, "") for name in group):
            yield f"{' or '.join(group)} is missing"
    for name in (*widget.texts, *widget.switches):
        if name in given and not isinstance(given[name], str):
            yield f"{name} must be a text, also where it holds a number or a truth"
        elif name in widget.switches and given.get(name, "true") not in ("true", "false"):
            yield f'{name} must be "true" or "false"'
    yield from _attributes(given.get(widget.attributes))
    match state.type, given.get("url"), given.get("timeout", "0"):
        case "run-conversation-relay", str(url), _ if not url.startswith("wss://"):
            yield "url must begin with wss://"
        case "add-twiml-redirect", _, str(timeout) if not _waits(timeout):
            yield f"timeout must be from 0 to {LONGEST_WAIT} seconds"


def _attributes(text: object) -> Iterator[str]:
    """`text` is JSON once Liquid's blanks are filled in."""
    if not isinstance(text, str):
        return
    if len(text) > MOST_ATTRIBUTES:
        yield f"the task's attributes have {len(text)} characters; {MOST_ATTRIBUTES} are allowed"
    try:
        msgspec.json.decode(re.sub(r"\{\{.*?\}\}", "0", text))
    except msgspec.DecodeError:
        yield "the task's attributes are no JSON"


def _waits(text: str) -> bool:
    return text.isdecimal() and int(text) <= LONGEST_WAIT
