"""What the next call may know of this one: at most 80 tokens, built from facts, without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.tokens import estimate
from policies.vocabulary import NextAction, Outcome

LONGEST: Final = 80  # tokens
LONGEST_QUESTION: Final = 100  # characters

ENGLISH: Final = {
    "wanted": "Wanted: {}.",
    "asked": "First said: “{}”",
    Outcome.RESOLVED: "It was settled.",
    Outcome.HANDED_OFF: "It was handed to a person.",
    Outcome.CALLBACK_SCHEDULED: "A callback was promised.",
    Outcome.OUT_OF_SCOPE_CORRECT: "It was not ours to settle.",
    Outcome.ABANDONED_BY_CALLER: "The caller hung up before an answer.",
    Outcome.FAILED_BY_SYSTEM: "It failed on our side.",
    Outcome.OPTED_OUT: "The caller wants no more calls.",
    "open": "Something was left to do.",
}
KOREAN: Final = {
    "wanted": "용건: {}.",
    "asked": "처음 한 말: “{}”",
    Outcome.RESOLVED: "해결되었음.",
    Outcome.HANDED_OFF: "담당자에게 연결했음.",
    Outcome.CALLBACK_SCHEDULED: "다시 전화하기로 했음.",
    Outcome.OUT_OF_SCOPE_CORRECT: "안내 범위가 아니었음.",
    Outcome.ABANDONED_BY_CALLER: "답을 듣기 전에 끊었음.",
    Outcome.FAILED_BY_SYSTEM: "시스템 문제로 실패했음.",
    Outcome.OPTED_OUT: "더 이상 전화를 원하지 않음.",
    "open": "남은 일이 있음.",
}


@dataclass(frozen=True, slots=True)
class CallFacts:
    """`intents` in the order they were recognised; `said` are the caller's utterances."""

    intents: Sequence[str]
    said: Sequence[str]
    outcome: Outcome
    next_action: NextAction


def summarise(call: CallFacts, language: str, redact: Callable[[str], str]) -> str:
    """Empty for a call in which nobody said anything. Sentences that do not fit are left out."""
    if call.outcome is Outcome.NOT_A_CONVERSATION:
        return ""
    summary = ""
    for sentence in _sentences(call, language, redact):
        longer = f"{summary} {sentence}".strip()
        if estimate(longer) <= LONGEST:
            summary = longer
    return summary


def _sentences(call: CallFacts, language: str, redact: Callable[[str], str]) -> Iterator[str]:
    """The most useful first."""
    words = KOREAN if language.casefold().startswith("ko") else ENGLISH
    yield words[call.outcome]
    if call.next_action not in (NextAction.NOT_REQUIRED, NextAction.CORRECT):
        yield words["open"]
    if call.intents:
        yield words["wanted"].format(", ".join(call.intents))
    if call.said:
        question = " ".join(redact(call.said[0]).split())
        if len(question) > LONGEST_QUESTION:
            question = question[: LONGEST_QUESTION - 1] + "…"
        yield words["asked"].format(question)
