"""Who decides that a person takes the call, and on what: each rule alone, their order, offers, the latch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agent_handoff import Rules
from policies.context import Context, OnMissing
from policies.handoff import COOL_DOWN, Decider, Decision, Inputs, Kind, State, missing, restored
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


def test_what_is_due_now_comes_before_any_offer() -> None:
    assert only(Inputs(1, "I want to complain", failures=3), **ALL) == (
        Kind.HANDOFF,
        EscalationReason.REPEATED_FAILURE,
    )
    vip = {**ALL, "tiers": {"vip": "prefer_human"}}
    assert only(Inputs(1, "hello", tier="vip", failures=1), **vip) == (
        Kind.HANDOFF,
        EscalationReason.REPEATED_FAILURE,
    )


ORDER = [
    (Inputs(1, "I smell gas"), EscalationReason.EMERGENCY),
    (Inputs(1, "get me a human"), EscalationReason.EXPLICIT_REQUEST),
    (Inputs(1, intent="cancel_contract"), EscalationReason.DECLARED_INTENT),
    (Inputs(1, "my lawyer"), EscalationReason.LEGAL),
    (Inputs(1, "I need a refund"), EscalationReason.SENSITIVE_TOPIC),
    (Inputs(1, guard_hits=2), EscalationReason.PROHIBITED_UTTERANCE),
    (Inputs(1, failures=3), EscalationReason.REPEATED_FAILURE),
    (Inputs(1, low_understanding=True), EscalationReason.LOW_UNDERSTANDING),
    (Inputs(1, silence=True), EscalationReason.SILENCE),
    (Inputs(1, tool_failures=2), EscalationReason.TOOL_FAILURE),
    (Inputs(1, system_failures=2), EscalationReason.SYSTEM_FAILURE),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_of_several_rules_the_first_in_the_order_gives_the_reason(first: int) -> None:
    rest = [inputs for inputs, _ in ORDER[first:]]
    together = Inputs(
        1,
        ". ".join(each.text for each in reversed(rest) if each.text),
        intent="".join(each.intent for each in rest),
        guard_hits=max(each.guard_hits for each in rest),
        failures=max(each.failures for each in rest),
        low_understanding=any(each.low_understanding for each in rest),
        silence=any(each.silence for each in rest),
        tool_failures=max(each.tool_failures for each in rest),
        system_failures=max(each.system_failures for each in rest),
    )
    assert only(together, **ALL) == (Kind.HANDOFF, ORDER[first][1])


def test_an_offer_that_is_passed_over_is_not_made_again_at_once() -> None:
    turns = [Inputs(1, "I want to complain")]
    turns += [Inputs(n, "I want to complain about the noise") for n in range(2, 7)]
    kinds = [kind for kind, _ in decided(ALL, *turns)]
    assert kinds == [Kind.OFFER] + [Kind.GO_ON] * (1 + COOL_DOWN) + [Kind.OFFER]


def test_a_caller_of_a_tier_that_prefers_people_is_offered_one_once_a_call() -> None:
    kinds = [kind for kind, _ in decided(ALL, *(Inputs(n, "hello", tier="gold") for n in range(1, 12)))]
    assert kinds == [Kind.OFFER] + [Kind.GO_ON] * 10


def test_who_we_are_is_answered_before_a_person_is_offered() -> None:
    of_call = decider(**ALL)
    assert of_call.before(Inputs(1, "Are you a robot?", tier="gold")).kind is Kind.IDENTITY
    assert of_call.before(Inputs(2, "I see", tier="gold")).kind is Kind.OFFER


def test_an_emergency_is_the_reason_even_when_an_offer_is_accepted() -> None:
    turns = (Inputs(1, "I want to complain"), Inputs(2, "Yes please, I smell gas"))
    assert decided(ALL, *turns)[-1] == (Kind.HANDOFF, EscalationReason.EMERGENCY)


def test_an_answered_objection_is_not_answered_again_while_its_offer_cools_down() -> None:
    dear = [Inputs(n, "That's too expensive") for n in (1, 2, 4)]
    turns = (*dear[:2], Inputs(3, "No thanks"), dear[2])
    kinds = [kind for kind, _ in decided(ALL, *turns)]
    assert kinds == [Kind.ANSWER_OBJECTION, Kind.OFFER, Kind.GO_ON, Kind.GO_ON]


def test_an_accepted_offer_for_an_objection_names_it_for_the_brief() -> None:
    of_call = decider(**ALL)
    turns = [Inputs(1, "too expensive"), Inputs(2, "It costs too much"), Inputs(3, "ok")]
    ruling = [of_call.before(each) for each in turns][-1]
    assert (ruling.kind, ruling.reason, ruling.objection) == (
        Kind.HANDOFF,
        EscalationReason.OBJECTION,
        "price",
    )
    assert of_call.objections == {"price": 2}


def test_a_cool_down_is_on_the_record() -> None:
    of_call = decider(**ALL)
    of_call.before(Inputs(1, "I want to complain"))
    assert of_call.before(Inputs(2, "No, I want to complain")).values == {
        "complaint cools down until turn": 2 + COOL_DOWN
    }


def test_moods_before_the_notice_was_heard_are_not_counted_afterwards() -> None:
    before = [Inputs(n, "This is useless", sentiment_allowed=False) for n in (1, 2)]
    assert decided(ALL, *before, Inputs(3, "This is useless"))[-1] == NOTHING


def test_an_offer_of_another_gate_can_be_accepted() -> None:
    of_call = decider()
    of_call.offer(EscalationReason.SILENCE)
    ruling = of_call.before(Inputs(1, "Yes"))
    assert (ruling.kind, ruling.reason) == (Kind.HANDOFF, EscalationReason.SILENCE)


@pytest.mark.parametrize(
    ("reason", "inputs", "kind"),
    [
        (EscalationReason.TOOL_FAILURE, Inputs(1), Kind.OFFER),
        (EscalationReason.TOOL_FAILURE, Inputs(1, tool_failures=1), Kind.HANDOFF),
        (EscalationReason.SYSTEM_FAILURE, Inputs(1), Kind.OFFER),
        (EscalationReason.REPEATED_FAILURE, Inputs(1), Kind.GO_ON),
        (EscalationReason.REPEATED_FAILURE, Inputs(1, failures=1), Kind.HANDOFF),
        (EscalationReason.CUSTOMER_TIER, Inputs(1, tier="basic"), Kind.GO_ON),
        (EscalationReason.CUSTOMER_TIER, Inputs(1, tier="gold"), Kind.OFFER),
        (EscalationReason.NEGATIVE_SENTIMENT, Inputs(1), Kind.OFFER),
        (EscalationReason.NEGATIVE_SENTIMENT, Inputs(1, sentiment_allowed=False), Kind.GO_ON),
        (EscalationReason.DECLARED_INTENT, Inputs(1), Kind.HANDOFF),
        (EscalationReason.SENSITIVE_TOPIC, Inputs(1), Kind.HANDOFF),
        (EscalationReason.COMPLAINT, Inputs(1), Kind.OFFER),
        (EscalationReason.OUT_OF_SCOPE, Inputs(1), Kind.OFFER),
        (EscalationReason.PROHIBITED_UTTERANCE, Inputs(1), Kind.GO_ON),
        (EscalationReason.SILENCE, Inputs(1), Kind.GO_ON),
    ],
)
def test_what_the_model_asks_for_is_held_against_the_file_and_the_facts(
    reason: EscalationReason, inputs: Inputs, kind: Kind
) -> None:
    assert decider(**ALL).after(replace(inputs, requested=reason)).kind is kind


@pytest.mark.parametrize(
    ("action", "looked_up", "is_missing"),
    [(OnMissing.HANDOFF, True, True), (OnMissing.HANDOFF, False, False), (OnMissing.ASK, True, False)],
)
def test_a_fact_is_missing_only_once_the_lookup_has_answered(
    action: OnMissing, *, looked_up: bool, is_missing: bool
) -> None:
    entered = Context(missing=("name",), missing_action=action)
    assert missing(entered, looked_up=looked_up) is is_missing


def test_a_snapshot_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="unheard_of"):
        restored({"offered": "unheard_of"})


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


@given(CALLS, st.integers(0, 8))
def test_another_process_decides_on_from_the_snapshot(call: list[Inputs], at: int) -> None:
    whole = decider(**ALL)
    expected = [ruling for inputs in call for ruling in (whole.before(inputs), whole.after(inputs))]
    rules = Rules.model_validate(ALL)
    here = Decider(rules, {"0": "handoff"})
    found = [ruling for inputs in call[:at] for ruling in (here.before(inputs), here.after(inputs))]
    snapshot = json.loads(json.dumps(here.state.snapshot()))
    there = Decider(rules, {"0": "handoff"}, restored(snapshot))
    found += [ruling for inputs in call[at:] for ruling in (there.before(inputs), there.after(inputs))]
    assert found == expected


@given(CALLS)
def test_once_transferring_every_decision_is_the_same(call: list[Inputs]) -> None:
    of_call = decider(**ALL)
    latched: Decision | None = None
    for inputs in call:
        for ruling in (of_call.before(inputs), of_call.after(inputs)):
            assert latched is None or ruling == latched
            latched = ruling if ruling.kind is Kind.HANDOFF else latched


@given(CALLS)
def test_no_reason_is_offered_twice_within_its_cool_down(call: list[Inputs]) -> None:
    of_call = decider(**{**ALL, "explicit_request": "now"})
    offered: dict[EscalationReason, int] = {}
    for turn, inputs in enumerate(call, start=1):
        ruling = of_call.before(replace(inputs, turn=turn, requested=None))
        if ruling.kind is Kind.OFFER and ruling.reason:
            assert turn > offered.get(ruling.reason, -COOL_DOWN) + COOL_DOWN
            offered[ruling.reason] = turn


def test_a_new_call_has_nothing_behind_it() -> None:
    assert State().snapshot() == {"negative_turns": 0}
    assert restored(State().snapshot()) == State()
