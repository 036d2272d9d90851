"""A rule book as calls use it: what to look for, who judges what was found, what is said instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.agent_values import closest
from policies.guard.matcher import Matcher
from policies.guard.rules import Rule
from policies.guard.verify import Verifier
from policies.lines import lines

MASK: Final = {"en": "[removed]", "ko": "[삭제됨]"}


@dataclass(frozen=True, slots=True)
class Judge:
    """What a rule does when its search has found something."""

    rule: Rule
    verify: Verifier | None
    longest: bool


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Shared by all calls of an agent. `noting` finds what is only recorded, and never holds a word."""

    holding: Matcher
    noting: Matcher | None
    judges: Mapping[str, Judge] = field(repr=False)
    by_sentence: bool  # some rule replaces whole sentences
    language: str

    def say_instead(self, rule_id: str, language: str) -> str:
        judge = self.judges.get(rule_id)
        say = judge.rule.say if judge else ()
        return closest(dict(say), language) if say else lines(language).not_said

    def mask(self, language: str) -> str:
        return closest(MASK, language)


EMPTY: Final = Rulebook(Matcher(()), None, {}, by_sentence=False, language="en-US")
"""No rules: every word passes."""
