"""Gate 3: does a person take this call? Separate rules, each of which can be read, named and replayed.

`now` hands over. `offer` asks once: a caller who declines, or passes over it, is not asked for that reason
again for three turns. What is due now comes before any offer; among equals the first that fires gives the
reason. The model may only ask for it: policy decides. A rule that the agent file does not name is off, save
for keypad 0, the guard's handoff, and failures of tools and system.
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
SAME_OBJECTION: Final = 2  # the first of a kind is answered, the second is for a person
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

Values = Mapping[str, str | int | bool]


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
    values: Values = field(default_factory=dict)
    objection: Objection | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What one turn leaves to the next. As plain scalars it lives in the snapshot of the call."""

    offered: EscalationReason | None = None
    cooling: Mapping[EscalationReason, int] = field(default_factory=dict)  # up to and with which turn
    objections: Mapping[Objection, int] = field(default_factory=dict)
    negative_turns: int = 0  # in a row
    latched: Decision | None = None

    def snapshot(self) -> dict[str, str | int | bool]:
        """Flat, for JSON; `restored` reads it."""
        flat: dict[str, str | int | bool] = {"negative_turns": self.negative_turns}
        if self.offered:
            flat["offered"] = self.offered.value
        flat |= {f"cooling.{reason}": until for reason, until in self.cooling.items()}
        flat |= {f"objections.{kind}": times for kind, times in self.objections.items()}
        if (latched := self.latched) and latched.reason:
            flat |= {"rule": latched.rule, "reason": latched.reason.value, "turn": latched.turn}
            flat |= {f"values.{name}": value for name, value in latched.values.items()}
            flat |= {"objection": latched.objection.value} if latched.objection else {}
        return flat


def restored(flat: Values) -> State:
    """Raises `ValueError` for a snapshot of another version: begin anew."""

    def under(prefix: str) -> dict[str, str | int | bool]:
        return {name.removeprefix(prefix): value for name, value in flat.items() if name.startswith(prefix)}

    latched = None
    if "reason" in flat:
        raised = Objection(str(flat["objection"])) if "objection" in flat else None
        reason = EscalationReason(str(flat["reason"]))
        latched = Decision(
            Kind.HANDOFF, str(flat["rule"]), reason, int(flat["turn"]), under("values."), raised
        )
    return State(
        EscalationReason(str(flat["offered"])) if "offered" in flat else None,
        {EscalationReason(name): int(until) for name, until in under("cooling.").items()},
        {Objection(name): int(times) for name, times in under("objections.").items()},
        int(flat.get("negative_turns", 0)),
        latched,
    )


@dataclass(frozen=True, slots=True)
class _Fired:
    rule: str
    reason: EscalationReason
    how: str  # now | offer | off
    values: Values = field(default_factory=dict)
    ignores_cool_down: bool = False
    objection: Objection | None = None


