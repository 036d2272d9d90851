"""Gate 1 by its rules: denied unless allowed, whole facts within the budget, for any record and any order."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agent_file import parse
from policies.context import (
    Context,
    ContextRules,
    OnMissing,
    Reason,
    Situation,
    When,
    Why,
    Withheld,
    may_be_asked,
    on_demand,
    select,
    to_fetch,
)
from policies.context_text import FRAME_TOKENS, cost, render
from policies.facts import Fact, Trust
from policies.guard.canaries import arm
from policies.guard.guard import Blocked, judge
from policies.tokens import estimate

FENCE = "0a1b2c3d"
RULES = ContextRules(
    must=("name", "interest"),
    policy=("tier",),
    conditional=(
        ("summary", When(returning=True)),
        ("window", When(intent=("booking", "reschedule"))),
        ("owner", When(tier=("vip",))),
        ("open_case", When(step=("complaint",))),
        ("credit", When(returning=True, intent=("booking",), tier=("vip",))),
    ),
    never=frozenset({"private_notes", "national_id"}),
    canaries=frozenset({"national_id"}),
    free_text=frozenset({"summary"}),
)
CLASSED = ("name", "interest", "tier", "summary", "window", "owner", "open_case", "credit")
EVERYTHING = Situation(True, "booking", "vip", "complaint")


def facts(*names: str, value: str = "some value", trust: Trust = Trust.CRM) -> list[Fact]:
    return [Fact(name, value, "csv", trust) for name in names]


def whys(context: Context) -> dict[str, Why]:
    return {each.name: each.why for each in context.refused}


# -- the four classes -------------------------------------------------------------------------------------


def test_without_rules_nothing_enters() -> None:
    ruled = select(ContextRules(), facts("name", "tier"), EVERYTHING)
    assert ruled.entries == ()
    assert ruled.refused == (Withheld("name", Why.NOT_ALLOWED), Withheld("tier", Why.NOT_ALLOWED))


def test_each_class_enters_or_not_and_says_why() -> None:
    known = facts(*CLASSED, "private_notes", "national_id", "shoe_size")
    ruled = select(RULES, known, Situation(returning=False, intent="booking"))
    assert [(entry.fact.name, entry.reason) for entry in ruled.entries] == [
        ("name", Reason.MUST),
        ("interest", Reason.MUST),
        ("window", Reason.CONDITION),
    ]
    assert whys(ruled) == {
        "tier": Why.POLICY_ONLY,
        "summary": Why.CONDITION,
        "owner": Why.CONDITION,
        "open_case": Why.CONDITION,
        "credit": Why.CONDITION,
        "private_notes": Why.NEVER,
        "national_id": Why.NEVER,
        "shoe_size": Why.NOT_ALLOWED,
    }
    assert str(ruled.entries[0]).startswith("name: must, from csv, ")
    assert ruled.tokens == sum(entry.tokens for entry in ruled.entries)


@pytest.mark.parametrize("name", ["tier", "private_notes", "national_id"])
def test_a_field_that_is_denied_stays_denied_whatever_else_is_said_of_it(name: str) -> None:
    rules = replace(RULES, must=(name,), conditional=((name, When(returning=True)),))
    ruled = select(rules, facts(name), replace(EVERYTHING, asked_for=frozenset({name})))
    assert ruled.entries == ()


NAMES = st.sampled_from([*CLASSED, "private_notes", "national_id", "shoe_size", "x"])
SITUATIONS = st.builds(
    Situation,
    st.none() | st.booleans(),
    st.sampled_from([None, "booking", "pricing", "other"]),
    st.sampled_from([None, "vip", "basic"]),
    st.sampled_from([None, "complaint", "start"]),
    st.frozensets(NAMES),
)
VALUES = st.text(max_size=60) | st.sampled_from(["", " ", "\u200b", "Ada Lovelace", "김하늘", "화요일 오전"])
FACTS = st.lists(
    st.builds(Fact, NAMES, VALUES, st.sampled_from(["csv", "the flow"]), st.sampled_from(Trust)), max_size=12
)


@given(FACTS, SITUATIONS)
def test_only_must_and_fulfilled_conditions_ever_enter(known: list[Fact], situation: Situation) -> None:
    ruled = select(RULES, known, situation)
    conditions = dict(RULES.conditional)
    for entry in ruled.entries:
        name = entry.fact.name
        when = conditions.get(name)
        if when is None:
            assert name in RULES.must
        elif entry.reason is Reason.CONDITION:
            assert when.holds(situation)
        else:
            assert name in situation.asked_for
            assert when.may_be_asked(situation)
    assert {*ruled.entered, *ruled.withheld} == {fact.name for fact in known}
    assert not {*ruled.entered} & {*ruled.withheld}


@given(FACTS, SITUATIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_facts_changes_nothing(
    known: list[Fact], situation: Situation, shuffling: random.Random
) -> None:
    shuffled = shuffling.sample(known, len(known))
    assert select(RULES, shuffled, situation) == select(RULES, known, situation)


def test_of_several_facts_the_most_trusted_one_that_says_anything_enters() -> None:
    known = [
        Fact("name", "by the caller", "the call", Trust.CALLER),
        Fact("name", "by the crm", "csv", Trust.CRM),
        Fact("name", " \u200b", "the file", Trust.OURS),
        Fact("interest", "by the flow", "the flow", Trust.PARAMETER),
        Fact("interest", "by the request", "the request", Trust.REQUEST),
    ]
    entered = {entry.fact.name: entry.fact.value for entry in select(RULES, known, Situation()).entries}
    assert entered == {"name": "by the crm", "interest": "by the request"}


# -- conditions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "fulfilled", "not_fulfilled"),
    [
        (When(returning=True), Situation(returning=True), Situation(returning=False)),
        (When(returning=False), Situation(returning=False), Situation(returning=True)),
        (When(intent=("a", "b")), Situation(intent="b"), Situation(intent="c")),
        (When(tier=("vip",)), Situation(tier="vip"), Situation(tier="VIP")),
        (When(step=("offer",)), Situation(step="offer"), Situation(step="greeting")),
        (
            When(returning=True, intent=("a",), tier=("vip",), step=("offer",)),
            Situation(True, "a", "vip", "offer"),
            Situation(True, "a", "vip", "greeting"),
        ),
    ],
)
def test_a_condition_holds_only_where_all_of_it_is_known_to(
    when: When, fulfilled: Situation, not_fulfilled: Situation
) -> None:
    rules = ContextRules(conditional=(("field", when),))
    assert select(rules, facts("field"), fulfilled).entered == ("field",)
    for situation in (not_fulfilled, Situation()):
        assert whys(select(rules, facts("field"), situation)) == {"field": Why.CONDITION}


# -- three layers -----------------------------------------------------------------------------------------


def test_facts_come_before_the_call_with_its_intent_and_when_asked_for() -> None:
    known = facts("name", "summary", "window", "owner", "open_case")
    before = select(RULES, known, Situation(returning=True))
    assert before.entered == ("name", "summary")
    with_intent = select(RULES, known, Situation(returning=True, intent="booking"))
    assert with_intent.entered == ("name", "summary", "window")
    assert with_intent.entries[:2] == before.entries  # what a provider has cached stays the same
    asked = Situation(returning=True, intent="booking", asked_for=frozenset({"open_case", "owner"}))
    on_asking = select(RULES, known, asked)
    assert on_asking.entered == ("name", "summary", "window", "open_case")
    assert on_asking.entries[-1].reason is Reason.ON_DEMAND
    assert whys(on_asking) == {"owner": Why.CONDITION}  # for another tier, whoever asks


def test_a_model_may_ask_for_what_its_caller_may_have_and_no_more() -> None:
    known = facts("summary", "window", "open_case", "tier", "private_notes", "credit")
    situation = Situation(returning=True, tier="basic")
    assert may_be_asked(RULES, situation) == ("summary", "window", "open_case")
    assert on_demand(RULES, known, situation) == ("window", "open_case")
    assert on_demand(RULES, known, replace(situation, intent="booking")) == ("open_case",)
    assert on_demand(RULES, known, replace(situation, asked_for=frozenset({"window"}))) == ("open_case",)
    assert on_demand(RULES, facts("window", value="\u200b"), situation) == ()
    assert on_demand(RULES, facts(), situation) == ()


# -- the budget -------------------------------------------------------------------------------------------

KOREAN = "냉동실 소음으로 문의하셨고 수평을 맞춘 뒤 지켜보기로 했습니다"
ENGLISH = "Asked what the yearly check includes and wanted to think about the comfort plan"
WORDS = st.sampled_from([*KOREAN.split(), *ENGLISH.split(), "2026-11-27", "+82 2 555 0101", "a@b.example"])
LONG = st.lists(WORDS, max_size=90).map(" ".join)
MANY = tuple(f"field_{number}" for number in range(20))


def reckoned(rules: ContextRules, ruled: Context) -> tuple[int, int]:
    """Tokens of the block that is sent: of what enters every turn, and of what came with an intent."""
    later = {name for name, when in rules.conditional if when.intent or when.step}
    first = [entry for entry in ruled.entries if entry.fact.name not in later]
    whole = estimate(render(ruled.entries, ruled.to_ask, FENCE))
    before = estimate(render(first, ruled.to_ask, FENCE))
    return before, whole - before


@settings(deadline=None)
@given(
    st.lists(LONG, min_size=20, max_size=20),
    st.integers(0, 20),
    st.sets(st.sampled_from(MANY)),
    st.sampled_from([(200, 300), (0, 0), (40, 300), (70, 20), (500, 61), (200, 100_000)]),
)
def test_the_block_that_is_sent_never_exceeds_the_budgets(
    values: list[str], musts: int, free_text: set[str], budgets: tuple[int, int]
) -> None:
    intent = When(intent=("booking",))
    rules = ContextRules(
        must=MANY[:musts],
        on_missing=dict.fromkeys(MANY[:musts], OnMissing.ASK),
        conditional=tuple(
            (name, intent if name > "field_15" else When(returning=True)) for name in MANY[musts:]
        ),
        free_text=frozenset(free_text),
        preloaded=budgets[0],
        on_intent=budgets[1],
    )
    known = [Fact(name, value, "csv", Trust.CRM) for name, value in zip(MANY, values, strict=True)]
    ruled = select(rules, known, Situation(returning=True, intent="booking"))
    before, later = reckoned(rules, ruled)
    assert before <= budgets[0]
    assert later <= budgets[1]


@pytest.mark.parametrize("word", ["온", "가나다", "the", "comfort", "7", "{", "😀", "é"])
def test_a_budget_of_200_holds_for_many_short_values(word: str) -> None:
    names = tuple(f"f{number}" for number in range(99))
    ruled = select(ContextRules(must=names), facts(*names, value=word), Situation())
    assert 100 < estimate(render(ruled.entries, (), FENCE)) <= 200
    assert set(whys(ruled).values()) == {Why.BUDGET}


@pytest.mark.parametrize("text", [ENGLISH, KOREAN])
def test_a_customer_as_businesses_know_them_fits_the_budgets(text: str) -> None:
    rules = replace(RULES, must=("name", "source", "interest", "consent"))
    known = [*facts("name", "source", "interest", "consent"), *facts("summary", value=text)]
    ruled = select(rules, [*known, *facts("window", "owner")], replace(EVERYTHING, step=None))
    assert ruled.entered == ("name", "source", "interest", "consent", "summary", "owner", "window")


def test_facts_are_cut_whole_and_the_least_important_first() -> None:
    names = ("first", "second", "third")
    dear = cost(Fact("first", ENGLISH, "", Trust.CRM), free_text=False)
    for budget, entered in ((FRAME_TOKENS + dear, names[:1]), (FRAME_TOKENS + dear - 1, ())):
        rules = ContextRules(must=names, preloaded=budget)
        ruled = select(rules, facts(*names, value=ENGLISH), Situation())
        assert ruled.entered == entered
        assert whys(ruled) == dict.fromkeys(names[len(entered) :], Why.BUDGET)
        assert ruled.missing == ()  # it is known, though it has no room
    ruled = select(ContextRules(must=names), facts("first", value=ENGLISH), Situation())
    assert json.dumps({"first": ENGLISH}) in render(ruled.entries, (), FENCE).split("\n")


def test_a_long_fact_leaves_room_for_a_shorter_one_behind_it() -> None:
    known = [Fact("long", ENGLISH * 3, "", Trust.CRM), Fact("short", "yes", "", Trust.CRM)]
    ruled = select(ContextRules(must=("long", "short"), preloaded=FRAME_TOKENS + 20), known, Situation())
    assert ruled.entered == ("short",)


def test_the_frame_is_paid_once() -> None:
    rules = ContextRules(must=("a",), conditional=(("b", When(intent=("x",))),), preloaded=FRAME_TOKENS + 20)
    price = cost(Fact("b", "some value", "", Trust.CRM), free_text=False)
    situation = Situation(intent="x")
    both = replace(rules, on_intent=price)
    assert select(both, facts("a", "b"), situation).entered == ("a", "b")
    assert select(both, facts("b"), situation).entered == ()
    assert select(replace(both, on_intent=price + FRAME_TOKENS), facts("b"), situation).entered == ("b",)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.7])
def test_the_budget_counts_as_the_provider_does(factor: float) -> None:
    ruled = select(ContextRules(must=MANY), facts(*MANY), Situation(), token_factor=factor)
    assert 0 < estimate(render(ruled.entries, (), FENCE), factor) <= 200


# -- what is missing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_missing", "action", "to_ask"),
    [
        ({}, OnMissing.GO_ON, ()),
        ({"interest": OnMissing.ASK}, OnMissing.ASK, ("interest",)),
        ({"interest": OnMissing.ASK, "name": OnMissing.HANDOFF}, OnMissing.HANDOFF, ("interest",)),
        ({"interest": OnMissing.HANDOFF, "name": OnMissing.GO_ON}, OnMissing.HANDOFF, ()),
    ],
)
def test_what_is_missing_is_let_pass_asked_for_or_left_to_a_person(
    on_missing: dict[str, OnMissing], action: OnMissing, to_ask: tuple[str, ...]
) -> None:
    for known in (facts(), facts("name", "interest", value="\u200b ")):
        ruled = select(replace(RULES, on_missing=on_missing), known, Situation())
        assert (ruled.missing, ruled.missing_action, ruled.to_ask) == (("name", "interest"), action, to_ask)


def test_what_is_known_is_never_asked_for() -> None:
    on_missing = dict.fromkeys(("name", "interest"), OnMissing.ASK)
    ruled = select(replace(RULES, on_missing=on_missing), facts("name"), Situation())
    assert (ruled.missing, ruled.to_ask, ruled.missing_action) == (
        ("interest",),
        ("interest",),
        OnMissing.ASK,
    )
    ruled = select(replace(RULES, on_missing=on_missing), facts("name", "interest"), Situation())
    assert (ruled.missing, ruled.to_ask, ruled.missing_action) == ((), (), OnMissing.GO_ON)


def test_asking_counts_as_well_and_the_most_important_is_asked_first() -> None:
    names = tuple(f"a_rather_long_name_of_a_field_{number}" for number in range(50))
    rules = ContextRules(must=names, on_missing=dict.fromkeys(names, OnMissing.ASK))
    ruled = select(rules, [], Situation())
    assert 5 < len(ruled.to_ask) < len(names)
    assert ruled.to_ask == names[: len(ruled.to_ask)]
    assert ruled.missing == names
    assert estimate(render([], ruled.to_ask, FENCE)) <= rules.preloaded


# -- what is fetched --------------------------------------------------------------------------------------


def test_only_fields_that_may_come_to_be_used_are_fetched() -> None:
    assert to_fetch(RULES) == (
        "name", "interest", "tier", "summary", "window", "owner", "open_case", "credit", "national_id",
    )  # fmt: skip
    assert to_fetch(ContextRules(must=("a", "b"), never=frozenset({"a"}))) == ("b",)


def test_a_canary_is_fetched_and_never_entered_and_then_never_spoken() -> None:
    known = facts("national_id", value="900101-1234567")
    for situation in (Situation(), replace(EVERYTHING, asked_for=frozenset({"national_id"}))):
        ruled = select(RULES, known, situation)
        assert (ruled.entered, whys(ruled)) == ((), {"national_id": Why.NEVER})
        assert "national_id" not in may_be_asked(RULES, situation)
    canaries, _ = arm({fact.name: fact.value for fact in known}, [])
    (blocked,) = [
        each for each in judge(None, "It is 900101 1234567.", "en", canaries) if isinstance(each, Blocked)
    ]
    assert blocked.rule == "canary:national_id"


def test_of_sixty_fields_ten_of_them_sensitive_only_the_allowed_ones_enter() -> None:
    sensitive = [f"secret_{number}" for number in range(10)]
    others = [f"field_{number}" for number in range(46)]
    known = [Fact(name, f"VALUE-OF-{name}", "csv", Trust.CRM) for name in (*sensitive, *others)]
    known += facts("name", "interest", "tier", "window", value="allowed")
    rules = replace(RULES, never=RULES.never | {*sensitive[:5]}, canaries=RULES.canaries | {*sensitive[:2]})
    assert len({fact.name for fact in known}) == 60
    ruled = select(rules, known, replace(EVERYTHING, asked_for=frozenset({*sensitive, *others})))
    assert ruled.entered == ("name", "interest", "window")
    assert len(ruled.refused) == 57
    block = render(ruled.entries, ruled.to_ask, FENCE)
    assert "VALUE" not in block
    assert "secret" not in block
    assert not {*to_fetch(rules)} & {*sensitive[2:], *others}


def test_an_agent_file_decides_all_of_it() -> None:
    file = parse("""
agent: {name: a}
intents: {booking: {examples: [book]}}
llm: [{provider: echo}]
context:
  budget: {preloaded: 150, on_intent: 250}
  must: [name, consent]
  on_missing: {name: ask}
  policy: [tier]
  conditional:
    window: {when: {intent: booking, tier: [vip]}}
    previous_call_summary: {when: {returning: true}}
  never: [notes, {name: national_id, canary: true}]
  free_text: [window]
""")
    assert file.context.rules() == ContextRules(
        must=("name", "consent"),
        on_missing={"name": OnMissing.ASK, "consent": OnMissing.GO_ON},
        conditional=(
            ("window", When(intent=("booking",), tier=("vip",))),
            ("previous_call_summary", When(returning=True)),
        ),
        policy=("tier",),
        never=frozenset({"notes", "national_id"}),
        canaries=frozenset({"national_id"}),
        free_text=frozenset({"window", "previous_call_summary"}),
        preloaded=150,
        on_intent=250,
    )
