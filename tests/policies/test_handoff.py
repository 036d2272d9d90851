"""Who decides that a person takes the call, and on what: each rule alone, their order, offers, the latch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agent_handoff import Rules
from policies.handoff import COOL_DOWN, Decider, Decision, Inputs, Kind
from policies.vocabulary import EscalationReason

ALL = {
    "explicit_request": "now",
    "intents": {"cancel_contract": "now", "upgrade": "offer"},
    "topics": {
        "payment": "now",
        "complaint": "offer",
        "objection": "offer",
        "emergency": "now",
        "legal": "now",
    },
    "sentiment": {"negative_turns": 2, "then": "offer"},
    "failures": {"default": 3, "vip": 1},
    "tiers": {"gold": "prefer_human"},
    "guard_hits": 2,
}


def decider(**rules: object) -> Decider:
    return Decider(Rules.model_validate(rules), {"0": "handoff"})


def decided(rules: dict[str, object], *turns: Inputs) -> list[tuple[Kind, EscalationReason | None]]:
    of_call = decider(**rules)
    return [(each.kind, each.reason) for each in map(of_call.before, turns)]


def only(*turns: Inputs, **rules: object) -> tuple[Kind, EscalationReason | None]:
    return decided(rules, *turns)[-1]


NOTHING = (Kind.GO_ON, None)
PERSON = Inputs(1, "I want to speak to a human")


def test_a_rule_that_is_not_named_is_off() -> None:
    for text in (
        "I want to speak to a human",
        "I smell gas",
        "You will hear from my lawyer",
        "This is useless",
    ):
        assert only(Inputs(1, text)) == NOTHING


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (Inputs(1, key="0"), EscalationReason.EXPLICIT_REQUEST),
        (Inputs(1, missing_must=True), EscalationReason.OUT_OF_SCOPE),
        (Inputs(1, missing_must=True, crm_failed=True), EscalationReason.SYSTEM_FAILURE),
        (Inputs(1, tool_failures=2), EscalationReason.TOOL_FAILURE),
        (Inputs(1, system_failures=2), EscalationReason.SYSTEM_FAILURE),
    ],
)
def test_these_get_a_person_in_any_case(inputs: Inputs, reason: EscalationReason) -> None:
    assert only(inputs) == (Kind.HANDOFF, reason)


@pytest.mark.parametrize(
    ("inputs", "decision", "reason"),
    [
        (PERSON, Kind.HANDOFF, EscalationReason.EXPLICIT_REQUEST),
        (Inputs(1, "hello", intent="cancel_contract"), Kind.HANDOFF, EscalationReason.DECLARED_INTENT),
        (Inputs(1, "hello", intent="upgrade"), Kind.OFFER, EscalationReason.DECLARED_INTENT),
        (Inputs(1, "I need a refund"), Kind.HANDOFF, EscalationReason.SENSITIVE_TOPIC),
        (Inputs(1, "I want to complain"), Kind.OFFER, EscalationReason.COMPLAINT),
        (Inputs(1, "I smell gas, get me a human"), Kind.HANDOFF, EscalationReason.EMERGENCY),
        (Inputs(1, "My lawyer will call"), Kind.HANDOFF, EscalationReason.LEGAL),
        (Inputs(1, "hello", tier="gold"), Kind.OFFER, EscalationReason.CUSTOMER_TIER),
        (Inputs(1, "hello", failures=3), Kind.HANDOFF, EscalationReason.REPEATED_FAILURE),
        (Inputs(1, "hello", failures=1, tier="vip"), Kind.HANDOFF, EscalationReason.REPEATED_FAILURE),
        (Inputs(1, "hello", guard_hits=2), Kind.HANDOFF, EscalationReason.PROHIBITED_UTTERANCE),
        (Inputs(1, "hello", low_understanding=True), Kind.HANDOFF, EscalationReason.LOW_UNDERSTANDING),
        (Inputs(1, "hello", silence=True), Kind.HANDOFF, EscalationReason.SILENCE),
    ],
)
def test_each_rule_by_itself(inputs: Inputs, decision: Kind, reason: EscalationReason) -> None:
    assert only(inputs, **ALL) == (decision, reason)


def test_who_we_are_is_answered_and_hands_nobody_over() -> None:
    assert only(Inputs(1, "Are you a robot?"), **ALL) == (Kind.IDENTITY, None)


def test_failures_below_the_threshold_of_the_tier_are_none() -> None:
    assert only(Inputs(1, "hello", failures=2), **ALL) == NOTHING


def test_a_decision_says_what_it_rests_on() -> None:
    ruling = decider(**ALL).before(Inputs(4, "hello", failures=5))
    assert ruling.rule == "failures"
    assert ruling.values == {"turn": 4, "failures": 5, "threshold": 3}


def test_a_declined_offer_is_not_made_again_for_three_turns() -> None:
    turns = [Inputs(1, "I want to complain"), Inputs(2, "No thanks, I want to complain")]
    turns += [Inputs(n, "I want to complain") for n in range(3, 3 + COOL_DOWN + 1)]
    kinds = [kind for kind, _ in decided(ALL, *turns)]
    assert kinds == [Kind.OFFER] + [Kind.GO_ON] * (1 + COOL_DOWN) + [Kind.OFFER]


def test_an_accepted_offer_hands_over_for_its_reason() -> None:
    turns = (Inputs(1, "I want to complain"), Inputs(2, "Yes please"))
    assert decided(ALL, *turns)[-1] == (Kind.HANDOFF, EscalationReason.COMPLAINT)


def test_an_offer_that_is_passed_over_lapses() -> None:
    turns = (Inputs(1, "I want to complain"), Inputs(2, "What time is it?"), Inputs(3, "Yes"))
    assert decided(ALL, *turns)[1:] == [NOTHING, NOTHING]


def test_an_explicit_request_knows_no_cool_down() -> None:
    rules = {**ALL, "explicit_request": "offer"}
    kinds = [kind for kind, _ in decided(rules, PERSON, Inputs(2, "No"), Inputs(3, PERSON.text))]
    assert kinds == [Kind.OFFER, Kind.GO_ON, Kind.OFFER]


def test_an_objection_is_answered_once_and_the_second_of_its_kind_is_for_a_person() -> None:
    of_call = decider(**ALL)
    first, other, second = (
        of_call.before(Inputs(n, text))
        for n, text in ((1, "That's too expensive"), (2, "Is this a scam?"), (3, "It costs too much"))
    )
    assert (first.kind, other.kind) == (Kind.ANSWER_OBJECTION, Kind.ANSWER_OBJECTION)
    assert (second.kind, second.reason) == (Kind.OFFER, EscalationReason.OBJECTION)
    assert second.objection == "price"


def test_anger_counts_in_turns_running_and_only_where_it_may_be_looked_for() -> None:
    angry = [Inputs(1, "This is useless"), Inputs(2, "You are ridiculous")]
    assert decided(ALL, *angry)[-1] == (Kind.OFFER, EscalationReason.NEGATIVE_SENTIMENT)
    calm = [Inputs(1, "This is useless"), Inputs(2, "What time is it?"), Inputs(3, "This is useless")]
    assert decided(ALL, *calm)[-1] == NOTHING
    forbidden = [Inputs(each.turn, each.text, sentiment_allowed=False) for each in angry]
    assert decided(ALL, *forbidden)[-1] == NOTHING


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        ({}, Kind.GO_ON),
        ({"explicit_request": "now"}, Kind.HANDOFF),
        ({"explicit_request": "offer"}, Kind.OFFER),
    ],
)
def test_the_model_may_ask_and_policy_decides(rules: dict[str, object], kind: Kind) -> None:
    asked = Inputs(1, "hello", requested=EscalationReason.EXPLICIT_REQUEST)
    assert decider(**rules).after(asked).kind is kind


def test_once_transferring_nothing_changes_the_decision() -> None:
    of_call = decider(**ALL)
    first = of_call.before(PERSON)
    assert of_call.after(Inputs(1)) == first
    assert of_call.before(Inputs(2, "I smell gas")) == first


TEXTS = (
    "hello",
    "I want to complain",
    "No",
    "Yes",
    "too expensive",
    "useless",
    "get me a human",
    "I smell gas",
)
CALLS = st.lists(
    st.builds(
        Inputs,
        turn=st.integers(1, 9),
        text=st.sampled_from(TEXTS),
        tier=st.sampled_from(["", "vip", "gold"]),
        failures=st.integers(0, 4),
        guard_hits=st.integers(0, 3),
        requested=st.sampled_from([None, *EscalationReason]),
    ),
    max_size=8,
)


@given(CALLS)
def test_the_same_inputs_give_the_same_decisions_again(call: list[Inputs]) -> None:
    def replay() -> list[Decision]:
        of_call = decider(**ALL)
        return [ruling for inputs in call for ruling in (of_call.before(inputs), of_call.after(inputs))]

    assert replay() == replay()
