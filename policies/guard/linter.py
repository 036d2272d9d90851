"""Does a rule do what its author says, and does it let ordinary speech through without holding it back?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from policies.guard.book import Rulebook
from policies.guard.corpus import LANGUAGES, sentences
from policies.guard.guard import Blocked, Noted, Redacted, judge
from policies.guard.matcher import Matcher, Search
from policies.guard.normalise import NORMAL
from policies.guard.rules import Rule, RuleFault

MOST_HELD: Final = 1.0  # characters held back on average; shipped rules stay below 0.6


def outlier(searches: Sequence[Search]) -> str | None:
    """Why these hold back too much ordinary speech, and what to do; None when they do not."""
    mean, longest = hold(searches)
    if mean <= MOST_HELD:
        return None
    return (
        f"holds back {mean:.1f} characters of ordinary speech on average, and up to {longest}: begin the "
        "pattern with the words that make it a violation, and drop leading parts that match any word"
    )


def hold(searches: Sequence[Search]) -> tuple[float, int]:
    """Characters held back after each character of the corpus: their mean, and the most."""
    matcher = Matcher(searches)
    held: list[int] = []
    for language in LANGUAGES:
        for sentence in sentences(language):
            state, registers = matcher.initial, tuple[int, ...]()
            for at, raw in enumerate(sentence):
                for char in NORMAL[raw]:
                    state, keep, _, old = state.steps.get(char) or matcher.step(state, char)
                    registers = tuple(registers[k] if k < old else at for k in keep)
                held.append(at + 1 - registers[0] if registers else 0)
    return sum(held) / len(held), max(held)


def unproven(alone: Rulebook, strict: Rulebook, rule: Rule) -> Iterator[RuleFault]:
    """Examples that do not come out as their rule says; both books hold this rule and no other.

    `strict` has nothing approved: what violates a rule does so whatever else a business approves.
    """
    for example in rule.examples.violates:
        if rule.id not in fired(strict, example):
            yield RuleFault(rule.id, f"its example {example!r} should violate it, and does not")
    for example in rule.examples.allowed:
        if rule.id in fired(alone, example):
            yield RuleFault(rule.id, f"its example {example!r} should be allowed, and violates it")


def unspeakable(book: Rulebook, rules: Sequence[Rule]) -> Iterator[RuleFault]:
    """Safe lines that a rule forbids."""
    for rule in rules:
        for language, line in rule.say:
            for other in sorted(fired(book, line)):
                yield RuleFault(rule.id, f"its line {line!r} ({language or 'any language'}) violates {other}")


def fired(book: Rulebook, text: str) -> set[str]:
    """Which rules fire on this text; behind a block only what comes before it counts."""
    return {
        ruling.rule
        for ruling in judge(book, text, book.language)
        if isinstance(ruling, Blocked | Redacted | Noted)
    }
