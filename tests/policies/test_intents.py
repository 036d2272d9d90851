"""An intent is recognised by the examples that declare it."""

from __future__ import annotations

import pytest

from policies.intents import declared

ENGLISH = declared(
    {
        "booking": ["I'd like to book an appointment", "Can a technician come by?"],
        "cancel_contract": ["I want to cancel my contract", "How do I end my plan?"],
    }
)
KOREAN = declared({"booking": ["예약을 하고 싶어요"], "refund": ["환불해 주세요"]})


@pytest.mark.parametrize(
    ("says", "intent"),
    [
        ("Hi, I'd like to book an appointment for Tuesday please", "booking"),
        ("can I cancel the contract", "cancel_contract"),
        ("What's the weather like", None),
        ("yes please", None),
        ("", None),
    ],
)
def test_english(says: str, intent: str | None) -> None:
    assert ENGLISH.recognise(says) == intent


@pytest.mark.parametrize(
    ("says", "intent"), [("내일 예약하고 싶어요", "booking"), ("환불해 주세요", "refund"), ("네", None)]
)
def test_korean(says: str, intent: str | None) -> None:
    assert KOREAN.recognise(says) == intent


def test_an_example_of_empty_words_opens_nothing() -> None:
    assert declared({"booking": ["can I please"]}).recognise("can I please") is None
