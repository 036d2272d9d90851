"""Silence is answered rung by rung and never over speech; a circle is noticed, and a correction is none."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agent_conversation import LADDER, Rung
from policies.agent_conversation import Repeats as Rules
from policies.guard.corpus import sentences
from policies.lines import ENGLISH, KOREAN
from policies.recovery import (
    ALIKE,
    LONGEST_SPEECH,
    Climb,
    Move,
    Repeats,
    Silence,
    backchannel,
    likeness,
    tells_something,
)
from policies.vocabulary import EscalationReason

DATA = Path(__file__).parents[1] / "data"


def rung(after: str, say: object = None, then: str | None = None) -> Rung:
    return Rung.model_validate(
        {"after": after} | ({"say": say} if say else {}) | ({"then": then} if then else {})
    )


def moves(ladder: Silence, *times: float) -> list[Move | None]:
    return [climb.move if (climb := ladder.due(now)) else None for now in times]


def test_the_ladder_that_ships_asks_twice_and_then_gets_a_person() -> None:
    ladder = Silence(LADDER)
    ladder.speaking(10.0)
    said: list[str] = []
    for _ in LADDER:
        assert ladder.due_at is not None
        climb = ladder.due(ladder.due_at)
        assert climb is not None
        said.append(climb.words("en-US"))
        ladder.speaking(ladder.due_at or 0.0)
    assert said == [ENGLISH.still_there, ENGLISH.still_here, ENGLISH.colleague]
    assert ladder.due_at is None
    assert Silence.reason is EscalationReason.SILENCE


def test_nothing_is_due_before_anything_was_spoken() -> None:
    assert Silence(LADDER).due_at is None
    assert Silence(LADDER).due(1e9) is None


def test_without_rungs_nothing_is_ever_due() -> None:
    ladder = Silence(())
    ladder.speaking(0.0)
    assert ladder.due(1e9) is None


def test_a_rung_counts_from_the_true_end_of_our_speech_when_it_is_reported() -> None:
    ladder = Silence([rung("6s")])
    ladder.speaking(20.0)
    assert ladder.due_at == 26.0
    ladder.spoke(15.0)
    assert ladder.due_at == 21.0
    assert moves(ladder, 20.9, 21.0, 50.0) == [None, Move.SAY, None]


def test_the_next_rung_counts_from_the_end_of_what_the_first_one_said() -> None:
    ladder = Silence([rung("6s"), rung("4s")])
    ladder.speaking(0.0)
    assert moves(ladder, 6.0, 9.0) == [Move.SAY, None]
    ladder.speaking(11.0)
    assert ladder.due_at == 15.0
    ladder.spoke(10.0)
    assert moves(ladder, 13.9, 14.0) == [None, Move.SAY]


def test_a_rung_whose_words_were_never_said_does_not_stop_the_ladder() -> None:
    ladder = Silence([rung("6s"), rung("4s", then="end")])
    ladder.speaking(0.0)
    assert moves(ladder, 6.0, 10.0) == [Move.SAY, Move.END]


def test_the_caller_is_not_asked_whether_they_are_there_while_they_wait_for_us() -> None:
    ladder = Silence([rung("6s")])
    ladder.caller(1.0)
    ladder.working()
    assert ladder.due_at is None
    ladder.speaking(3.0, filler=True)
    ladder.spoke(3.0)
    assert ladder.due_at is None, "after a filler the answer is still due"
    ladder.speaking(9.0)
    assert ladder.due_at == 15.0


def test_what_the_caller_does_starts_the_ladder_again_at_its_first_rung() -> None:
    ladder = Silence([rung("6s"), rung("4s", then="handoff")])
    ladder.speaking(0.0)
    assert moves(ladder, 6.0) == [Move.SAY]
    ladder.caller(7.0)
    assert ladder.due_at == 13.0
    assert moves(ladder, 13.0, 17.0) == [Move.SAY, Move.HANDOFF]


def test_a_noise_that_cut_us_and_became_no_prompt_does_not_leave_the_caller_in_silence() -> None:
    ladder = Silence([rung("6s")])
    ladder.speaking(60.0)
    ladder.caller(5.0)
    ladder.spoke(5.0)  # the interrupt
    assert moves(ladder, 11.0) == [Move.SAY]


def test_what_the_caller_says_into_speech_that_nothing_cuts_does_not_shorten_it() -> None:
    ladder = Silence([rung("2s")])
    ladder.speaking(10.0)
    ladder.caller(3.0)
    assert ladder.due_at == 12.0


def test_nobody_is_asked_in_the_middle_of_a_long_sentence() -> None:
    ladder = Silence([rung("6s")])
    ladder.speaking(0.0)
    ladder.caller(2.0, talking=True)
    assert ladder.due(25.0) is None
    ladder.caller(25.0)
    assert ladder.due_at == 31.0


def test_a_lost_end_of_speech_does_not_stop_the_ladder_for_ever() -> None:
    ladder = Silence([rung("6s")])
    ladder.caller(2.0, talking=True)
    assert ladder.due_at == 2.0 + LONGEST_SPEECH + 6.0


@pytest.mark.parametrize(
    ("then", "english", "korean"),
    [
        (None, ENGLISH.still_there, KOREAN.still_there),
        ("keypad", ENGLISH.keypad_offer, KOREAN.keypad_offer),
        ("offer", ENGLISH.person_offer, KOREAN.person_offer),
        ("handoff", ENGLISH.colleague, KOREAN.colleague),
        ("end", ENGLISH.silence_goodbye, KOREAN.silence_goodbye),
    ],
)
def test_a_rung_without_words_says_our_own_line_for_what_it_does(
    then: str | None, english: str, korean: str
) -> None:
    ladder = Silence([rung("1s", then=then)])
    ladder.speaking(0.0)
    climb = ladder.due(1.0)
    assert climb is not None
    assert climb.move == (then or "say")
    assert (climb.words("en-US"), climb.words("ko-KR")) == (english, korean)


def test_the_words_of_the_file_go_before_ours() -> None:
    climb = Climb(1, Move.OFFER, rung("1s", {"en-US": "Shall I?", "ko-KR": "그럴까요?"}, "offer"))
    assert (climb.words("en-US"), climb.words("ko-KR")) == ("Shall I?", "그럴까요?")


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["speaking", "filler", "spoke", "working", "caller", "talking", "ask"]),
        st.floats(0, 9),
    )
)


@given(EVENTS)
def test_no_rung_over_speech_or_while_the_caller_waits_and_each_rung_once(
    events: list[tuple[str, float]],
) -> None:
    ladder = Silence(LADDER)
    now, spoken, heard, working, climbed = 0.0, 0.0, 0.0, False, 0
    for event, value in events:
        now += value
        match event:
            case "speaking" | "filler":
                spoken, working = now + value, working and event == "filler"
                ladder.speaking(spoken, filler=event == "filler")
            case "spoke":
                spoken = min(spoken, now)
                ladder.spoke(now)
            case "working":
                working = True
                ladder.working()
            case "caller" | "talking":
                climbed, heard = 0, now + (LONGEST_SPEECH if event == "talking" else 0.0)
                ladder.caller(now, talking=event == "talking")
            case _:
                if climb := ladder.due(now):
                    climbed += 1
                    assert climb.rung == climbed
                    assert not working
                    assert now >= max(spoken, heard) + LADDER[climbed - 1].after
                    spoken = now


# -- circles ---------------------------------------------------------------------------------------------


def test_the_second_time_is_clarified_and_the_third_goes_to_a_person() -> None:
    circles = Repeats(Rules())
    assert circles.asked("How much is the yearly check?") is None
    assert circles.asked("I asked how much is the yearly check.") is Move.CLARIFY
    assert circles.asked("How much is the yearly check") is Move.HANDOFF
    assert Repeats.reason is EscalationReason.REPEATED_FAILURE


def test_the_agent_that_answers_the_same_again_is_noticed_as_well() -> None:
    circles = Repeats(Rules())
    answer = "영업시간은 평일 아홉 시부터 여섯 시까지입니다."
    assert [circles.answered(answer) for _ in range(3)] == [None, Move.CLARIFY, Move.HANDOFF]
    assert circles.asked(answer) is None, "each side is counted by itself"


@pytest.mark.parametrize("then", ["clarify", "offer", "handoff"])
def test_what_comes_first_and_when_is_for_the_file_to_say(then: str) -> None:
    circles = Repeats(Rules.model_validate({"caller_same_question": 3, "then": then}))
    said = [circles.asked("배송이 언제 되나요") for _ in range(4)]
    assert said == [None, None, then, Move.HANDOFF]


def test_a_circle_may_go_through_another_question() -> None:
    circles = Repeats(Rules())
    said = [
        circles.asked(text) for text in ("Where is my order?", "Are you open on Sunday?", "Where's my order?")
    ]
    assert said == [None, None, Move.CLARIFY]


def test_the_same_question_much_later_is_no_circle() -> None:
    circles = Repeats(Rules())
    topics = ("parcel", "invoice", "discount", "warranty", "contract", "technician")
    questions = [
        "Where is my order?",
        *(f"Tell me about the {topic}" for topic in topics),
        "Where is my order?",
    ]
    assert [circles.asked(question) for question in questions] == [None] * 8


def test_what_we_asked_to_hear_again_is_no_circle() -> None:
    circles = Repeats(Rules())
    assert circles.asked("Where is my order?") is None
    assert circles.asked("Where is my order?", invited=True) is None


SHORT_ANSWERS = [
    *(
        "yes",
        "네",
        "네 맞아요",
        "yes please",
        "that's right",
        "아니요 괜찮아요",
        "mm-hm",
        "응",
        "okay",
        "Monday",
    ),
    *("[10 digits]", "010 1234 5678", "five five five one two", "no thank you", "감사합니다"),
]


@pytest.mark.parametrize("answer", SHORT_ANSWERS)
def test_a_short_answer_is_never_a_repetition(answer: str) -> None:
    circles = Repeats(Rules())
    assert [circles.asked(answer) for _ in range(4)] == [None] * 4


ALIKE_PAIRS = [
    ("How much is the yearly check?", "I asked how much is the yearly check"),
    ("What are your opening hours?", "what are your opening hours please"),
    ("Where is my order?", "No, I said where's my order"),
    ("Can I speak about my bill?", "Can I speak about my pill?"),
    ("My boiler does not heat the water", "the boiler doesn't heat the water"),
    ("배송이 언제 되나요", "배송 언제 돼요?"),
    ("예약을 변경하고 싶은데요", "아니요 예약 변경하고 싶어요"),
    ("영업시간이 어떻게 되나요", "영업시간 어떻게 돼요"),
    ("환불 해 주세요", "환불해 주세요"),
]
DIFFERENT_PAIRS = [
    ("Can I book for Monday?", "Can I book for Tuesday?"),
    ("What time do you open?", "What time do you close?"),
    ("I want to cancel my contract", "I don't want to cancel my contract"),
    ("Where is my order?", "Where is my parcel?"),
    ("What's the price?", "What's the price of the premium plan?"),
    ("My number is 5550100", "My number is 5550101"),
    ("When does the technician come?", "Why does the technician come?"),
    ("월요일에 예약하고 싶어요", "화요일에 예약하고 싶어요"),
    ("환불하고 싶어요", "교환하고 싶어요"),
    ("수리 신청하고 싶어요", "설치 신청하고 싶어요"),
    ("설치비가 얼마예요", "배송비가 얼마예요"),
    ("두 시에 와 주세요", "세 시에 와 주세요"),
    ("냉장고가 안 돼요", "냉장고가 돼요"),
    ("배송이 언제 되나요", "배송이 왜 되나요"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE_PAIRS)
def test_the_same_in_slightly_other_words_is_alike(one: str, other: str) -> None:
    assert likeness(one, other) >= ALIKE
    assert likeness(other, one) >= ALIKE


@pytest.mark.parametrize(("one", "other"), DIFFERENT_PAIRS)
def test_another_day_number_word_or_a_not_is_another_question(one: str, other: str) -> None:
    assert likeness(one, other) < ALIKE
    assert likeness(other, one) < ALIKE


@pytest.mark.parametrize(("language", "most"), [("en", 2e-4), ("ko", 2e-4)])
def test_of_all_pairs_of_ordinary_sentences_next_to_none_is_alike(language: str, most: float) -> None:
    """Of about 20,000 pairs each; those that are found say the same ("Thanks for calling …")."""
    own = (DATA / f"ordinary-agent-sentences-{language}.txt").read_text("utf-8").splitlines()[:200]
    texts = dict.fromkeys((*sentences(language), *own))
    pairs = list(combinations(filter(tells_something, texts), 2))
    found = [pair for pair in pairs if likeness(*pair) >= ALIKE]
    assert len(found) <= most * len(pairs), found


@given(st.text(max_size=60))
def test_everything_that_tells_something_is_like_itself(text: str) -> None:
    assert not tells_something(text) or likeness(text, text) in (0.0, 1.0)
    assert 0.0 <= likeness(text, text[::-1]) <= 1.0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        *[
            (text, "en-US")
            for text in ("mm-hm", "Uh-huh.", "Okay.", "okay okay", "Mhm", "I see", "Got it.", "right")
        ],
        *[
            (text, "ko-KR")
            for text in ("네", "네, 네.", "응", "음...", "네네", "아 네", "그렇군요", "okay", "으음")
        ],
        ("네", ""),
        ("mm-hm", "fr-FR"),
    ],
)
def test_a_sign_of_listening_is_no_turn(text: str, language: str) -> None:
    assert backchannel(text, language)


TURNS = [
    *("", "yes", "no", "No!", "wait", "stop", "okay but how much", "okay okay okay okay okay", "human", "12"),
    *("아니요", "잠깐만요", "네 그런데요", "상담원이요", "응급이에요"),
]


@pytest.mark.parametrize("language", ["en-US", "ko-KR", ""])
@pytest.mark.parametrize("text", TURNS)
def test_words_that_ask_for_something_are_a_turn(text: str, language: str) -> None:
    assert not backchannel(text, language)
