"""What no brief shows is hidden, however it was said; what a person needs to help is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.withheld import hide, is_named_so

MASKS = {"[secret]": "[secret]", "[health]": "[health]", "[number]": "[number]"}
MASKS_KO = {"[secret]": "[비밀]", "[health]": "[건강 정보]", "[number]": "[번호]"}
PIECES = (
    "the pin is",
    "PIN 4471",
    "cvv 123",
    "my code",
    "four four seven one",
    "비밀번호는 호랑이",
    "인증번호 1234",
    "일이삼사",
    "card 4111 1111 1111 1111",
    "exp 12/27",
    "2026-12-04 10:30",
    "12,500",
    "7 8 9",
    "diabetes",
    "당뇨가",
    "[secret]",
    "[번호]",
    ".",
    ",",
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("my pin is 4471", "my pin is [secret]"),
        ("PIN 4471, thanks", "PIN [secret], thanks"),
        ("the pin: four four seven one", "the pin: [secret]"),
        ("pin four four seven one", "pin [secret]"),
        ("the verification code is 8841", "the verification code is [secret]"),
        ("my password is swordfish. Hurry", "my password is [secret]. Hurry"),
        ("비밀번호가 1234예요", "비밀번호가 [secret]예요"),
        ("인증번호 일이삼사", "인증번호 [secret]"),
        ("use a1b2c3d4e5f6a7b8c9d0e1", "use [secret]"),
    ],
)
def test_a_secret_is_hidden_with_or_without_a_word_between(said: str, shown: str) -> None:
    assert hide(said, MASKS) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("card 4111 1111 1111 1111 exp 12/27 cvv 123", "card [card] exp [secret] cvv [secret]"),
        ("4111111111111111, valid until 03 / 2028", "[card], valid until [secret]"),
        ("the last three on the back are 123", "the last three on the back are [secret]"),
        ("카드 뒷면 123", "카드 뒷면 [secret]"),
        ("4111111111111111 the password is swordfish 12/27", "[card] the password is [secret]"),
    ],
)
def test_what_stands_beside_a_card_number_is_card_data_too(said: str, shown: str) -> None:
    assert hide(said, MASKS) == shown


@pytest.mark.parametrize(
    "said", ["order 12345", "84 31 7", "1_2_3_4_5", "4/1/1/1/1", "1/2/1980", "１２３４５", "12.34.56"]
)
def test_a_string_of_digits_is_hidden_whatever_stands_between_them(said: str) -> None:
    shown = hide(said, MASKS)
    assert shown.endswith("[number]")
    assert not any(char.isdigit() for char in shown)


@pytest.mark.parametrize("said", ["I am diabetic", "after the chemotherapy", "당뇨가 있어요", "처방받은 약"])
def test_health_is_hidden(said: str) -> None:
    assert "[health]" in hide(said, MASKS)


@pytest.mark.parametrize(
    "said",
    [
        "come on 2026-12-04 10:30",
        "on 12/04/2026 please",
        "2026.12.04에 오세요",
        "2026년 12월 4일 10시",
        "the bill was $1,250.50",
        "1,250,000 won, 12 months",
        "open 09:00-18:00 daily",
        "error code 4041",
        "my card ends in 4242",
        "pin the note to the board",
        "I forgot my password",
        "비밀번호가 기억이 안 나요",
        "비밀번호를 잊어버렸어요",
    ],
)
def test_what_is_nobodys_secret_stays(said: str) -> None:
    assert hide(said, MASKS) == said


def test_it_is_one_line() -> None:
    assert hide(" one\n\n two\t", MASKS) == "one two"


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join), st.sampled_from((MASKS, MASKS_KO)))
def test_hiding_twice_is_hiding_once(said: str, masks: dict[str, str]) -> None:
    once = hide(said, masks)
    assert hide(once, masks) == once


@pytest.mark.parametrize("name", ["card_number", "password", "diagnosis", "pin", "iban", "건강상태", "계좌"])
def test_a_fact_may_be_hidden_by_its_name_alone(name: str) -> None:
    assert is_named_so(name)


@pytest.mark.parametrize("name", ["name", "product_interest", "shipping", "spinning_class", "appointment"])
def test_other_names_hide_nothing(name: str) -> None:
    assert not is_named_so(name)
