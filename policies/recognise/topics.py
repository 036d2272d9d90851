"""What the words are about, what keeps the caller from it, and their mood, by the words of `topics.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from policies.recognise.grammar import expression, read
from policies.recognise.words import plain


class Topic(StrEnum):
    """As the agent file names them, the gravest first."""

    EMERGENCY = "emergency"
    LEGAL = "legal"
    SENSITIVE_DATA = "sensitive_data"
    COMPLAINT = "complaint"
    CONTRACT = "contract"
    PAYMENT = "payment"
    OBJECTION = "objection"


class Objection(StrEnum):
    PRICE = "price"
    TRUST = "trust"
    TIMING = "timing"
    COMPETITOR = "competitor"


@dataclass(frozen=True, slots=True)
class Words:
    """`about` and `no` are the examples that prove them."""

    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    about: tuple[str, ...]
    no: tuple[str, ...]

    def found_in(self, said: str) -> bool:
        """`said` is plain."""
        rest = self.unless.sub(" ", said) if self.unless and self.pattern.search(said) else said
        return self.pattern.search(rest) is not None


def _words(entry: Any) -> Words:  # our own data, proven by its examples
    english, korean = expression(entry["en"]), expression(entry["ko"])
    return Words(
        re.compile(rf"\b{english}\b|{korean}"),
        re.compile(expression(entry["unless"])) if "unless" in entry else None,
        tuple(entry["about"]),
        tuple(entry["not"]),
    )


_DOCUMENT: Final = read("topics")
TOPICS: Final = {Topic(name): _words(entry) for name, entry in _DOCUMENT["topics"].items()}
OBJECTIONS: Final = {Objection(name): _words(entry) for name, entry in _DOCUMENT["objections"].items()}
NEGATIVE: Final = _words(_DOCUMENT["mood"]["negative"])


def topics(text: str) -> tuple[Topic, ...]:
    """The gravest first; an objection is told apart by `objection`."""
    said = plain(text)
    found = tuple(topic for topic, words in TOPICS.items() if words.found_in(said))
    return (*found, Topic.OBJECTION) if objection(text) else found


def objection(text: str) -> Objection | None:
    """What keeps the caller from it: the first of price, trust, timing, competitor."""
    said = plain(text)
    return next((kind for kind, words in OBJECTIONS.items() if words.found_in(said)), None)


def negative(text: str) -> bool:
    """Anger or abuse in the words. Quiet displeasure is for the model to report."""
    return NEGATIVE.found_in(plain(text))
