"""What a caller said of themselves is not written down; what they ordered is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.redaction import NOBODY, call_values, redact

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("My card is 4111 1111 1111 1111, ok?", "My card is [card], ok?"),
        ("4111-1111-1111-1111", "[card]"),
        ("４１１１１１１１１１１１１１１１", "[card]"),
        ("4111\u200b1111 1111\u00a01111", "[card]"),
        ("four one one one, one one one one, one one one one, one one one one.", "[card]."),
        ("four one one one uh one one one one um one one one one er one one one one", "[card]"),
        ("forty one eleven eleven eleven eleven eleven eleven eleven", "[card]"),
        ("four triple one double one double one double one double one double one double one thanks",
         "[card] thanks"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"),
        ("4111, 1111, 1111, 1111", "[card]"),
        ("사일일일 일일일일 일일일일 일일일일이에요", "[card]이에요"),
        ("4111 1111 1111 1112", "[16 digits]"),
        ("My number is 536-90-4399.", "My number is [id number]."),
        ("five three six, nine oh, four three nine nine", "[id number]"),
        ("900101-1234567입니다", "[id number]입니다"),
        ("구공공일공일 다시 일이삼사오육칠이에요", "[id number]이에요"),
        ("Call (415) 555-0132 now", "Call [phone] now"),
        ("Call +82 10-1234-5678.", "Call [phone]."),
        ("five five five, one two three, four five six seven", "[phone]"),
        ("oh two oh, seven nine four six, oh nine five eight", "[phone]"),
        ("eight hundred five five five one two one two", "[phone]"),
        ("번호는 010-1234-5678이 맞나요?", "번호는 [phone]이 맞나요?"),
        ("공일공 일이삼사 오육칠팔이에요", "[phone]이에요"),
        ("공일공에 일이삼사에 오육칠팔이구요", "[phone]이구요"),
        ("공일공 일이삼사 오육칠이입니다", "[phone]입니다"),
        ("010 일이삼사 5678", "[phone]"),
        ("this one 5551234567", "this [phone]"),
        ("at 3, 555-123-4567", "at 3, [phone]"),
        ("double four one triple zero nine", "[7 digits]"),
        ("one two three four five six seven", "[7 digits]"),
        ("하나 둘 셋 넷 다섯 여섯 일곱", "[7 digits]"),
        ("account 12345678.", "account [8 digits]."),
        ("1 4111111111111111", "[17 digits]"),
        ("1" * 200, "[200 digits]"),
        ("4111111111111111 eleven", "[card] eleven"),
        ("card4111111111111111", "card[card]"),
        ("4111111111111111visa", "[card]visa"),
        ("x1234567890123 010 1234 5678", "x1234567890123 [phone]"),
        ("5551234567, 1, 2, 3, 4, 5, 6, 7", "[10 digits], [7 digits]"),
    ],
)  # fmt: skip
def test_long_numbers_are_masked_however_they_are_said(said: str, written: str) -> None:
    assert redact(said) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Write to kim.minsu+1@example.co.kr.", "Write to [email]."),
        ("메일은 kim@example.com으로 보내 주세요", "메일은 [email]으로 보내 주세요"),
        ("It's john dot smith at gmail dot com.", "It's [email]."),
        ("j o h n at example dot org", "[email]"),
        ("kim 골뱅이 네이버 점 컴", "[email]"),
        ("a@b.com@c.com", "[email]@c.com"),
    ],
)
def test_addresses_are_masked(said: str, written: str) -> None:
    assert redact(said) == written


@pytest.mark.parametrize(
    "text",
    [
        "at 3 to 5 pm on the 24th",
        "two or three options, one of them at four",
        "order number 2041",
        "My order is W2378156.",
        "CA4111111111111111ab is the name of a call.",
        "It costs $1,234,567.89 or 1,234,567원.",
        "on 2026-11-23 10:30, or 11/23/2026",
        "rooms 101, 102, 103",
        "the years 2019, 2020, 2021",
        "nine fifteen, ten thirty, eleven forty five",
        "in twenty twenty six or twenty twenty seven",
        "23일 오전 9시에서 11시 사이에 이 일이 있어요",
        "사십오만 원을 이번 달 이십일일에",
        "visit us at example dot com",
        "meet me at the station @ noon",
        "Oh, one moment.",
        "",
    ],
)
def test_small_numbers_amounts_and_times_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_ordinary_sentences_stay(language: str) -> None:
    text = (DATA / f"ordinary-agent-sentences-{language}.txt").read_text("utf-8")
    assert [line for line in text.splitlines() if redact(line) != line] == []


def test_the_values_of_a_call_are_masked_by_their_names() -> None:
    values = call_values(
        {
            "name": "Kim Minsu",
            "nickname": "Ann",
            "street_address": "12 Main Street, Springfield",
            "korean_name": "김민수",
            "last_four": "4417",
        }
    )
    assert redact("Is kim minsu, or Ann, at 12 Main Street, Springfield?", values) == (
        "Is [name], or [nickname], at [street address]?"
    )
    assert redact("김민수님, 김 민수 님", values) == "[korean name]님, [korean name] 님"
    assert redact("ending in 4417", values) == "ending in [last four]"
    assert redact("Announce it to anna.", values) == "Announce it to anna."


def test_values_that_are_too_short_are_not_looked_for() -> None:
    values = call_values({"state": "CA", "floor": "12", "empty": ""})
    assert redact("CA, floor 12", values) == "CA, floor 12"
    assert call_values({}) == NOBODY


def test_values_never_show_in_a_repr() -> None:
    assert "Minsu" not in repr(call_values({"name": "Kim Minsu"}))


def test_a_mask_is_no_value() -> None:
    values = call_values({"name": "name", "kind": "phone"})
    once = redact("a name, a phone 010-1234-5678", values)
    assert once == "a [name], a [kind] [phone]"
    assert redact(once, values) == once


WORDS = """
    4111 1111 4111111111111111 010 1234 5678 900101-1234567 536-90-4399 1 0 7 24 - . , ( ) + $ % : @ [ ]
    one oh four double triple eight hundred eleven forty seven uh a x Kim Minsu 2026-11-23 10:30 １２
    공 일 이 삼 사 오 이에요 에 다시 하나 원 만 의 kim@a.com at gmail dot com 골뱅이 점 컴 [card] digits]
"""
PIECES = st.sampled_from([*WORDS.split(), "\u200b"])
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", ", "])), max_size=24).map(
    lambda parts: "".join(piece + gap for piece, gap in parts)
)
VALUES = call_values({"name": "Kim Minsu", "digits": "digits", "short": "one"})


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_a_second_pass_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)
    assert redact(redact(text, VALUES), VALUES) == redact(text, VALUES)


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, after=TEXTS, card=st.sampled_from(["4111111111111111", "5555 5555 5555 4444"]))
def test_a_card_that_stands_by_itself_never_stays(before: str, after: str, card: str) -> None:
    assert f" {card} " not in redact(f"{before} x {card} y {after}")


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_a_second_pass_changes_nothing_of_any_text(text: str) -> None:
    once = redact(text, VALUES)
    assert redact(once, VALUES) == once


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(TEXTS.map(lambda text: f"Well: {text} :so"), min_size=2, max_size=4))
def test_sentences_are_masked_alike_together_and_alone(lines: list[str]) -> None:
    assert redact(" | ".join(lines)) == " | ".join(map(redact, lines))
