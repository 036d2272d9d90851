"""Gate 1: which facts may enter this turn. Denied unless allowed, each with its reason, within a budget.

A field is in one class at the most: *must*, *conditional*, *policy* (rules may read it, the model never does)
or *never*; one that is in none does not enter. Facts are cut at field boundaries, the least important first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from policies.context_text import ASK, FRAME_TOKENS, cost, plain
from policies.facts import Fact, Trust
from policies.tokens import estimate

BY_TRUST: Final = {trust: rank for rank, trust in enumerate(Trust)}


class OnMissing(StrEnum):
    """What happens when a *must* field has no value; a later one is stricter."""

    GO_ON = "go_on"
    ASK = "ask"
    HANDOFF = "handoff"


class Reason(StrEnum):
    """Why a fact entered."""

    MUST = "must"
    CONDITION = "its condition holds"
    ON_DEMAND = "asked for"


class Why(StrEnum):
    """Why a fact was withheld."""

    NOT_ALLOWED = "in no class"
    NEVER = "never"
    POLICY_ONLY = "for rules only"
    CONDITION = "its condition does not hold"
    BUDGET = "over the budget"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class When:
    """Every condition that is set has to hold. An empty tuple is no condition."""

    returning: bool | None = None
    intent: tuple[str, ...] = ()
    tier: tuple[str, ...] = ()
    step: tuple[str, ...] = ()

    def may_be_asked(self, situation: Situation) -> bool:
        """On demand a fact may come before its intent or step is known; who may have it is another matter."""
        return self.returning in (None, situation.returning) and (
            not self.tier or situation.tier in self.tier
        )

    def holds(self, situation: Situation) -> bool:
        return (
            self.returning in (None, situation.returning)
            and (not self.intent or situation.intent in self.intent)
            and (not self.tier or situation.tier in self.tier)
            and (not self.step or situation.step in self.step)
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the call by now; None is not known, and fulfils no condition."""

    returning: bool | None = None
    intent: str | None = None
    tier: str | None = None
    step: str | None = None
    asked_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ContextRules:
    """The `context` section of an agent file. Budgets are tokens of the text that is really sent."""

    must: tuple[str, ...] = ()
    on_missing: Mapping[str, OnMissing] = field(default_factory=dict)
    conditional: tuple[tuple[str, When], ...] = ()
    policy: tuple[str, ...] = ()
    never: frozenset[str] = frozenset()
    canaries: frozenset[str] = frozenset()  # of `never`: fetched, to be searched for in what we say
    free_text: frozenset[str] = frozenset()  # marked word by word as data, and capped
    preloaded: int = 200
    on_intent: int = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact that entered, and what it cost."""

    fact: Fact
    reason: Reason
    tokens: int
    free_text: bool = False

    def __str__(self) -> str:
        return f"{self.fact.name}: {self.reason}, from {self.fact.source}, {self.tokens} tokens"


@dataclass(frozen=True, slots=True)
class Withheld:
    name: str
    why: Why

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class Context:
    """The ruling of one turn. `missing`: *must* fields without a value."""

    entries: tuple[Entry, ...] = ()
    refused: tuple[Withheld, ...] = ()
    missing: tuple[str, ...] = ()
    to_ask: tuple[str, ...] = ()  # those of `missing` that the agent asks the caller for
    missing_action: OnMissing = OnMissing.GO_ON  # the strictest of all that are missing

    @property
    def entered(self) -> tuple[str, ...]:
        return tuple(entry.fact.name for entry in self.entries)

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.refused)

    @property
    def tokens(self) -> int:
        return sum(entry.tokens for entry in self.entries)


def to_fetch(rules: ContextRules) -> tuple[str, ...]:
    """The fields a CRM may be asked for when the call begins: any condition may still come to hold.

    A *never* field is not among them, unless it is a canary.
    """
    conditional = [name for name, _ in rules.conditional]
    wanted = dict.fromkeys((*rules.must, *rules.policy, *conditional, *sorted(rules.canaries)))
    return tuple(name for name in wanted if name not in rules.never or name in rules.canaries)


def select(
    rules: ContextRules, facts: Iterable[Fact], situation: Situation, *, token_factor: float = 1.0
) -> Context:
    """What enters a turn. The same for any order of the facts."""
    known = trusted(facts)
    full = {name: fact for name, fact in known.items() if plain(fact.value)}
    missing = tuple(name for name in rules.must if name not in full)
    actions = {name: rules.on_missing.get(name, OnMissing.GO_ON) for name in missing}
    asked = [name for name in missing if actions[name] is OnMissing.ASK]
    to_ask, left = _asks(asked, rules.preloaded, token_factor)
    frame = math.ceil(FRAME_TOKENS * token_factor)
    first, later = _layers(rules, situation)
    entries, refused = _fit(rules, full, first, left - frame, token_factor)
    more, over = _fit(rules, full, later, rules.on_intent - (0 if entries else frame), token_factor)
    refused += over
    allowed = {name for name, _ in (*first, *later)}
    refused += [
        Withheld(name, _why(rules, name, full)) for name in known if name not in allowed or name not in full
    ]
    return Context(
        entries=(*entries, *more),
        refused=tuple(sorted(refused, key=lambda each: each.name)),
        missing=missing,
        to_ask=to_ask,
        missing_action=max(actions.values(), key=list(OnMissing).index, default=OnMissing.GO_ON),
    )


def may_be_asked(rules: ContextRules, situation: Situation) -> tuple[str, ...]:
    """The names of the third layer, known or not: which of them a model may ask for in this call."""
    return tuple(name for name, when in rules.conditional if when.may_be_asked(situation))


def on_demand(rules: ContextRules, facts: Iterable[Fact], situation: Situation) -> tuple[str, ...]:
    """The third layer: facts that are known, not in the context yet, and that the model may ask for."""
    known = {name for name, fact in trusted(facts).items() if plain(fact.value)}
    return tuple(
        name
        for name, when in rules.conditional
        if name in known
        and name not in situation.asked_for
        and not when.holds(situation)
        and when.may_be_asked(situation)
    )


def trusted(facts: Iterable[Fact]) -> dict[str, Fact]:
    """One fact a name, in the order of names: of several the most trusted one that says anything."""
    best: dict[str, Fact] = {}
    for fact in sorted(
        facts, key=lambda f: (f.name, not plain(f.value), BY_TRUST[f.trust], f.source, f.value)
    ):
        best.setdefault(fact.name, fact)
    return best


Layer = Sequence[tuple[str, Reason]]


def _layers(rules: ContextRules, situation: Situation) -> tuple[Layer, Layer]:
    """What may enter from the beginning, and what an intent or a question opened."""
    denied = rules.never | rules.canaries | set(rules.policy)  # whatever else is said of them
    first: list[tuple[str, Reason]] = [(name, Reason.MUST) for name in rules.must if name not in denied]
    later: list[tuple[str, Reason]] = []
    for name, when in rules.conditional:
        if name in denied:
            continue
        if when.holds(situation):
            (later if when.intent or when.step else first).append((name, Reason.CONDITION))
        elif name in situation.asked_for and when.may_be_asked(situation):
            later.append((name, Reason.ON_DEMAND))
    return first, later


def _asks(names: Sequence[str], budget: int, factor: float) -> tuple[tuple[str, ...], int]:
    """The fields to ask the caller for, the most important first, within the budget; and what is left."""
    for count in range(len(names), 0, -1):
        tokens = estimate(ASK + ", ".join(names[:count]), factor)
        if tokens <= budget:
            return tuple(names[:count]), budget - tokens
    return (), budget


def _fit(
    rules: ContextRules, full: Mapping[str, Fact], layer: Layer, budget: int, factor: float
) -> tuple[list[Entry], list[Withheld]]:
    """The facts of a layer its budget has room for, the most important first, each whole or not at all."""
    entries: list[Entry] = []
    refused: list[Withheld] = []
    for name, reason in layer:
        if name not in full:
            continue
        free_text = name in rules.free_text
        tokens = cost(full[name], free_text=free_text, factor=factor)
        if tokens <= budget:
            budget -= tokens
            entries.append(Entry(full[name], reason, tokens, free_text))
        else:
            refused.append(Withheld(name, Why.BUDGET))
    return entries, refused


def _why(rules: ContextRules, name: str, full: Mapping[str, Fact]) -> Why:
    if name in rules.never or name in rules.canaries:
        return Why.NEVER
    if name in rules.policy:
        return Why.POLICY_ONLY
    if name not in full:
        return Why.EMPTY
    return Why.CONDITION if any(name == each for each, _ in rules.conditional) else Why.NOT_ALLOWED
