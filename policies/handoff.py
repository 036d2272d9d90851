"""Gate 3: does a person take this call? Separate rules, each of which can be read, named and replayed.

The first that fires gives the reason. `now` hands over; `offer` asks once, and a caller who declines is not
asked again for that reason for three turns. The model may only ask for it: policy decides. A rule that the
agent file does not name is off, save for keypad 0, the guard's handoff, and failures of tools and system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from policies.agent_handoff import Rules
from policies.context import Context, OnMissing
from policies.recognise import (
    Objection,
    Topic,
    asks_for_person,
    asks_identity,
    consents,
    negative,
    objection,
    topics,
)
from policies.vocabulary import EscalationReason

COOL_DOWN: Final = 3  # turns in which a declined reason is not offered again
FAILURES_IN_A_ROW: Final = 2  # of tools, or of the system, before a person is got without being asked for
DEFAULT: Final = "default"  # the key of `failures` for every tier that has none of its own

REASONS: Final[Mapping[Topic, EscalationReason]] = {
    Topic.EMERGENCY: EscalationReason.EMERGENCY,
    Topic.LEGAL: EscalationReason.LEGAL,
    Topic.SENSITIVE_DATA: EscalationReason.SENSITIVE_TOPIC,
    Topic.COMPLAINT: EscalationReason.COMPLAINT,
    Topic.CONTRACT: EscalationReason.SENSITIVE_TOPIC,
    Topic.PAYMENT: EscalationReason.SENSITIVE_TOPIC,
    Topic.OBJECTION: EscalationReason.OBJECTION,
}


class Kind(StrEnum):
    """What is done about a turn."""

    GO_ON = "go_on"
    IDENTITY = "identity"  # say who we are, and go on
    ANSWER_OBJECTION = "answer_objection"  # from approved material, once
    OFFER = "offer"  # of a person
    HANDOFF = "handoff"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one decision rests on. Counts are of this call; `negative` is the model's report or the words."""

    turn: int
    text: str = field(default="", repr=False)
    intent: str = ""
    tier: str = ""
    key: str = ""  # pressed alone, outside a question
    failures: int = 0  # turns that failed, in a row
    guard_hits: int = 0
    tool_failures: int = 0
    system_failures: int = 0  # in a row
    negative: bool = False
    sentiment_allowed: bool = True  # where the law wants a notice first, only once it was heard
    low_understanding: bool = False
    silence: bool = False
    missing_must: bool = False  # a fact is missing that the file will not go on without
    crm_failed: bool = False
    requested: EscalationReason | None = None  # by the model


@dataclass(frozen=True, slots=True)
class Decision:
    """One ruling, with what it rests on: `values` holds each figure beside its threshold."""

    kind: Kind
    rule: str = ""
    reason: EscalationReason | None = None
    turn: int = 0
    values: Mapping[str, str | int | bool] = field(default_factory=dict)
    objection: Objection | None = None


@dataclass(frozen=True, slots=True)
class _Fired:
    rule: str
    reason: EscalationReason
    how: str  # now | offer
    values: Mapping[str, str | int | bool] = field(default_factory=dict)
    ignores_cool_down: bool = False


