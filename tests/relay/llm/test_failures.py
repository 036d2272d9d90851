"""When to come back, as the provider says it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.llm.failures import ProviderError, of_event, retry_after
from relay.llm.port import ModelFailure

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 0.5 ", 0.5),
        ("-4", 0.0),
        ("Mon, 23 Nov 2026 12:00:20 GMT", 20.0),
        ("Mon, 23 Nov 2026 12:00:20 -0000", 20.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == seconds


def test_a_provider_that_does_not_say_when() -> None:
    assert retry_after({}, NOW) is None


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ProviderError(type="tokens", code="rate_limit_exceeded"), ModelFailure.BUSY),
        (ProviderError(code=429), ModelFailure.BUSY),
        (ProviderError(code=502), ModelFailure.SERVER_ERROR),
        (ProviderError(code=404), ModelFailure.REQUEST_REFUSED),
        ("the model fell over", ModelFailure.BROKEN_STREAM),
        (ProviderError(), ModelFailure.BROKEN_STREAM),
    ],
)
def test_an_error_within_a_stream(error: ProviderError | str, failure: ModelFailure) -> None:
    raised = of_event("openai/m", error)
    assert raised.failure is failure
    assert "fell over" not in str(raised)
