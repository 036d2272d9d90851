"""A model that fails is left alone for a while, and tried again by one request."""

from __future__ import annotations

import pytest

from relay.llm.breaker import FIRST_PAUSE, IN_A_ROW, LONGEST_PAUSE, Breaker
from relay.llm.port import ModelFailure

DOWN = ModelFailure.SERVER_ERROR


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        assert breaker.allows(now)
        breaker.failed(now, DOWN)
    return breaker


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW - 1):
        breaker.failed(0.0, DOWN)
    assert breaker.allows(0.0)
    breaker.succeeded()
    breaker.failed(0.0, DOWN)
    assert breaker.allows(0.0)


def test_one_request_tries_it_again_after_the_pause() -> None:
    breaker = broken()
    assert not breaker.allows(FIRST_PAUSE - 0.1)
    assert breaker.allows(FIRST_PAUSE)
    assert not breaker.allows(FIRST_PAUSE)
    breaker.succeeded()
    assert breaker.allows(FIRST_PAUSE)


def test_a_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now = broken(), 0.0
    for _ in range(10):
        assert breaker.probe_at is not None
        now = breaker.probe_at
        assert breaker.allows(now)
        breaker.failed(now, DOWN)
    assert breaker.probe_at is not None
    assert breaker.probe_at - now == LONGEST_PAUSE


def test_a_probe_that_was_cancelled_leaves_the_next_one_free() -> None:
    breaker = broken()
    assert breaker.allows(FIRST_PAUSE)
    breaker.abandoned()
    assert breaker.allows(FIRST_PAUSE)


def test_a_wrong_key_opens_it_at_once_and_retry_after_is_honoured() -> None:
    breaker = Breaker()
    breaker.failed(0.0, ModelFailure.REQUEST_REFUSED, retry_after=30.0)
    assert not breaker.allows(29.0)
    assert breaker.allows(30.0)


@pytest.mark.parametrize("failure", [ModelFailure.REFUSAL, ModelFailure.EMPTY])
def test_what_the_model_declines_is_no_fault_of_the_provider(failure: ModelFailure) -> None:
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(0.0, failure)
    assert breaker.allows(0.0)
