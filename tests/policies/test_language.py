"""The agent changes its language on request, or when the caller has; never to one the file does not list."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.guard.corpus import sentences
from policies.language import Languages, asked_for, detect

DATA = Path(__file__).parents[1] / "data"
BOTH = ("en-US", "ko-KR")

REQUESTS = {
    "ko": [
        *("Can we speak Korean?", "Korean, please", "in Korean", "do you speak Korean", "I'd prefer Korean."),
        *("Could you explain that in Korean?", "Is there anyone who speaks Korean?", "I only speak Korean"),
        *(
            "한국어로 해 주세요",
            "한국말로 할 수 있어요?",
            "한국어요.",
            "영어 말고 한국어로 해 주세요",
            "한국어 되나요?",
        ),
    ],
    "en": [
        *(
            "In English please.",
            "Can you switch to English?",
            "No, English please",
            "English.",
            "I want English",
        ),
        *("I don't speak Korean, can we speak English?", "I can't understand, English please"),
        *(
            "can't you speak English?",
            "영어로 말해 주세요",
            "영어 할 수 있어요?",
            "영어로 부탁드립니다",
            "영어 가능해요?",
        ),
    ],
    "es": ["Spanish please", "¿Can we continue in Spanish?"],
    "zh": ["중국어 되나요"],
}
NO_REQUESTS = [
    *(
        "I don't speak English",
        "not in English",
        "please stop speaking English",
        "my English teacher called",
        "hello",
    ),
    *(
        "send me the manual in Korean please",
        "I talked to a Korean guy",
        "I want an English breakfast",
        "",
        "12",
    ),
    *(
        "Is this in English?",
        "영어로 된 계약서가 필요해요",
        "한국어 교재를 주문했어요",
        "영어 못해요",
        "영어는 모르겠어요",
    ),
]


@pytest.mark.parametrize(
    ("language", "text"), [(key, text) for key, texts in REQUESTS.items() for text in texts]
)
def test_who_asks_for_a_language_is_understood_in_either(language: str, text: str) -> None:
    assert asked_for(text) == language


@pytest.mark.parametrize("text", NO_REQUESTS)
def test_naming_a_language_is_no_request_for_it(text: str) -> None:
    assert asked_for(text) is None


def test_ordinary_sentences_ask_for_no_language() -> None:
    ours = [text for language in ("en", "ko") for text in sentences(language)]
    texts = (
        *ours,
        *(line for file in DATA.glob("ordinary-*.txt") for line in file.read_text("utf-8").splitlines()),
    )
    assert len(texts) > 800
    assert [text for text in texts if asked_for(text)] == ["I speak English and Korean."]


@pytest.mark.parametrize(
    ("text", "tag", "language"),
    [
        ("안녕하세요", "en-US", "ko"),
        ("안녕하세요", "", "ko"),
        ("hello there", "en-US", "en"),
        ("hello are you there", "ko-KR", "en"),
        ("iPhone Pro", "ko-KR", None),
        ("hello there", "multi", "en"),
        ("hola amigo", "es", "es"),
        ("iPhone 프로를 샀어요", "ko-KR", "ko"),
        ("I live in 강남", "en-US", "en"),
        ("これはペンです", "en-US", "ja"),
        ("東京", "ja-JP", "ja"),
        ("東京", "", "zh"),
        ("привет", "", "ru"),
        ("안녕", "ko", "ko"),
        ("12 34", "ko-KR", None),
        ("", "ko-KR", None),
        ("?!", "en", None),
        ("שלום", "en", None),
    ],
)
def test_the_script_tells_the_language_and_the_tag_where_several_share_one(
    text: str, tag: str, language: str | None
) -> None:
    assert detect(text, tag) == language


def test_a_request_changes_the_language_at_once() -> None:
    spoken = Languages(BOTH)
    assert spoken.current == "en-US"
    assert spoken.heard("Can we speak Korean?", "en-US") == "ko-KR"
    assert spoken.current == "ko-KR"
    assert spoken.heard("영어로 해 주세요", "ko-KR") == "en-US"


def test_a_request_for_what_is_spoken_already_changes_nothing() -> None:
    assert Languages(BOTH).heard("in English please", "en") is None


def test_two_prompts_in_a_row_change_the_language_and_one_short_one_does_not() -> None:
    spoken = Languages(BOTH)
    assert spoken.heard("여보세요", "ko-KR") is None
    assert spoken.heard("Hello?", "en-US") is None
    assert spoken.heard("여보세요", "ko-KR") is None
    assert spoken.heard("12", "ko-KR") is None, "digits say nothing, and forget nothing"
    assert spoken.heard("네 저기요", "ko-KR") == "ko-KR"


def test_one_long_prompt_in_the_other_script_is_enough() -> None:
    assert Languages(BOTH).heard("냉장고에서 이상한 소리가 나요", "en-US") == "ko-KR"
    assert Languages(BOTH, "ko-KR").heard("My fridge makes a strange noise", "ko-KR") == "en-US"


def test_a_long_prompt_in_a_language_of_the_same_script_waits_for_the_second() -> None:
    spoken = Languages(("en-US", "es-MX"))
    assert spoken.heard("quiero hablar con alguien por favor", "es") is None
    assert spoken.heard("quiero hablar con alguien por favor", "es") == "es-MX"


def test_a_language_the_file_does_not_list_is_never_spoken() -> None:
    spoken = Languages(("en-US",))
    for _ in range(3):
        assert spoken.heard("한국어로 해 주세요, 영어는 잘 못해요", "ko-KR") is None
        assert spoken.heard("Spanish please", "en-US") is None
    assert spoken.current == "en-US"


def test_the_variant_that_is_spoken_stays_when_its_language_is_heard() -> None:
    spoken = Languages(("en-US", "en-GB", "ko-KR"), "en-GB")
    assert spoken.current == "en-GB"
    assert spoken.heard("in English please", "en-US") is None
    assert spoken.heard("Hello there, is anybody on the line?", "en-US") is None


def test_a_call_that_is_resumed_goes_on_in_its_language() -> None:
    assert Languages(BOTH, "ko-KR").current == "ko-KR"
    assert Languages(BOTH, "fr-FR").current == "en-US"
    with pytest.raises(ValueError, match="at least one"):
        Languages(())


@given(
    st.lists(
        st.tuples(st.text(max_size=30), st.sampled_from(["en", "ko-KR", "ja", "multi", ""])), max_size=12
    )
)
def test_whatever_is_said_the_language_is_one_of_the_file(said: list[tuple[str, str]]) -> None:
    spoken = Languages(BOTH)
    for text, tag in said:
        before = spoken.current
        changed = spoken.heard(text, tag)
        assert spoken.current in BOTH
        assert (changed is None) == (spoken.current == before)
