"""Tokens are summed over a call, and cost what the agent file says."""

from __future__ import annotations

import pytest

from policies.agent_llm import Price
from policies.costs import CallUsage


def test_cached_input_has_a_price_of_its_own() -> None:
    usage = CallUsage({"openai/m": Price(input=0.4, output=1.6, cached=0.1)})
    assert usage.add("openai/m", 1_000_000, 500_000, 600_000) == pytest.approx(0.16 + 0.06 + 0.8)
    usage.add("openai/m", 1_000_000, 0, 0)
    assert usage.cost == pytest.approx(1.42)
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (2_000_000, 500_000, 600_000)


def test_without_a_price_tokens_are_counted_and_no_cost_is_made_up() -> None:
    usage = CallUsage()
    assert usage.add("echo", 10, 5, 0) is None
    assert (usage.input_tokens, usage.cost) == (10, 0.0)


def test_cached_tokens_cost_what_others_do_where_the_file_says_nothing_else() -> None:
    usage = CallUsage({"m": Price(input=1.0, output=1.0)})
    assert usage.add("m", 2_000_000, 0, 1_000_000) == pytest.approx(2.0)
