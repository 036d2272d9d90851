"""The estimate is above what vocabularies really take, in English and Korean, without asking any of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.tokens import estimate

DATA = Path(__file__).parents[1] / "data"
TEXTS = st.text() | st.text("abcdefgh_ 12-.가나é😀\n")

MEASURED = [  # a text, and the tokens it takes in o200k and in cl100k
    ('{"name": "Ada Lovelace"}', 9, 9),
    ('{"phone": "+1 415 555 0132"}', 13, 13),
    ('{"appointment_window": "Friday morning"}', 8, 8),
    ('{"id": "x9Q7-zz13-Kw55-aa81-77421"}', 20, 21),
    ('{"mail": "szczepan.brzeczyszczykiewicz@poczta.example.pl"}', 23, 24),
    ('{"date": "2026-11-27 10:30"}', 15, 15),
    ('{"hex": "d41d8cd98f00b204e9800998ecf8427e"}', 24, 24),
    ('{"name": "김하늘"}', 8, 10),
    ('{"purchased_on": "2025년 3월"}', 13, 15),
    ('{"note": "냉동실 소음으로 문의함. 수평을 맞춘 뒤 지켜보기로 함."}', 27, 40),
    ('{"note": "저희 실수로 불편을 드려 죄송합니다."}', 20, 31),
    ('{"note": "Asked what the yearly check includes; wanted to think about the comfort plan."}', 20, 20),
    ('{"thai": "สวัสดีครับ"}', 10, 15),
    ('{"emo": "😀🎉✅👍🏽"}', 12, 18),
]


@pytest.mark.parametrize(("text", "newer", "older"), MEASURED)
def test_no_vocabulary_that_was_measured_takes_more(text: str, newer: int, older: int) -> None:
    assert estimate(text) >= max(newer, older)


@pytest.mark.parametrize(("language", "tokens"), [("en", 4445), ("ko", 6262)])
def test_ordinary_speech_costs_at_the_most_as_estimated_and_not_twice_that(
    language: str, tokens: int
) -> None:
    """`tokens` is what cl100k takes, the dearer of the two vocabularies."""
    text = (DATA / f"ordinary-agent-sentences-{language}.txt").read_text("utf-8")
    assert tokens <= estimate(text) < 2 * tokens


def test_nothing_costs_nothing() -> None:
    assert estimate("") == 0


def test_a_provider_that_counts_more_is_believed() -> None:
    text = "Friday morning"
    assert estimate(text, 1.5) == 6
    assert estimate(text, 1.5) > estimate(text) > estimate(text, 0.5)


@given(TEXTS)
def test_no_text_is_free_and_none_costs_more_than_its_bytes(text: str) -> None:
    """No byte-level vocabulary takes more tokens than a text has bytes."""
    assert bool(text) <= estimate(text) <= len(text.encode("utf-8", "surrogatepass"))


@given(TEXTS, TEXTS)
def test_texts_together_cost_no_more_than_one_by_one(one: str, other: str) -> None:
    """So lines that each fit a budget fit it together."""
    assert estimate(one + other) <= estimate(one) + estimate(other)


@given(TEXTS, st.integers(0), st.integers(0))
def test_what_is_left_of_a_text_costs_no_more_than_the_text(text: str, start: int, length: int) -> None:
    """So taking a fence out of a value never makes it dearer."""
    start, length = start % (len(text) + 1), length % 8
    assert estimate(text[:start] + text[start + length :]) <= estimate(text)


@given(st.text("가나다라마바사아자차카타파하 ", min_size=1))
def test_a_syllable_costs_more_than_a_token_and_less_than_its_bytes(text: str) -> None:
    syllables = len(text.replace(" ", ""))
    assert syllables <= estimate(text) <= 2 * syllables + text.count(" ")
