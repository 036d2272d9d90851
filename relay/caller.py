"""What is known of one call's caller, as far as it has arrived, and what was made of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from policies.context import Entry, Situation
from policies.costs import CallUsage
from policies.facts import Fact
from policies.guard.canaries import Canaries
from policies.handoff import Decider, Decision
from policies.vocabulary import EscalationReason
from relay.actions import Action
from relay.recovering import Recovery


class Finding(StrEnum):
    """What the CRM knew of the caller's number."""

    PENDING = "pending"  # not answered yet: the turn goes on without
    FOUND = "found"
    NONE = "none"
    AMBIGUOUS = "ambiguous"  # several people on one number: no name is said
    UNAVAILABLE = "unavailable"
    SKIPPED = "skipped"  # no number to look for, or no CRM


@dataclass(frozen=True, slots=True)
class Known:
    """The answer of one look-up. `returning` is None when neither our record nor the CRM could tell."""

    finding: Finding = Finding.PENDING
    facts: tuple[Fact, ...] = ()
    canaries: Canaries | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # canary fields, in memory only
    contact_id: str | None = None
    returning: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the model made of one turn, by its own account. It acts on the next one."""

    intent: str
    sentiment: str
    understood: bool


@dataclass(slots=True)
class Caller:
    """One call's knowledge, in the memory of the process that looked it up. `fence` is this call's own."""

    given: tuple[Fact, ...] = ()  # from the dialled number, the flow and the request
    known: Known = Known()
    intent: str | None = None
    step: str | None = None
    fence: str = field(default_factory=lambda: secrets.token_hex(4))
    entered: dict[str, Entry] = field(default_factory=dict)
    intents: list[str] = field(default_factory=list)  # in the order they were recognised
    heard: list[str] = field(default_factory=list)  # the caller's utterances
    said: list[str] = field(default_factory=list)
    asked_for: set[str] = field(default_factory=set)  # facts that the model looked up
    leaving: EscalationReason | None = None  # the call goes to a person: nothing else is answered
    report: Report | None = None
    requested: EscalationReason | None = None  # the model asked for a person
    ending: bool = False  # the model has said goodbye
    actions: dict[str, Action] = field(default_factory=dict)  # side effects, by the keys of their intents
    may_claim: set[str] = field(default_factory=set)  # tools that are confirmed in this call
    tool_failures: int = 0
    recovery: Recovery | None = None  # gate 2's memory, from the first session on
    decider: Decider | None = None  # and gate 3's
    usage: CallUsage = field(default_factory=CallUsage)
    guard_hits: int = 0
    failures: int = 0  # turns in a row that went wrong, whatever it was
    system_failures: int = 0  # in a row
    decided: Decision | None = None  # the last that got a person, or offered one

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.given, *self.known.facts)

    @property
    def settled(self) -> bool:
        """Has the look-up answered, one way or the other?"""
        return self.known.finding is not Finding.PENDING

    @property
    def tier(self) -> str:
        return next((fact.value for fact in self.facts if fact.name == "tier"), "")

    def situation(self) -> Situation:
        """What the conditions of the context filter are held against."""
        tier = self.tier or None
        return Situation(self.known.returning, self.intent, tier, self.step, frozenset(self.asked_for))
