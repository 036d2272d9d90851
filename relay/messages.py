"""ConversationRelay's websocket messages: lenient in, strict out.

Source: Twilio, "WebSocket messages" (docs/voice/conversationrelay/websocket-messages) and recorded calls.
Twilio tolerates nothing unknown from us, so an invalid outbound frame cannot be built; we tolerate
everything from it, so `parse` never raises. `config`, `hints` and the extended `language` message of
October 2026 are not sent: their fields are not published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

HANDOFF_DATA_LIMIT = 512  # bytes; it travels in a form POST and in Studio's flow variables


@dataclass(frozen=True, slots=True)
class Setup:
    """The first frame of each socket: who is calling whom, in which call of which account."""

    session_id: str
    account_sid: str
    call_sid: str
    caller: str  # `from`: a number, a SIP URI or a client identity
    called: str  # `to`
    direction: str = ""
    call_type: str = ""
    call_status: str = ""
    parent_call_sid: str = ""
    forwarded_from: str = ""
    caller_name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)  # `customParameters`: our <Parameter>s

    @property
    def outbound(self) -> bool:
        return self.direction.lower().startswith("outbound")


@dataclass(frozen=True, slots=True)
class Prompt:
    """Caller speech. Partials (`last` false) repeat the utterance so far and may correct it later."""

    text: str
    lang: str
    last: bool


@dataclass(frozen=True, slots=True)
class Dtmf:
    digit: str  # one of 0-9 * #


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Playback was cut by the caller. `heard` is only the chunk that was playing, up to the cut."""

    heard: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class AgentSpeaking:
    on: bool


@dataclass(frozen=True, slots=True)
class CallerSpeaking:
    on: bool


@dataclass(frozen=True, slots=True)
class TokensPlayed:
    """Text that was really played to the caller: one chunk, cut at a clause end or at the interrupt."""

    text: str


@dataclass(frozen=True, slots=True)
class RoundTrip:
    delay_ms: int


@dataclass(frozen=True, slots=True)
class CarrierError:
    """Twilio refused one of our frames. The description quotes that frame: it holds speech."""

    description: str


@dataclass(frozen=True, slots=True)
class ConfigUpdated:
    """A mid-call change was applied. Its fields are not published."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A type or an info name we do not know: newer than we are, and ignored."""

    name: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a frame at all. Ignored, and recorded without its content."""

    why: str


Inbound = (
    Setup
    | Prompt
    | Dtmf
    | Interrupt
    | AgentSpeaking
    | CallerSpeaking
    | TokensPlayed
    | RoundTrip
    | CarrierError
    | ConfigUpdated
    | Unknown
    | Malformed
)


def parse(frame: str | bytes) -> Inbound:
    """Read one frame from Twilio. Never raises: what cannot be read is `Malformed` or `Unknown`."""
    try:
        message = msgspec.json.decode(frame)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Malformed("not JSON")
    if not isinstance(message, dict):
        return Malformed("not a JSON object")
    return _message(message)


def _message(message: dict[str, object]) -> Inbound:
    match message.get("type"):
        case "prompt":
            return Prompt(
                _text(message, "voicePrompt"), _text(message, "lang"), _flag(message, "last", default=True)
            )
        case "info":
            return _info(_text(message, "name"), _text(message, "value"))
        case "interrupt":
            return Interrupt(
                _text(message, "utteranceUntilInterrupt"), _whole(message, "durationUntilInterruptMs")
            )
        case "dtmf":
            digit = _text(message, "digit")
            return Dtmf(digit) if re.fullmatch(r"[0-9*#]", digit) else Malformed("dtmf without a key")
        case "setup":
            return _setup(message)
        case "error":
            return CarrierError(_text(message, "description"))
        case "configUpdated":
            return ConfigUpdated()
        case str(name):
            return Unknown(name)
        case _:
            return Malformed("no type")


def _info(name: str, value: str) -> Inbound:
    match name:
        case "tokensPlayed":
            return TokensPlayed(value)
        case "agentSpeaking":
            return AgentSpeaking(value.lower() in _ON)
        case "clientSpeaking":
            return CallerSpeaking(value.lower() in _ON)
        case "roundTripDelayMs":
            return RoundTrip(_whole({"value": value}, "value"))
        case "configUpdated":
            return ConfigUpdated()
        case _:
            return Unknown(f"info {name}")


def _setup(message: dict[str, object]) -> Setup | Malformed:
    session_id, call_sid = _text(message, "sessionId"), _text(message, "callSid")
    if not (session_id and call_sid):
        return Malformed("setup without sessionId or callSid")
    parameters = message.get("customParameters")
    known = parameters if isinstance(parameters, dict) else {}
    return Setup(
        session_id=session_id,
        account_sid=_text(message, "accountSid"),
        call_sid=call_sid,
        caller=_text(message, "from"),
        called=_text(message, "to"),
        direction=_text(message, "direction"),
        call_type=_text(message, "callType"),
        call_status=_text(message, "callStatus"),
        parent_call_sid=_text(message, "parentCallSid"),
        forwarded_from=_text(message, "forwardedFrom"),
        caller_name=_text(message, "callerName"),
        parameters={name: _text(known, name) for name in known},
    )


_ON = frozenset({"on", "start", "true"})  # "on" was recorded; one of Twilio's samples writes "start"


def _text(message: Mapping[str, object], key: str) -> str:
    match message.get(key):
        case str(value):
            return value
        case bool(value):
            return "true" if value else "false"
        case int(value) | float(value):
            return str(value)
        case _:
            return ""


def _whole(message: Mapping[str, object], key: str) -> int:
    """Twilio's pages show durations both as numbers and as numeric strings."""
    try:
        return max(0, int(float(_text(message, key))))
    except (ValueError, OverflowError):
        return 0


