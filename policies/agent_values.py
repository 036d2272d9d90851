"""The small values an agent file is written in: durations, languages, numbers, spoken lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)
Item = TypeVar("Item")


class Section(BaseModel):
    """A part of the agent file: exact types, never changed, no key it does not know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Contradiction(ValueError):
    """Keys that are right one by one and wrong together, each with what to do about it."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {says}" for key, says in problems))
        self.problems = problems


def seconds(value: object) -> float:
    """`"1.2s"` as 1.2. Raises `ValueError` for anything without a unit, a bare number too."""
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be a number with a unit: 800ms, 1.2s, 5m, 2h or 90d")
    return float(found[1]) * SECONDS[found[2]]


@dataclass(frozen=True, slots=True)
class Matching:
    """For a field's type: the whole text matches, or the fault says so in words. Editors see the pattern."""

    pattern: str
    says: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self.match, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}

    def match(self, value: str) -> str:
        """Raises `ValueError`."""
        if not re.fullmatch(self.pattern, value):
            raise ValueError(self.says)
        return value


def matching(pattern: str, says: str) -> Matching:
    return Matching(pattern, says)


def not_empty(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Raises `ValueError` for an empty list. (pydantic's own limit does not count an item that is wrong.)"""
    if not items:
        raise ValueError("must have at least one entry")
    return items


def listed(value: object) -> object:
    """One text is a list of one."""
    return (value,) if isinstance(value, str) else value


def _positive(value: object) -> float:
    if (duration := seconds(value)) <= 0:
        raise ValueError("must be longer than nothing")
    return duration


def language_tag(value: str) -> str:
    """The tag itself. Raises `ValueError` where it is none."""
    if not LANGUAGE.fullmatch(value):
        raise ValueError("must be a language tag such as en-US or ko-KR")
    return value


@dataclass(frozen=True, slots=True)
class Say:
    """A line in one or several languages, in the order of the file; the tag is empty for a plain text."""

    texts: tuple[tuple[str, str], ...]

    def in_language(self, tag: str) -> str:
        """The line for this tag: exact, else the same primary subtag (`ko` for `ko-KR`), else the first."""
        return closest(dict(self.texts), tag)


def closest(texts: Mapping[str, str], tag: str) -> str:
    """The text for a language tag: exact, else the same primary subtag, else the first there is."""
    wanted = tag.casefold()
    primary = wanted.partition("-")[0]
    ranked = sorted(  # a stable sort: among equals the order of the file decides
        texts, key=lambda t: (t.casefold() != wanted, t.casefold().partition("-")[0] != primary)
    )
    return texts[ranked[0]]


def _say(value: object) -> Say:
    texts = value if isinstance(value, dict) else {"": value}
    if not texts:
        raise ValueError("must be a text, or a text per language: {en-US: …, ko-KR: …}")
    said: list[tuple[str, str]] = []
    for tag, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError("must be a text to speak, or a text per language: {en-US: …, ko-KR: …}")
        if tag:
            language_tag(tag)
        said.append((tag, " ".join(text.split())))
    return Say(tuple(said))


IN_UNITS = WithJsonSchema(
    {"type": "string", "pattern": f"^{DURATION.pattern}$", "examples": ["800ms", "1.2s"]}
)
IN_LANGUAGES = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}
)
TEXT_OR_LIST = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
Duration = Annotated[float, PlainValidator(seconds), IN_UNITS]
"""Seconds."""
Timeout = Annotated[float, PlainValidator(_positive), IN_UNITS]
"""Seconds, more than 0."""
LanguageTag = Annotated[str, AfterValidator(language_tag)]
PhoneNumber = Annotated[
    str, matching(r"\+[1-9]\d{4,14}", 'must be a number in E.164, in quotes: "+15550100001"')
]
Spoken = Annotated[Say, PlainValidator(_say), IN_LANGUAGES]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
"""A short text that is not empty."""
Identifier = Annotated[
    str, matching(r"[a-z][a-z0-9_]{0,63}", "must be at most 64 small letters, digits and _, a letter first")
]
Address = Annotated[str, matching(r"https?://[^\s/]+\S*", "must be an address: https://…")]
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of the whole: 0 to 1."""
