"""The agent file's `handoff`, gate 3: when a person takes the call, who it is, and what they are told."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from policies.agent_context import Words
from policies.agent_conversation import Count
from policies.agent_destinations import Destination, DestinationName
from policies.agent_values import (
    TEXT_OR_LIST,
    Duration,
    Identifier,
    LanguageTag,
    Name,
    Section,
    listed,
    matching,
)

How = Literal["now", "offer", "off"]
Topic = Literal["payment", "contract", "complaint", "objection", "emergency", "legal", "sensitive_data"]
Reason = Literal[
    "explicit_request",
    "declared_intent",
    "sensitive_topic",
    "complaint",
    "objection",
    "emergency",
    "legal",
    "negative_sentiment",
    "repeated_failure",
    "low_understanding",
    "customer_tier",
    "prohibited_utterance",
    "tool_failure",
    "system_failure",
    "silence",
    "out_of_scope",
]
"""The values of `EscalationReason`."""
DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
A_DATE = "must be a date: 2026-12-25"
SPAN = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")

Days = Annotated[str, matching(f"{DAY}(?:-{DAY})?", "must be a day or days: mon, mon-fri or mon-sun")]
Date = Annotated[str, matching(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "must be a date: 2026-12-25")]
Timezone = Annotated[
    str,
    matching(r"UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2}", "must be a time zone: America/New_York, Asia/Seoul"),
]


def _date(text: str) -> str:
    if len(text) != len("2026-12-25"):
        raise ValueError(A_DATE)
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(A_DATE) from None
    return text


def _spans(spans: tuple[str, ...]) -> tuple[str, ...]:
    if not spans or not all(map(SPAN.fullmatch, spans)):
        raise ValueError('must be times of the day: "09:00-18:00", or several of them in a list')
    return spans


class Sentiment(Section):
    negative_turns: Count
    then: Literal["now", "offer"] = "offer"


class Rules(Section):
    """A rule that is not named is off. `failures`: how many, by tier; `default` is for all others."""

    explicit_request: How = "off"
    intents: dict[Identifier, How] = Field(default_factory=dict)
    topics: dict[Topic, How] = Field(default_factory=dict)
    sentiment: Sentiment | None = None
    failures: dict[Name, Count] = Field(default_factory=dict)
    tiers: dict[Name, Literal["prefer_human"]] = Field(default_factory=dict)
    guard_hits: Count | None = None


class RouteWhen(Section):
    """Every condition that is set has to hold."""

    reason: Annotated[tuple[Reason, ...], BeforeValidator(listed), TEXT_OR_LIST] = ()
    intent: Words = ()
    tier: Words = ()
    language: Annotated[tuple[LanguageTag, ...], BeforeValidator(listed), TEXT_OR_LIST] = ()


class Route(Section):
    """The first that fits leads to its destination; one without `when` fits always."""

    when: RouteWhen = RouteWhen()
    to: DestinationName


class Brief(Section):
    """What the person gets. `template` is Jinja2; without it, our own."""

    template: str = ""


class FollowUp(Section):
    """Who owns what a call leaves to do, how they are told, and until when it is done."""

    owner: Name
    notify: tuple[Literal["webhook", "email"], ...] = ()
    due: Duration = 86_400.0


class Hours(Section):
    """When people are there. A span that ends before it begins goes on overnight."""

    timezone: Timezone
    open: dict[
        Days, Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_spans), TEXT_OR_LIST]
    ]
    holidays: tuple[Annotated[str, AfterValidator(_date)], ...] = ()
    closed: DestinationName = "callback"


class Handoff(Section):
    """Without a destination, a person calls back."""

    rules: Rules = Rules()
    destinations: dict[DestinationName, Destination] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    brief: Brief = Brief()
    follow_up: FollowUp | None = None
    hours: Hours | None = None
