"""The `voice` section: every attribute of `<ConversationRelay>` and its children, with Twilio's own limits.

Source: Twilio, "<ConversationRelay>" (docs/voice/twiml/connect/conversationrelay). Keys are the attributes in
snake_case; what is not set is not sent, so that Twilio's default holds. `url` is ours and has no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    model_validator,
)

from policies.agent_values import Contradiction, LanguageTag, Name, Section, language_tag, matching, seconds

MULTI = "multi"  # automatic language detection
DEFAULT_EOT_THRESHOLD = 0.8
PARAMETER_LIMIT = 500  # `<Stream>`: name and value together under 500 characters; none is stated here

SUPERSEDED = {
    "deepgram_smart_format": "asr_smart_format",
    "elevenlabs_text_normalization": "tts_text_normalization",
}


def _input(value: object) -> object:
    """`true` and `false` are accepted by Twilio for `any` and `none`."""
    return {True: "any", False: "none"}[value] if isinstance(value, bool) else value


def _silence(value: object) -> Literal["auto"] | int:
    if value == "auto":
        return "auto"
    milliseconds = round(seconds(value) * 1000)
    if not 600 <= milliseconds <= 5000:
        raise ValueError("must be auto or between 600ms and 5s")
    return milliseconds


def _hint(value: str) -> str:
    if "," in value:
        raise ValueError("a hint cannot hold a comma: make it two hints")
    return value


def _tag_or_multi(value: str) -> str:
    return value if value == MULTI else language_tag(value)


def _short_parameters(parameters: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in parameters.items():
        if len(name) + len(value) >= PARAMETER_LIMIT:
            raise ValueError(f"{name}: name and value together must stay under {PARAMETER_LIMIT} characters")
    return parameters


Input = Annotated[Literal["none", "dtmf", "speech", "any"], BeforeValidator(_input)]
Hints = tuple[Annotated[Name, AfterValidator(_hint)], ...]
LanguageOrMulti = Annotated[str, AfterValidator(_tag_or_multi)]
TtsProvider = Literal["Google", "Amazon", "ElevenLabs"]
TranscriptionProvider = Literal["Google", "Deepgram"]
Event = Literal["speaker-events", "tokens-played"]
Normalization = Literal["auto", "on", "off"]
ParameterName = Annotated[str, matching(r"[A-Za-z][A-Za-z0-9_.-]*", "a name is letters, digits, . _ and -")]
Attribute = str | bool | int | float


class _Attributes(Section):
    """A TwiML element: its fields are attributes, unless it says otherwise."""

    def attributes(self) -> dict[str, Attribute]:
        """What is set, by its snake_case name; lists joined as the attribute wants them."""
        return {
            name: ("," if name == "hints" else " ").join(value) if isinstance(value, tuple) else value
            for name, value in self
            if name not in ("languages", "parameters") and value is not None and value != ()
        }


class VoiceLanguage(_Attributes):
    """One `<Language>`: how we hear and speak when the call is in this language."""

    code: LanguageOrMulti
    tts_provider: TtsProvider | None = None
    voice: Name | None = None
    transcription_provider: TranscriptionProvider | None = None
    speech_model: Name | None = None
    hints: Hints = ()
    asr_smart_format: bool | None = None
    tts_text_normalization: Normalization | None = None
    tts_language_text_normalization: bool | None = None


class Voice(_Attributes):
    """The attributes of `<ConversationRelay>`. `speech_timeout` is in milliseconds, as on the wire."""

    welcome_greeting: Name | None = None
    welcome_greeting_interruptible: Input | None = None
    language: LanguageOrMulti | None = None
    tts_language: LanguageTag | None = None
    transcription_language: LanguageOrMulti | None = None
    tts_provider: TtsProvider | None = None
    voice: Name | None = None
    transcription_provider: TranscriptionProvider | None = None
    speech_model: Name | None = None
    profanity_filter: bool | None = None
    dtmf_detection: bool = True
    interruptible: Input | None = None
    interrupt_sensitivity: Literal["low", "medium", "high"] | None = None
    ignore_backchannel: bool | None = None
    report_input_during_agent_speech: Input = "any"
    preemptible: bool | None = None
    partial_prompts: bool | None = None
    hints: Hints = ()
    speech_timeout: Annotated[Literal["auto"] | int, PlainValidator(_silence)] | None = None
    eot_threshold: Annotated[float, Field(ge=0.5, le=0.9)] | None = None
    eager_eot_threshold: Annotated[float, Field(ge=0.3, le=0.9)] | None = None
    turn_detection: bool | None = None
    echo_prompt_filtering: bool | None = None
    background_noise_reduction: bool | None = None
    deepgram_smart_format: bool | None = None
    asr_smart_format: bool | None = None
    tts_text_normalization: Normalization | None = None
    elevenlabs_text_normalization: Normalization | None = None
    tts_language_text_normalization: bool | None = None
    include_in_prompt: tuple[Literal["turn-state", "prompt-segments"], ...] = ()
    partial_prompt_on_hangup: bool | None = None
    application_reconnect: bool | None = None
    events: tuple[Event, ...] = ("speaker-events", "tokens-played")
    debug: tuple[Literal["debugging", "speaker-events", "tokens-played"], ...] = ()
    intelligence_service: Name | None = None
    conversation_configuration: Name | None = None
    customer_name: Name | None = None
    languages: tuple[VoiceLanguage, ...] = ()
    parameters: Annotated[Mapping[ParameterName, str], AfterValidator(_short_parameters)] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _attributes_agree(self) -> Self:
        if problems := (*_provider_problems(self), *_threshold_problems(self), *_doubled(self)):
            raise Contradiction(*problems)
        return self


def _provider_problems(voice: Voice) -> Iterator[tuple[str, str]]:
    """A voice, a model and `multi` belong to providers. An account's default provider depends on its age."""
    elements: list[tuple[str, Voice | VoiceLanguage]] = [("", voice)]
    elements += [(f"languages[{index}].", each) for index, each in enumerate(voice.languages)]
    for where, element in elements:
        speaks = element.tts_provider or voice.tts_provider
        hears = element.transcription_provider or voice.transcription_provider
        if element.speech_model and hears and _owner(element.speech_model) not in (None, hears):
            yield f"{where}speech_model", f"{element.speech_model!r} is not a model of {hears}"
        if (speaks, hears) != ("ElevenLabs", "Deepgram"):
            for key in ("code", "language", "transcription_language"):
                if getattr(element, key, None) == MULTI:
                    yield (
                        f"{where}{key}",
                        "'multi' needs `transcription_provider: Deepgram` and `tts_provider: ElevenLabs`",
                    )


