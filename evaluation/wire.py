"""What the server sends, judged as Twilio judges it: a frame, or an error 64107, or the end of patience.

Accepted is only what the vendor documents; an unknown extra field is refused too, because nobody has
seen Twilio accept one. `config` and `hints` are the exception: their fields are not public.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

PATIENCE: Final = 10
"""Consecutive malformed frames after which Twilio closes the socket."""

CLOSE_MALFORMED: Final = (1007, "Too many consecutive malformed messages.")
CLOSE_NORMAL: Final = (1000, "Closing websocket session")


class Input(StrEnum):
    """What a caller can do while the agent speaks."""

    SPEECH = "speech"
    DTMF = "dtmf"


class Inputs(StrEnum):
    """The values of `interruptible` and of `reportInputDuringAgentSpeech`."""

    NONE = "none"
    DTMF = "dtmf"
    SPEECH = "speech"
    ANY = "any"

    def admit(self, by: Input) -> bool:
        return self is Inputs.ANY or self.value == by.value


def inputs(value: bool | Inputs) -> Inputs:
    """`true` means `any`, `false` means `none`."""
    match value:
        case Inputs():
            return value
        case True:
            return Inputs.ANY
        case False:
            return Inputs.NONE


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", tag_field="type"):
    """Absent is allowed where there is a default; `null` never is."""


class Text(_Strict, frozen=True, tag="text"):
    token: str
    last: bool = False
    lang: str | UnsetType = UNSET
    interruptible: bool | Inputs | UnsetType = UNSET
    preemptible: bool | UnsetType = UNSET


class Play(_Strict, frozen=True, tag="play"):
    source: Annotated[str, Meta(pattern="^https?://")]
    loop: Annotated[int, Meta(ge=0)] = 1
    interruptible: bool | Inputs | UnsetType = UNSET
    preemptible: bool | UnsetType = UNSET


class SendDigits(_Strict, frozen=True, tag="sendDigits"):
    digits: Annotated[str, Meta(pattern="^[0-9*#w]+$")]


class Language(_Strict, frozen=True, tag="language"):
    tts_language: str | UnsetType = UNSET
    transcription_language: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.tts_language is UNSET and self.transcription_language is UNSET:
            raise ValueError("ttsLanguage or transcriptionLanguage is needed")


class Config(Struct, frozen=True, tag_field="type", tag="config"):
    """A change of settings; its fields are not public, so they are not judged."""


class Hints(Struct, frozen=True, tag_field="type", tag="hints"):
    """New recognition hints; their fields are not public, so they are not judged."""


class End(_Strict, frozen=True, tag="end"):
    handoff_data: str | UnsetType = UNSET


class Malformed(Struct, frozen=True):
    """Twilio answers `description` as an `error` frame; at `fatal` it then closes with 1007."""

    description: str
    fatal: bool


Playable = Text | Play | SendDigits
ServerFrame = Text | Play | SendDigits | Language | Config | Hints | End


class Judge:
    """Counts consecutive malformed frames; a good one starts the count again."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(ServerFrame)
        self._malformed = 0

    def judge(self, raw: str | bytes) -> ServerFrame | Malformed:
        """Binary frames are malformed: the protocol knows text frames only."""
        if isinstance(raw, bytes):
            return self._refuse(f"<{len(raw)} bytes>")
        try:
            frame: ServerFrame = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return self._refuse(raw)
        self._malformed = 0
        return frame

    def _refuse(self, shown: str) -> Malformed:
        self._malformed += 1
        return Malformed(f"Invalid message received, code: 64107, {shown}", self._malformed >= PATIENCE)
