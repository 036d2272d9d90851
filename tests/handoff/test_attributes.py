"""A task's attributes are small, flat, readable by workflow expressions, and never Twilio's own."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.attributes import MOST_BYTES, TWILIOS_OWN, TooLarge, attributes, named
from handoff.flex import preset
from tests.handoff.cases import CASE, KOREAN_CASE, REF

TEXT = st.text(max_size=400)


def test_the_person_sees_reason_tier_language_and_next_step_at_once() -> None:
    assert json.loads(attributes(CASE)) == {
        "ref": REF,
        "reason": "explicit_request",
        "intent": "cancel_contract",
        "tier": "vip",
        "language": "en-US",
        "next_step": "Check the notice period.",
        "brief_url": "https://voice.example.com/brief/ref.signed-1",
        "campaign": "web",
    }


def test_neither_numbers_nor_the_spoken_brief_go_into_a_task() -> None:
    text = attributes(CASE, preset(CASE))
    assert not any(value in text for value in (CASE.caller, CASE.ours, CASE.brief))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lead-source", "lead_source"),
        ("campaign", "campaign"),
        ("call_sid", "fact_call_sid"),
        ("from", "fact_from"),
        ("caller-country", "fact_caller_country"),
        ("2nd", "fact_2nd"),
    ],
)
def test_a_name_is_one_that_an_expression_can_read_and_is_free(name: str, expected: str) -> None:
    assert named(name) == expected


def test_our_own_names_win_over_the_business_facts() -> None:
    case = replace(CASE, attributes={"reason": "because", "ref": "x"})
    assert json.loads(attributes(case))["reason"] == "explicit_request"
    assert json.loads(attributes(case))["ref"] == REF


def test_the_business_facts_give_way_before_the_next_step_is_cut() -> None:
    case = replace(KOREAN_CASE, next_step="가" * 200, attributes={"a": "x" * 50, "b": "y" * 200})
    values = json.loads(attributes(case))
    assert (values["next_step"], values["a"]) == ("가" * 200, "x" * 50)
    assert "b" not in values


def test_a_reference_that_does_not_fit_is_an_error_and_no_silent_loss() -> None:
    with pytest.raises(TooLarge):
        attributes(replace(CASE, ref="r" * 1100))


@given(next_step=TEXT, facts=st.dictionaries(TEXT, TEXT, max_size=6), url=TEXT, tier=st.text(max_size=80))
def test_whatever_is_handed_over_it_stays_below_one_kilobyte(
    next_step: str, facts: dict[str, str], url: str, tier: str
) -> None:
    case = replace(CASE, next_step=next_step, attributes=facts, brief_url=url, tier=tier)
    for text in (attributes(case), attributes(case, preset(case))):
        values = json.loads(text)
        assert len(text.encode()) < MOST_BYTES
        assert (values["ref"], values["reason"]) == (REF, "explicit_request")
        assert not values.keys() & TWILIOS_OWN
        assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in values)
