"""What was keyed is in no text that is kept."""

from __future__ import annotations

import pytest

from policies.keyed import without


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("You keyed 8675309123, right?", "You keyed [10 digits], right?"),
        ("You keyed 867-530 9123.", "You keyed [10 digits]."),
        ("You keyed 86753", "You keyed [5 digits]"),
        ("It costs 4900 dollars, in 2026.", "It costs 4900 dollars, in 2026."),
        ("Press 86.", "Press 86."),
    ],
)
def test_keyed_digits_are_masked_and_others_are_not(text: str, kept: str) -> None:
    assert without(["8675309123"], text) == kept


def test_nothing_keyed_nothing_masked() -> None:
    assert without([], "8675309123") == "8675309123"
