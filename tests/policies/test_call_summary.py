"""The summary of a call is short, built from facts, and holds nothing that was to be masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.call_summary import LONGEST, CallFacts, summarise
from policies.tokens import estimate
from policies.usage import used
from policies.vocabulary import NextAction, Outcome

CALL = CallFacts(
    ["booking"], ["Hi, my number is 12345, can I book?"], Outcome.RESOLVED, NextAction.NOT_REQUIRED
)


def masked(text: str) -> str:
    return text.replace("12345", "[5 digits]")


def test_what_was_wanted_how_it_ended_and_what_was_said_first() -> None:
    said = summarise(CALL, "en-US", masked)
    assert said == "It was settled. Wanted: booking. First said: “Hi, my number is [5 digits], can I book?”"
    assert summarise(CALL, "ko-KR", masked).startswith("해결되었음. 용건: booking.")


def test_what_is_left_open_is_told() -> None:
    left = CallFacts([], [], Outcome.CALLBACK_SCHEDULED, NextAction.UNVERIFIED)
    assert summarise(left, "en-US", masked) == "A callback was promised. Something was left to do."


def test_a_call_in_which_nobody_spoke_has_none() -> None:
    silent = CallFacts([], [], Outcome.NOT_A_CONVERSATION, NextAction.NOT_REQUIRED)
    assert summarise(silent, "en-US", masked) == ""


@pytest.mark.parametrize("language", ["en-US", "ko-KR"])
@given(said=st.text(), intents=st.lists(st.text(max_size=64), max_size=20), outcome=st.sampled_from(Outcome))
def test_it_is_never_longer_than_it_may_be(
    language: str, said: str, intents: list[str], outcome: Outcome
) -> None:
    call = CallFacts(intents, [said], outcome, NextAction.MISSING)
    assert estimate(summarise(call, language, masked)) <= LONGEST


def test_a_fact_was_used_when_the_agent_spoke_of_it() -> None:
    facts = {"name": "Ada Lovelace", "interest": "heat pump", "window": "Tuesday 9 to 11", "city": "서울"}
    said = ["Dear Ms. Lovelace,", "the heat pump is in stock.", "서울에 배송됩니다."]
    assert used(facts, said) == ("name", "interest", "city")
    assert used(facts, []) == ()