class Decider:
    """Of one call. The same inputs in the same order give the same decisions."""

    def __init__(self, rules: Rules, keypad: Mapping[str, str], state: State | None = None) -> None:
        self._rules = rules
        self._topics: Mapping[str, str] = {str(topic): how for topic, how in rules.topics.items()}
        self._keypad = keypad
        state = state or State()
        self._offered = state.offered
        self._cooling = dict(state.cooling)
        self._objections = dict(state.objections)
        self._negative = state.negative_turns
        self._latched = state.latched

    @property
    def state(self) -> State:
        """What another process needs to decide on."""
        return State(
            self._offered, dict(self._cooling), dict(self._objections), self._negative, self._latched
        )

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
        if inputs.sentiment_allowed:  # where it may not be looked for, it is not
            self._negative = self._negative + 1 if inputs.negative or negative(inputs.text) else 0
        raised = objection(inputs.text)
        if raised:
            self._objections[raised] = self._objections.get(raised, 0) + 1
        accepted = self._answered(inputs)
        return self._decide(self._by_words(inputs, accepted, raised), inputs, raised)

    def after(self, inputs: Inputs) -> Decision:
        """After the model and its tools."""
        if self._latched:
            return self._latched
        return self._decide(self._by_events(inputs), inputs)

    # -- inside ------------------------------------------------------------------------------------------

    def _answered(self, inputs: Inputs) -> EscalationReason | None:
        """The reason of the offer that these words accept. An offer stands for one turn."""
        offered, self._offered = self._offered, None
        if offered is None:
            return None
        if consents(inputs.text):
            return offered
        self._cooling[offered] = inputs.turn + COOL_DOWN
        return None

    def _decide(self, rules: Iterator[_Fired], inputs: Inputs, raised: Objection | None = None) -> Decision:
        fired = list(rules)
        for each in fired:
            if each.how == "now":
                self._latched = self._ruling(Kind.HANDOFF, each, inputs)
                return self._latched
        if asks_identity(inputs.text):  # answered truthfully before anything is offered
            return Decision(Kind.IDENTITY, "identity", turn=inputs.turn)
        cooling: dict[str, str | int | bool] = {}
        for each in fired:
            if each.how != "offer":
                continue
            until = self._cooling.get(each.reason, -1)
            if each.ignores_cool_down or inputs.turn > until:
                self._offered = each.reason
                return self._ruling(Kind.OFFER, each, inputs)
            cooling[f"{each.reason} cools down until turn"] = until
        first = raised and self._objections[raised] < SAME_OBJECTION
        if raised and first and self._topics.get(Topic.OBJECTION, "off") != "off":
            values = {"kind": raised.value, "times": self._objections[raised], "threshold": SAME_OBJECTION}
            return Decision(
                Kind.ANSWER_OBJECTION, "topics.objection", turn=inputs.turn, values=values, objection=raised
            )
        return Decision(Kind.GO_ON, turn=inputs.turn, values=cooling)

    @staticmethod
    def _ruling(kind: Kind, fired: _Fired, inputs: Inputs) -> Decision:
        values = {"turn": inputs.turn, **fired.values}
        return Decision(kind, fired.rule, fired.reason, inputs.turn, values, fired.objection)

    def _by_words(
        self, inputs: Inputs, accepted: EscalationReason | None, raised: Objection | None
    ) -> Iterator[_Fired]:
        """In the order in which they give the reason."""
        rules = self._rules
        about = topics(inputs.text)
        if Topic.EMERGENCY in about:
            yield self._about(Topic.EMERGENCY)
        if accepted:
            yield _Fired("offer_accepted", accepted, "now", objection=self._most_raised(accepted))
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
        yield from (self._about(each) for each in about if each not in (Topic.EMERGENCY, Topic.OBJECTION))
        if raised and (times := self._objections[raised]) >= SAME_OBJECTION:
            values = {"kind": raised.value, "times": times, "threshold": SAME_OBJECTION}
            how = self._topics.get(Topic.OBJECTION, "off")
            yield _Fired("topics.objection", EscalationReason.OBJECTION, how, values, objection=raised)
        offered = EscalationReason.CUSTOMER_TIER in self._cooling  # once a call: the tier does not change
        if inputs.tier and rules.tiers.get(inputs.tier) == "prefer_human" and not offered:
            yield _Fired("tiers", EscalationReason.CUSTOMER_TIER, "offer", {"tier": inputs.tier})
        yield from self._by_events(inputs)

    def _about(self, topic: Topic) -> _Fired:
        how = self._topics.get(topic, "off")
        return _Fired(f"topics.{topic}", REASONS[topic], how, {"topic": topic.value})

    def _most_raised(self, accepted: EscalationReason) -> Objection | None:
        if accepted is not EscalationReason.OBJECTION:
            return None
        return max(self._objections, key=lambda kind: self._objections[kind], default=None)

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
        if inputs.requested:
            yield _Fired("requested_by_model", inputs.requested, self._granted(inputs.requested, inputs))

    def _granted(self, reason: EscalationReason, inputs: Inputs) -> str:
        """What the file's own rules make of a reason that the model gives; a failure has to have happened."""
        rules = self._rules
        mood = rules.sentiment.then if rules.sentiment and inputs.sentiment_allowed else "off"
        named = {
            EscalationReason.EXPLICIT_REQUEST: rules.explicit_request,
            EscalationReason.NEGATIVE_SENTIMENT: mood,
            EscalationReason.REPEATED_FAILURE: "now" if rules.failures and inputs.failures else "off",
            EscalationReason.LOW_UNDERSTANDING: "offer",
            EscalationReason.TOOL_FAILURE: "now" if inputs.tool_failures else "offer",
            EscalationReason.SYSTEM_FAILURE: "now" if inputs.system_failures else "offer",
            EscalationReason.OUT_OF_SCOPE: "offer",
            EscalationReason.DECLARED_INTENT: _strictest(rules.intents.values()),
            EscalationReason.CUSTOMER_TIER: "offer" if inputs.tier in rules.tiers else "off",
        }
        by_topic = [self._topics.get(topic, "off") for topic, why in REASONS.items() if why is reason]
        return named.get(reason, _strictest(by_topic))


def _strictest(ways: Iterable[str]) -> str:
    found = set(ways)
    return "now" if "now" in found else "offer" if "offer" in found else "off"


def missing(entered: Context, *, looked_up: bool) -> bool:
    """Is a fact missing without which the file hands the call over? Only once the look-up has answered."""
    return looked_up and entered.missing_action is OnMissing.HANDOFF
