"""What is not understood is noticed by its signs, and acted on only when two of them agree."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agent_conversation import Understanding
from policies.guard.corpus import sentences
from policies.lines import ENGLISH, KOREAN
from policies.recovery import Move
from policies.understanding import (
    GARBLED,
    REMAINS,
    REVISED,
    WINDOW,
    Assessment,
    BadLine,
    Condition,
    Failures,
    Heard,
    Signal,
    assess,
    churn,
    corrects,
    empty_or_filler,
    garble,
    reask,
    wrong_script,
)
from policies.vocabulary import EscalationReason

DATA = Path(__file__).parents[1] / "data"
RULES = Understanding()
CLEAR = Assessment(1.0, ())


def ordinary(language: str) -> list[str]:
    own = (DATA / f"ordinary-agent-sentences-{language}.txt").read_text("utf-8").splitlines()
    return list(dict.fromkeys(filter(str.strip, (*sentences(language), *own))))


def seen(*signals: Signal) -> Assessment:
    """A turn with these signals."""
    causes = (min((row[each] for each in signals if each in row), default=1.0) for row in REMAINS)
    score = 1.0
    for cause in causes:
        score *= cause
    return Assessment(score, signals)


def signals(text: str, **around: object) -> tuple[Signal, ...]:
    return assess(Heard(text, ("en-US", "ko-KR"), **around)).signals  # type: ignore[arg-type]


# -- one turn --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
def test_ordinary_speech_shows_no_signal_at_all(language: str) -> None:
    tag = {"en": "en-US", "ko": "ko-KR"}[language]
    texts = ordinary(language)
    assert len(texts) > 350
    assert [text for text in texts if assess(Heard(text, (tag,))) != CLEAR] == []


def test_each_sign_is_seen_for_what_it_is() -> None:
    assert signals("um") == (Signal.EMPTY_OR_FILLER,)
    assert signals("привет, как дела") == (Signal.WRONG_SCRIPT,)
    assert signals("q'm te hsuee jp bbvu pws iohx mqxi") == (Signal.GARBLE,)
    assert signals("No, I said the other one") == (Signal.CORRECTION,)
    assert signals("Where is my order?", before=("Hello there", "Where's my order")) == (
        Signal.NEAR_DUPLICATE,
    )
    assert signals("Yes, that one", interrupted_after=0.4) == (Signal.EARLY_INTERRUPT,)
    assert signals("Yes, that one", interrupted_after=0.7) == ()
    assert signals("Yes, that one", understood=False) == (Signal.MODEL_REPORT,)
    revised = ("we need two", "weed to go", "we need to call my", "weeks at all mall")
    assert signals("weather in Seoul", partials=revised) == (Signal.CHURN,)


def test_only_the_last_two_turns_are_held_against_what_is_said_again() -> None:
    assert signals("Where is my order?", before=("Where is my order?", "One", "Two")) == ()


def test_what_we_asked_to_hear_again_is_no_sign() -> None:
    assert signals("Where is my order?", before=("Where is my order?",), invited=True) == ()


def test_one_sign_leaves_the_score_at_half_and_two_independent_ones_go_below() -> None:
    for signal in Signal:
        assert 0.5 <= seen(signal).score <= 0.7
    rows = [set(row) for row in REMAINS]
    for one, other in combinations(Signal, 2):
        related = any({one, other} <= row for row in rows)
        assert (seen(one, other).score < 0.5) is not related, (one, other)
    assert {signal for row in rows for signal in row} == set(Signal)


@given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=3), st.booleans())
def test_a_score_is_a_share_whatever_was_heard(text: str, before: list[str], understood: bool) -> None:
    assessed = assess(
        Heard(text, ("en-US", "ko-KR"), tuple(before), before=tuple(before), understood=understood)
    )
    assert 0.0 < assessed.score <= 1.0
    assert (assessed.score == 1.0) == (assessed.signals == ())


def test_what_the_caller_said_is_not_in_a_representation() -> None:
    heard = Heard("my name is Alexandra", ("en-US",), ("my name",), ("earlier words",))
    assert not re.search("Alexandra|my name|earlier", repr(heard))


# -- the signals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "   ", "...", "um", "uh so", "well I", "Hmm.", "음 어", "그게", "저기 그", "Mm"]
)
def test_fillers_alone_are_nothing_to_answer(text: str) -> None:
    assert empty_or_filler(text)


@pytest.mark.parametrize("text", ["yes", "no", "okay", "네", "아니요", "응", "help", "12", "환불", "mm-hm"])
def test_a_short_answer_is_no_filler(text: str) -> None:
    assert not empty_or_filler(text)


CORRECTIONS = [
    *("No, I said Tuesday", "That's not what I asked", "no I meant the other one", "You got it wrong"),
    *("not Monday, I said Tuesday", "I didn't say that", "you're not... you don't understand"),
    *("아니 그게 아니라 환불이요", "환불이라고 했잖아요", "그게 아니고요", "제 말은 취소가 아니라 변경이요"),
    *("잘못 들으신 것 같아요", "못 알아들으시네요", "아니요, 그거 말고요"),
]
NO_CORRECTIONS = [
    *(
        "no",
        "No, thank you",
        "The technician said that",
        "I meant to call yesterday",
        "what I meant was",
        "아니요",
    ),
    *(
        "아니요 괜찮아요",
        "아니요, 없어요",
        "I want it on Tuesday",
        "is that not correct?",
        "다른 거 말고 또 있어요?",
    ),
]


@pytest.mark.parametrize("text", CORRECTIONS)
def test_a_correction_is_heard_as_one(text: str) -> None:
    assert corrects(text)


@pytest.mark.parametrize("text", NO_CORRECTIONS)
def test_a_no_is_not_yet_a_correction(text: str) -> None:
    assert not corrects(text)


@pytest.mark.parametrize(
    ("text", "languages", "wrong"),
    [
        ("привет как дела", ("en-US",), True),
        ("한국어 문장입니다", ("en-US",), True),
        ("これはペンです", ("en-US", "ko-KR"), True),
        ("hello how are you today", ("ko-KR",), True),
        ("iPhone Pro", ("ko-KR",), False),
        ("한국어 문장입니다", ("en-US", "ko-KR"), False),
        ("hello how are you today", ("ko-KR", "en-US"), False),
        ("¿Qué tal estás?", ("es-MX",), False),
        ("12 34", ("ko-KR",), False),
        ("네", ("en-US",), False),
    ],
)
def test_a_script_of_none_of_our_languages_is_wrong(
    text: str, languages: tuple[str, ...], wrong: bool
) -> None:
    assert wrong_script(text, languages) is wrong


@pytest.mark.parametrize(
    ("partials", "final"),
    [
        (("I", "I want", "I want to", "I want to can"), "I want to cancel"),
        (("Hold",), "Holding."),
        ((), "hello"),
        (("예약", "예약 변", "예약 변경하고", "예약변경하고 싶"), "예약 변경하고 싶어요"),
        (("Where's my odor", "Where's my order from"), "Where's my order from Monday?"),
    ],
)
def test_words_that_grow_are_no_churn(partials: tuple[str, ...], final: str) -> None:
    assert churn(partials, final) < REVISED


@pytest.mark.parametrize(
    ("partials", "final"),
    [
        (("I need to", "aisle seat two", "I'll see the blue one"), "eyes of the room"),
        (("한 시에 가", "환불이 가능", "한글이 가득한"), "안개가 자욱한 밤"),
        (("can you hear me",), ""),
    ],
)
def test_words_that_are_taken_back_again_and_again_are_churn(partials: tuple[str, ...], final: str) -> None:
    assert churn(partials, final) >= REVISED


def noise(text: str, chance: random.Random) -> str:
    """Every letter another one."""
    text = re.sub("[A-Za-z]", lambda _: chance.choice(string.ascii_lowercase), text)
    return re.sub("[가-힣]", lambda _: chr(0xAC00 + chance.randrange(11172)), text)


def specks(text: str, chance: random.Random) -> str:
    """Three letters of ten another one."""
    return re.sub("[A-Za-z가-힣]", lambda at: noise(at[0], chance) if chance.random() < 0.3 else at[0], text)


def clipped(text: str, chance: random.Random) -> str:
    """English without its vowels; of Korean, every second syllable a letter alone."""
    text = re.sub("[aeiou]", "", text)
    return re.sub(
        "[가-힣]", lambda at: chr(0x3131 + chance.randrange(30)) if chance.random() < 0.5 else at[0], text
    )


@pytest.mark.parametrize(
    ("language", "damage", "least"),
    [
        ("en", noise, 0.90),  # measured: 93 %
        ("en", clipped, 0.85),  # 89 %
        ("en", specks, 0.25),  # 31 %: single wrong letters are the model's to understand
        ("ko", noise, 0.98),  # 100 %
        ("ko", clipped, 0.98),  # 100 %
        ("ko", specks, 0.55),  # 59 %
    ],
)
def test_garble_is_found_in_damaged_sentences(
    language: str, damage: Callable[[str, random.Random], str], least: float
) -> None:
    """And in none of the 900 sentences as they are: `test_ordinary_speech_shows_no_signal_at_all`."""
    chance = random.Random(3)
    texts = ordinary(language)
    assert sum(garble(damage(text, chance)) >= GARBLED for text in texts) >= least * len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "thank you for watching thank you for watching thank you for watching",
        "시청해 주셔서 감사합니다 시청해 주셔서 감사합니다 시청해 주셔서 감사합니다",
        "## $$ @@ ^^^ |||",
        "ㅇㅇㅇ ㄴㅁㅇㄹ",
        "\ufffd\ufffd\ufffd order",
    ],
)
def test_loops_signs_and_letters_alone_are_garble(text: str) -> None:
    assert garble(text) >= GARBLED


@pytest.mark.parametrize(
    "text",
    [
        *("no no no no no no no no", "five five five one two one two five five five", "네 네 네 네 네 네 네"),
        *(
            "My HVAC unit, a BMW and the TV",
            "Mr. and Mrs. Schwartz",
            "Hmm, psst, shh",
            "Iraq, Qatar and jazz",
        ),
        *("The rhythm section", "It's 7:45 PM, gate B12", "a.b@example.com", "Krzysztof lives in Edinburgh"),
        *("뷔페 예약이요", "쿠팡 로켓배송이요", "퀵서비스 맡겼어요", ""),
    ],
)
def test_names_abbreviations_and_counting_are_no_garble(text: str) -> None:
    assert garble(text) < GARBLED


# -- turn after turn -------------------------------------------------------------------------------------


def test_one_sign_alone_changes_nothing() -> None:
    failures = Failures(RULES)
    assert failures.turn(seen(Signal.CHURN)) is None
    assert failures.turn(CLEAR) is None
    assert failures.turn(seen(Signal.GARBLE)) is None
    assert failures.count == 0


@pytest.mark.parametrize(("one", "other"), [(one, other) for one in Signal for other in Signal])
def test_one_sign_in_each_of_two_turns_running_counts(one: Signal, other: Signal) -> None:
    failures = Failures(RULES)
    assert [failures.turn(seen(one)), failures.turn(seen(other))] == [None, Move.CLARIFY]


def test_two_independent_signs_in_one_turn_count_at_once() -> None:
    assert Failures(RULES).turn(seen(Signal.CHURN, Signal.EARLY_INTERRUPT)) is Move.CLARIFY
    assert Failures(RULES).turn(seen(Signal.CORRECTION, Signal.NEAR_DUPLICATE)) is None, "they have one cause"


def test_first_we_ask_again_then_the_keypad_then_a_person() -> None:
    failures = Failures(RULES)
    bad = seen(Signal.GARBLE, Signal.CHURN)
    assert [failures.turn(bad) for _ in range(3)] == [Move.CLARIFY, Move.KEYPAD, Move.HANDOFF]
    assert Failures.reason is EscalationReason.LOW_UNDERSTANDING


@pytest.mark.parametrize(
    ("before_handoff", "spell", "expected"),
    [
        (1, True, [Move.CLARIFY, Move.HANDOFF]),
        (2, False, [Move.CLARIFY, Move.CLARIFY, Move.HANDOFF]),
        (3, True, [Move.CLARIFY, Move.CLARIFY, Move.KEYPAD, Move.HANDOFF]),
    ],
)
def test_how_often_we_try_is_for_the_file_to_say(
    before_handoff: int, spell: bool, expected: list[Move]
) -> None:
    failures = Failures(Understanding(failures_before_handoff=before_handoff, spell_by_keypad=spell))
    assert [failures.turn(seen(Signal.GARBLE, Signal.CHURN)) for _ in expected] == expected


def test_the_threshold_is_for_the_file_to_say() -> None:
    assert Failures(Understanding(clarify_below=0.6)).turn(seen(Signal.GARBLE)) is Move.CLARIFY
    calm = Failures(Understanding(clarify_below=0.0))
    assert [calm.turn(seen(Signal.GARBLE, Signal.CHURN)) for _ in range(3)] == [None] * 3


def test_two_clear_turns_running_forget_and_one_does_not() -> None:
    failures = Failures(RULES)
    bad = seen(Signal.GARBLE, Signal.CHURN)
    assert [failures.turn(each) for each in (bad, CLEAR, bad)] == [Move.CLARIFY, None, Move.KEYPAD]
    assert [failures.turn(each) for each in (CLEAR, CLEAR, bad)] == [None, None, Move.CLARIFY]


@given(st.lists(st.lists(st.sampled_from(list(Signal)), max_size=3, unique=True), max_size=20))
def test_a_person_comes_only_after_every_other_try(turns: list[list[Signal]]) -> None:
    failures = Failures(RULES)
    taken = [failures.turn(seen(*each)) for each in turns]
    for at, (move, each) in enumerate(zip(taken, turns, strict=True)):
        assert move is None or each, "a turn without a sign is answered"
        if move is Move.HANDOFF:
            assert [earlier for earlier in taken[:at] if earlier][-1] in (Move.KEYPAD, Move.HANDOFF)


def test_we_ask_for_what_went_wrong_and_not_twice_in_the_same_words() -> None:
    assert reask(seen(Signal.EMPTY_OR_FILLER, Signal.CHURN), "en-US", 0) == ENGLISH.reask_unheard[0]
    assert reask(seen(Signal.GARBLE, Signal.MODEL_REPORT), "ko-KR", 1) == KOREAN.reask_unclear[1]
    assert reask(seen(Signal.CORRECTION), "en-US", 2) == ENGLISH.reask_mistaken[0]
    for signal in Signal:
        assert reask(seen(signal), "ko-KR", 0) != reask(seen(signal), "ko-KR", 1)


# -- the line --------------------------------------------------------------------------------------------


def test_one_late_chunk_is_no_bad_line_and_three_are() -> None:
    line = BadLine()
    line.played(1.0, late=1.4)
    assert line.condition(1.0) is Condition.CLEAR
    for second in (2.0, 3.0):
        line.played(second, late=2.5)
    assert line.condition(3.0) is Condition.CLEAR
    assert line.instruction(3.0) == ""
    line.turn(4.0, seen(Signal.CHURN))
    assert line.condition(4.0) is Condition.POOR
    assert "short sentence" in line.instruction(4.0)


def test_a_poor_line_offers_the_keypad_once_and_a_failing_one_a_call_back_once() -> None:
    line = BadLine()
    assert line.due(0.0) is None
    line.dropped(1.0)
    assert [line.due(2.0), line.due(3.0)] == [Move.KEYPAD, None]
    line.dropped(4.0)
    assert [line.due(5.0), line.due(6.0)] == [Move.CALLBACK, None]


def test_a_line_that_is_good_again_is_forgiven_and_nothing_is_offered_twice() -> None:
    line = BadLine()
    line.dropped(1.0)
    assert line.due(1.0) is Move.KEYPAD
    assert line.condition(1.0 + WINDOW) is Condition.CLEAR
    line.dropped(100.0)
    assert line.condition(100.0) is Condition.POOR
    assert line.due(100.0) is None


def test_what_the_caller_means_says_nothing_about_the_line() -> None:
    line = BadLine()
    for second in range(10):
        line.turn(float(second), seen(Signal.CORRECTION, Signal.MODEL_REPORT))
    assert line.condition(10.0) is Condition.CLEAR
