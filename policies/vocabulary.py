"""The words of the house: closed lists and the small values that every gate shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Speaker(StrEnum):
    CALLER = "caller"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was really heard: the caller's words, or the part of ours that was played.

    `digits` are keys the caller pressed. They live in memory for the model and the tools; `text` then
    holds only how many there were (`[10 digits]`), and `text` is all that any record may keep.
    """

    speaker: Speaker
    text: str
    interrupted: bool = False
    digits: str = field(default="", repr=False)


def masked(digits: str) -> str:
    """What a record may say of keys the caller pressed."""
    return f"[{len(digits)} digit{'s' if len(digits) > 1 else ''}]"


class Outcome(StrEnum):
    """How a call ended, for the business."""

    RESOLVED = "resolved"
    HANDED_OFF = "handed_off"
    CALLBACK_SCHEDULED = "callback_scheduled"
    OUT_OF_SCOPE_CORRECT = "out_of_scope_correct"
    ABANDONED_BY_CALLER = "abandoned_by_caller"
    FAILED_BY_SYSTEM = "failed_by_system"
    OPTED_OUT = "opted_out"
    NOT_A_CONVERSATION = "not_a_conversation"


class NextAction(StrEnum):
    """Was the right next action made? Never `correct` without a read-back."""

    CORRECT = "correct"
    WRONG = "wrong"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    NOT_REQUIRED = "not_required"
    UNVERIFIED = "unverified"


class EscalationReason(StrEnum):
    """Why a person takes the call."""

    EXPLICIT_REQUEST = "explicit_request"
    DECLARED_INTENT = "declared_intent"
    SENSITIVE_TOPIC = "sensitive_topic"
    COMPLAINT = "complaint"
    OBJECTION = "objection"
    EMERGENCY = "emergency"
    LEGAL = "legal"
    NEGATIVE_SENTIMENT = "negative_sentiment"
    REPEATED_FAILURE = "repeated_failure"
    LOW_UNDERSTANDING = "low_understanding"
    CUSTOMER_TIER = "customer_tier"
    PROHIBITED_UTTERANCE = "prohibited_utterance"
    TOOL_FAILURE = "tool_failure"
    SYSTEM_FAILURE = "system_failure"
    SILENCE = "silence"
    OUT_OF_SCOPE = "out_of_scope"


class DisclosureGrade(StrEnum):
    """How well it is proven that the caller heard the disclosure; D is no proof."""

    PLAYED = "A"
    SPOKEN = "B"
    INFERRED = "C"
    SENT = "D"
