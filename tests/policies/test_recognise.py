"""What callers' words ask of us. The figures of the development set are part of the report of each run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from policies.recognise import (
    Objection,
    Topic,
    asks_for_person,
    asks_identity,
    consents,
    negative,
    objection,
    topics,
)

UTTERANCES = YAML(typ="safe", pure=True).load(
    (Path(__file__).parents[1] / "data" / "handoff_utterances.yaml").read_text("utf-8")
)


@pytest.mark.parametrize("part", ["development", "held_out"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_request_for_a_person_is_precise_and_rarely_missed(
    language: str,
    part: str,
    record_property: Callable[[str, object], None],
) -> None:
    person, other = UTTERANCES[language][part]["person"], UTTERANCES[language][part]["other"]
    missed = [text for text in person if not asks_for_person(text)]
    false = [text for text in other if asks_for_person(text)]
    hits = len(person) - len(missed)
    precision, recall = hits / (hits + len(false)), hits / len(person)
    says = f"{language} {part}: precision {precision:.3f}, recall {recall:.3f}; {missed=} {false=}"
    record_property("figures", says)
    assert precision >= 0.99, says
    assert recall >= 0.80, says


@pytest.mark.parametrize(
    "text",
    [
        "Are you a robot?",
        "Am I talking to a real person?",
        "Is this a machine?",
        "You're a bot, right?",
        "사람이에요?",
        "로봇이세요?",
    ],
)
def test_the_question_who_we_are_is_no_request_for_a_person(text: str) -> None:
    assert asks_identity(text)
    assert not asks_for_person(text)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("I smell gas in the kitchen", Topic.EMERGENCY),
        ("There's a fire in the house", Topic.EMERGENCY),
        ("가스 냄새가 나요", Topic.EMERGENCY),
        ("사람이 쓰러졌어요", Topic.EMERGENCY),
        ("You will hear from my lawyer", Topic.LEGAL),
        ("소송할 거예요", Topic.LEGAL),
        ("My social security number is here", Topic.SENSITIVE_DATA),
        ("주민번호 알려 드릴까요", Topic.SENSITIVE_DATA),
        ("I want to make a complaint", Topic.COMPLAINT),
        ("너무 불친절해서 항의하려고요", Topic.COMPLAINT),
        ("I want to cancel my contract", Topic.CONTRACT),
        ("계약 해지하고 싶어요", Topic.CONTRACT),
        ("I was overcharged on my bill", Topic.PAYMENT),
        ("환불해 주세요", Topic.PAYMENT),
    ],
)
def test_topics(text: str, topic: Topic) -> None:
    assert topic in topics(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("That's too expensive", Objection.PRICE),
        ("너무 비싸요", Objection.PRICE),
        ("Is this a scam?", Objection.TRUST),
        ("사기 아니에요?", Objection.TRUST),
        ("Call me back later, I'm busy", Objection.TIMING),
        ("나중에 생각해 볼게요", Objection.TIMING),
        ("I already have another company", Objection.COMPETITOR),
        ("다른 업체 쓰고 있어요", Objection.COMPETITOR),
    ],
)
def test_objections_by_kind(text: str, kind: Objection) -> None:
    assert objection(text) is kind
    assert Topic.OBJECTION in topics(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'd like to book an appointment",
        "What time do you open?",
        "예약하고 싶어요",
        "내일 몇 시에 여나요?",
        "Thank you very much",
    ],
)
def test_ordinary_words_are_about_nothing_special(text: str) -> None:
    assert topics(text) == ()
    assert not negative(text)
    assert not asks_identity(text)


@pytest.mark.parametrize("text", ["This is ridiculous", "You are useless", "짜증나네", "장난해요?"])
def test_anger_is_heard_in_the_words(text: str) -> None:
    assert negative(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes please", True),
        ("Sure", True),
        ("네, 그렇게 해 주세요", True),
        ("No thanks", False),
        ("아니요 괜찮아요", False),
        ("What does it cost?", None),
        ("얼마예요?", None),
        ("I want a human", True),
    ],
)
def test_yes_and_no_to_an_offer(text: str, *, answer: bool | None) -> None:
    assert consents(text) is answer
