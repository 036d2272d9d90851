"""What must never be said, as data: one rule, with its own examples on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What happens when a rule fires."""

    BLOCK = "block"  # the safe line takes the place of the rest of the reply
    REDACT = "redact"  # a mask takes the place of the words
    HANDOFF = "handoff"  # as `block`, and a person takes the call
    LOG = "log"  # recorded only; never holds a word back


class Scope(StrEnum):
    """How much of the reply a rule holds."""

    CUT = "cut"  # only what may still become a violation: the start of the sentence may have been spoken
    SENTENCE = "sentence"  # to the end of each sentence, so that it is replaced as a whole


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Verify(StrEnum):
    """Code that has the last word on what a pattern found."""

    CARD = "card"  # Luhn
    SSN = "ssn"  # area, group and serial number as issued
    RRN = "rrn"  # a month; numbers issued since October 2020 have no checksum
    PHONE = "phone"
    PRICE = "price"  # a violation unless the amount is approved


@dataclass(frozen=True, slots=True)
class Examples:
    violates: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of `never` (phrases), `pattern` (a bounded regex) or `verify` alone, which has its own patterns.

    `longest`: a verifier judges the longest candidate only. `say` holds (language tag, line); the empty tag
    is for any language. `source` names the pack or the file.
    """

    id: str
    never: tuple[str, ...] = ()
    pattern: str = ""
    verify: Verify | None = None
    longest: bool = False
    action: Action = Action.BLOCK
    scope: Scope = Scope.CUT
    say: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    severity: Severity = Severity.HIGH
    examples: Examples = Examples()
    source: str = ""


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is wrong with a rule, and how to mend it."""

    rule_id: str
    says: str

    def __str__(self) -> str:
        return f"rule {self.rule_id}: {self.says}"