class Decider:
    """Of one call. The same inputs in the same order give the same decisions."""

    def __init__(self, rules: Rules, keypad: Mapping[str, str]) -> None:
        self._rules = rules
        self._topics: Mapping[str, str] = {str(topic): how for topic, how in rules.topics.items()}
        self._keypad = keypad
        self._offered: EscalationReason | None = None
        self._declined: dict[EscalationReason, int] = {}  # until which turn
        self._objections: dict[Objection, int] = {}
        self._negative = 0
        self._latched: Decision | None = None

    @property
    def objections(self) -> Mapping[Objection, int]:
        """How often each kind was raised, for the brief."""
        return dict(self._objections)

    def offer(self, reason: EscalationReason) -> None:
        """A person was offered by another gate: what the caller says next may accept or decline."""
        self._offered = reason

    def before(self, inputs: Inputs) -> Decision:
        """Before the model is asked."""
        if self._latched:
            return self._latched
        self._negative = self._negative + 1 if inputs.negative or negative(inputs.text) else 0
        raised = objection(inputs.text)
        if raised:
            self._objections[raised] = self._objections.get(raised, 0) + 1
        offered, self._offered = self._offered, None
        if offered and (answer := consents(inputs.text)) is not None:
            if answer:
                return self._latch(Decision(Kind.HANDOFF, "offer_accepted", offered, inputs.turn))
            self._declined[offered] = inputs.turn + COOL_DOWN
        fired = self._first(self._by_words(inputs), inputs)
        if fired:
            return fired
        if raised and self._topics.get("objection", "off") != "off":
            return Decision(
                Kind.ANSWER_OBJECTION,
                "objection",
                turn=inputs.turn,
                values={"times": self._objections[raised]},
                objection=raised,
            )
        kind = Kind.IDENTITY if asks_identity(inputs.text) else Kind.GO_ON
        return Decision(kind, "identity" if kind is Kind.IDENTITY else "", turn=inputs.turn)

    def after(self, inputs: Inputs) -> Decision:
        """After the model and its tools."""
        if self._latched:
            return self._latched
        fired = self._first(self._by_events(inputs), inputs)
        return fired or Decision(Kind.GO_ON, turn=inputs.turn)

    # -- inside ------------------------------------------------------------------------------------------

    def _first(self, rules: Iterator[_Fired], inputs: Inputs) -> Decision | None:
        for fired in rules:
            values = {"turn": inputs.turn, **fired.values}
            if fired.how == "now":
                return self._latch(
                    Decision(Kind.HANDOFF, fired.rule, fired.reason, inputs.turn, values, self._latest())
                )
            cooling = inputs.turn <= self._declined.get(fired.reason, -1)
            if fired.how == "offer" and (fired.ignores_cool_down or not cooling):
                self._offered = fired.reason
                return Decision(Kind.OFFER, fired.rule, fired.reason, inputs.turn, values, self._latest())
        return None

    def _latest(self) -> Objection | None:
        return max(self._objections, key=lambda kind: self._objections[kind], default=None)

    def _latch(self, decision: Decision) -> Decision:
        self._latched = decision
        return decision

    def _by_words(self, inputs: Inputs) -> Iterator[_Fired]:
        """In the order in which they give the reason."""
        rules = self._rules
        about = topics(inputs.text)
        if Topic.EMERGENCY in about and (how := self._topics.get("emergency", "off")) != "off":
            yield _Fired("topics.emergency", EscalationReason.EMERGENCY, how)
        if inputs.key and self._keypad.get(inputs.key) == "handoff":
            yield _Fired("keypad", EscalationReason.EXPLICIT_REQUEST, "now", {"key": inputs.key})
        if rules.explicit_request != "off" and asks_for_person(inputs.text):
            yield _Fired(
                "explicit_request",
                EscalationReason.EXPLICIT_REQUEST,
                rules.explicit_request,
                ignores_cool_down=True,
            )
        if (wanted := rules.intents.get(inputs.intent, "off")) != "off":
            yield _Fired("intents", EscalationReason.DECLARED_INTENT, wanted, {"intent": inputs.intent})
        if inputs.missing_must:
            reason = EscalationReason.SYSTEM_FAILURE if inputs.crm_failed else EscalationReason.OUT_OF_SCOPE
            yield _Fired("context.must", reason, "now", {"crm_failed": inputs.crm_failed})
        for topic in about:
            if topic in (Topic.EMERGENCY, Topic.OBJECTION):
                continue
            if (asked := self._topics.get(topic.value, "off")) != "off":
                yield _Fired(f"topics.{topic}", REASONS[topic], asked, {"topic": topic.value})
        yield from self._objected(inputs)
        if inputs.tier and rules.tiers.get(inputs.tier) == "prefer_human":
            yield _Fired("tiers", EscalationReason.CUSTOMER_TIER, "offer", {"tier": inputs.tier})
        yield from self._by_events(inputs)

    def _objected(self, inputs: Inputs) -> Iterator[_Fired]:
        """The first of a kind is answered; the second is for a person."""
        raised = objection(inputs.text)
        how = self._topics.get("objection", "off")
        if raised and how != "off" and self._objections[raised] >= 2:
            values = {"kind": raised.value, "times": self._objections[raised], "threshold": 2}
            yield _Fired("topics.objection", EscalationReason.OBJECTION, how, values)

    def _by_events(self, inputs: Inputs) -> Iterator[_Fired]:
        rules = self._rules
        if rules.guard_hits and inputs.guard_hits >= rules.guard_hits:
            values = {"guard_hits": inputs.guard_hits, "threshold": rules.guard_hits}
            yield _Fired("guard_hits", EscalationReason.PROHIBITED_UTTERANCE, "now", values)
        allowed = rules.failures.get(inputs.tier, rules.failures.get(DEFAULT))
        if allowed and inputs.failures >= allowed:
            values = {"failures": inputs.failures, "threshold": allowed}
            yield _Fired("failures", EscalationReason.REPEATED_FAILURE, "now", values)
        if inputs.low_understanding:
            yield _Fired("low_understanding", EscalationReason.LOW_UNDERSTANDING, "now")
        mood = rules.sentiment
        if mood and inputs.sentiment_allowed and self._negative >= mood.negative_turns:
            values = {"negative_turns": self._negative, "threshold": mood.negative_turns}
            yield _Fired("sentiment", EscalationReason.NEGATIVE_SENTIMENT, mood.then, values)
        if inputs.silence:
            yield _Fired("silence", EscalationReason.SILENCE, "now")
        for name, count, reason in (
            ("tool_failure", inputs.tool_failures, EscalationReason.TOOL_FAILURE),
            ("system_failure", inputs.system_failures, EscalationReason.SYSTEM_FAILURE),
        ):
            if count >= FAILURES_IN_A_ROW:
                yield _Fired(name, reason, "now", {name: count, "threshold": FAILURES_IN_A_ROW})
        if inputs.requested and (how := self._granted(inputs.requested)) != "off":
            yield _Fired("requested_by_model", inputs.requested, how)

    def _granted(self, reason: EscalationReason) -> str:
        """What the file's own rules make of a reason that the model gives."""
        rules = self._rules
        named = {
            EscalationReason.EXPLICIT_REQUEST: rules.explicit_request,
            EscalationReason.NEGATIVE_SENTIMENT: rules.sentiment.then if rules.sentiment else "off",
            EscalationReason.REPEATED_FAILURE: "now" if rules.failures else "off",
            EscalationReason.LOW_UNDERSTANDING: "now",
            EscalationReason.TOOL_FAILURE: "now",
            EscalationReason.SYSTEM_FAILURE: "now",
            EscalationReason.OUT_OF_SCOPE: "offer",
            EscalationReason.DECLARED_INTENT: _strictest(rules.intents.values()),
            EscalationReason.CUSTOMER_TIER: "offer" if rules.tiers else "off",
        }
        by_topic = [self._topics.get(topic.value, "off") for topic, why in REASONS.items() if why is reason]
        return named.get(reason, _strictest(by_topic))


def _strictest(ways: Iterable[str]) -> str:
    found = set(ways)
    return "now" if "now" in found else "offer" if "offer" in found else "off"


def missing(entered: Context, *, looked_up: bool) -> bool:
    """Is a fact missing without which the file hands the call over? Only once the look-up has answered."""
    return looked_up and entered.missing_action is OnMissing.HANDOFF