def _flag(message: Mapping[str, object], key: str, *, default: bool) -> bool:
    match _text(message, key).strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            return default


class InvalidFrame(ValueError):
    """Twilio would refuse this frame with error 64107: build another one."""


class _Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", rename="camel"):
    """Anything we send. Optional fields that are unset are left out."""


class Text(_Frame, frozen=True, tag="text"):
    """A piece of speech; `last` closes the talk cycle. The two booleans override the TwiML's defaults."""

    token: str
    last: bool
    lang: str | None = None
    interruptible: bool | None = None
    preemptible: bool | None = None

    def __post_init__(self) -> None:
        _speakable(self.token, "text.token")
        _when(self.lang, _TAG, "text.lang", "a language tag such as en-US")


class Play(_Frame, frozen=True, tag="play"):
    source: str
    loop: int | None = None  # times; 0 plays it up to 1000 times
    interruptible: bool | None = None
    preemptible: bool | None = None

    def __post_init__(self) -> None:
        _when(self.source, _MEDIA, "play.source", "an http or https URL")
        if self.loop is not None and not 0 <= self.loop <= 1000:
            raise InvalidFrame("play.loop must be from 0 to 1000")


class SendDigits(_Frame, frozen=True, tag="sendDigits"):
    digits: str  # `w` is a pause of half a second

    def __post_init__(self) -> None:
        _when(self.digits, _KEYS, "sendDigits.digits", "one or more of 0-9 * # w")


class Language(_Frame, frozen=True, tag="language"):
    """Switch the language of what follows. Close the running talk cycle first."""

    tts_language: str | None = None
    transcription_language: str | None = None

    def __post_init__(self) -> None:
        if self.tts_language is None and self.transcription_language is None:
            raise InvalidFrame("language needs ttsLanguage, transcriptionLanguage or both")
        _when(self.tts_language, _TAG, "language.ttsLanguage", "a language tag such as en-US")
        _when(self.transcription_language, _TAG, "language.transcriptionLanguage", "a language tag or multi")


class End(_Frame, frozen=True, tag="end"):
    """End the relay session, not the call: Twilio then asks the `<Connect action>` URL."""

    handoff_data: str | None = None

    def __post_init__(self) -> None:
        if self.handoff_data is None:
            return
        _speakable(self.handoff_data, "end.handoffData")
        if len(self.handoff_data.encode()) > HANDOFF_DATA_LIMIT:
            raise InvalidFrame(
                f"end.handoffData is over {HANDOFF_DATA_LIMIT} bytes: send a reference instead"
            )


Outbound = Text | Play | SendDigits | Language | End

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_KEYS = re.compile(r"[0-9*#w]+")
_MEDIA = re.compile(r"https?://\S+")


def _speakable(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidFrame(f"{name} holds half of a surrogate pair") from error
    except AttributeError as error:
        raise InvalidFrame(f"{name} must be text, not {type(value).__name__}") from error


def _when(value: str | None, pattern: re.Pattern[str], name: str, wanted: str) -> None:
    if value is not None and not pattern.fullmatch(value):
        raise InvalidFrame(f"{name} must be {wanted}")


_encoder = msgspec.json.Encoder()


def dump(message: Outbound) -> str:
    """One frame as the JSON text Twilio expects."""
    return _encoder.encode(message).decode()


def handoff_data(reason: str, ref: str, **more: str) -> str:
    """Compact, flat JSON for `end`: a reason, then an opaque reference; never speech, names, numbers."""
    return _encoder.encode({"reason": reason, "ref": ref, **more}).decode()