def _owner(speech_model: str) -> TranscriptionProvider | None:
    """Whose model it is, where the documentation says so."""
    if speech_model.startswith(("flux", "nova")):
        return "Deepgram"
    return "Google" if speech_model == "telephony" else None


def _threshold_problems(voice: Voice) -> Iterator[tuple[str, str]]:
    models = (voice.speech_model, *(each.speech_model for each in voice.languages))
    if not any(model and model.startswith("flux") for model in models):
        for key in ("eot_threshold", "eager_eot_threshold"):
            if getattr(voice, key) is not None:
                yield key, "works only with Deepgram's `speech_model: flux`"
    ends = voice.eot_threshold or DEFAULT_EOT_THRESHOLD
    if voice.eager_eot_threshold is not None and voice.eager_eot_threshold >= ends:
        yield "eager_eot_threshold", f"must be below `eot_threshold` ({ends}), since it fires before it"


def _doubled(voice: Voice) -> Iterator[tuple[str, str]]:
    """Two keys for one thing: one of them would be ignored, and no key of this file is."""
    for key, newer in SUPERSEDED.items():
        if getattr(voice, key) is not None and getattr(voice, newer) is not None:
            yield key, f"remove it: `{newer}` is set and takes precedence"
    seen: set[str] = set()
    for index, each in enumerate(voice.languages):
        if each.code.casefold() in seen:
            yield f"languages[{index}].code", f"{each.code} is listed twice"
        seen.add(each.code.casefold())
