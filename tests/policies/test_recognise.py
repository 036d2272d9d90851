"""What callers' words ask of us. The figures of the development set are part of the report of each run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from policies.recognise import (
    Objection,
    Topic,
    answers,
    asks_for_person,
    asks_identity,
    consents,
    identity,
    negative,
    objection,
    person,
    person_ko,
    topics,
)
from policies.recognise.grammar import Form
from policies.recognise.topics import NEGATIVE, OBJECTIONS, TOPICS, Words
from policies.recognise.words import plain, sentences

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
    asks, other = UTTERANCES[language][part]["person"], UTTERANCES[language][part]["other"]
    missed = [text for text in asks if not asks_for_person(text)]
    false = [text for text in other if asks_for_person(text)]
    hits = len(asks) - len(missed)
    precision, recall = hits / (hits + len(false)), hits / len(asks)
    says = f"{language} {part}: precision {precision:.3f}, recall {recall:.3f}; {missed=} {false=}"
    record_property("figures", says)
    assert precision >= 0.99, says
    assert recall >= 0.80, says


def test_the_development_set_is_large_enough_to_mean_something() -> None:
    sizes = {
        language: sum(len(texts) for part in parts.values() for texts in part.values())
        for language, parts in UTTERANCES.items()
    }
    assert sizes["en"] >= 250
    assert sizes["ko"] >= 150


def test_the_halves_share_no_request_that_was_not_mended() -> None:
    for language in UTTERANCES.values():
        known = {text.casefold() for text in language["development"]["other"]}
        assert known.isdisjoint(text.casefold() for text in language["held_out"]["person"])


FORMS = [("en", form) for form in person.FORMS] + [("ko", form) for form in person_ko.FORMS]


@pytest.mark.parametrize(("language", "form"), FORMS, ids=[f"{tag}-{form.id}" for tag, form in FORMS])
def test_every_form_of_a_request_is_proven_by_its_examples(language: str, form: Form) -> None:
    assert form.says
    for text in form.says:
        if language == "en":
            clauses = [clause for said in sentences(text) for clause in person.clauses(said)]
        else:
            clauses = [said.replace(" ", "") for said in sentences(text)]
        assert any(form.pattern.search(clause) for clause in clauses), text
        assert asks_for_person(text), text


@pytest.mark.parametrize("form", identity.FORMS, ids=lambda form: form.id)
def test_the_question_who_we_are_is_no_request_for_a_person(form: Form) -> None:
    for text in form.says:
        assert asks_identity(text), text
        assert not asks_for_person(text), text


@pytest.mark.parametrize(
    "text",
    [
        "Are you a robot? I want a human.",
        "Am I talking to a machine? Then get me a person.",
        "로봇이에요? 상담원 바꿔 주세요.",
    ],
)
def test_who_asks_who_we_are_and_wants_a_person_gets_one(text: str) -> None:
    assert asks_identity(text)
    assert asks_for_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm talking to my husband about it",
        "You are the third person who says so",
        "Is this the right department?",
        "Who are you going to send?",
        "Are you open on Sunday?",
        "사람이 많아요?",
        "기계가 고장 났어요",
    ],
)
def test_other_questions_are_not_about_who_we_are(text: str) -> None:
    assert not asks_identity(text)


# -- topics, objections, mood ------------------------------------------------------------------------------

ENTRIES: list[tuple[str, Words]] = [
    *((topic.value, words) for topic, words in TOPICS.items()),
    *((kind.value, words) for kind, words in OBJECTIONS.items()),
    ("negative", NEGATIVE),
]


@pytest.mark.parametrize(("name", "words"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_every_entry_is_proven_by_what_it_is_about_and_what_it_is_not(name: str, words: Words) -> None:
    assert [text for text in words.about if not words.found_in(plain(text))] == []
    assert [text for text in words.no if words.found_in(plain(text))] == []
    assert words.about
    assert words.no


def test_every_topic_of_the_agent_file_has_words() -> None:
    assert {*TOPICS, Topic.OBJECTION} == set(Topic)
    assert set(OBJECTIONS) == set(Objection)


def test_of_several_topics_the_gravest_comes_first() -> None:
    assert topics("My lawyer will hear of this bill, and I smell gas") == (
        Topic.EMERGENCY,
        Topic.LEGAL,
        Topic.PAYMENT,
    )


def test_an_objection_is_a_topic_and_has_a_kind() -> None:
    assert topics("That's too expensive") == (Topic.OBJECTION,)
    assert objection("That's too expensive") is Objection.PRICE


@pytest.mark.parametrize(
    "text",
    [
        "I'd like to book an appointment",
        "What time do you open?",
        "I already have an account",
        "Can I book another time?",
        "예약하고 싶어요",
        "내일 몇 시에 여나요?",
        "영화가 나오나요?",
        "복사기 있나요?",
        "행사기간이 언제예요?",
        "점점 궁금해지네요",
        "Thank you very much",
    ],
)
def test_ordinary_words_are_about_nothing_special(text: str) -> None:
    assert topics(text) == ()
    assert not negative(text)
    assert not asks_identity(text)
    assert not asks_for_person(text)


def test_the_topics_are_read_in_either_language_at_once() -> None:
    assert topics("I need a refund, 환불해 주세요") == (Topic.PAYMENT,)


# -- yes and no --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", answers.FORMS, ids=lambda form: form.id)
def test_every_form_of_an_answer_is_proven_by_its_examples(form: Form) -> None:
    for text in form.says:
        assert consents(text) is form.id.startswith("yes"), text


@pytest.mark.parametrize(
    "text",
    [
        "Yes please",
        "Sure",
        "That would be great",
        "no problem, go ahead",
        "All right then",
        "I want a human",
        "네",
        "네, 그렇게 해 주세요",
        "응 연결해 줘",
        "그럼요",
    ],
)
def test_a_yes_to_an_offer(text: str) -> None:
    assert consents(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "No thanks",
        "not yet, I have a question",
        "that's okay, thanks",
        "maybe later",
        "let's continue",
        "yes, but not now",
        "아니요 괜찮아요",
        "됐어요",
        "연결하지 마세요",
    ],
)
def test_a_no_to_an_offer(text: str) -> None:
    assert consents(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "What does it cost?",
        "Okay, what time is it?",
        "Right, but how much is it?",
        "I'm not sure",
        "Who would that be?",
        "얼마예요?",
        "네?",
        "잠깐만요",
        "",
    ],
)
def test_what_is_neither_yes_nor_no_takes_no_offer(text: str) -> None:
    assert consents(text) is None


# -- words -------------------------------------------------------------------------------------------------


def test_contractions_are_written_out_and_possessives_kept_apart() -> None:
    assert plain("I'd like it, can't you?  The Manager's office isn’t open") == (
        "i would like it can not you the manager 's office is not open"
    )


def test_a_title_ends_no_sentence() -> None:
    assert sentences("Can I speak to Mr. Jones? Thanks.") == ("can i speak to mr jones", "thanks")


VOCABULARY = sorted(
    {word for text in UTTERANCES["en"]["development"]["person"] for word in text.casefold().split()}
    | {word for text in UTTERANCES["ko"]["development"]["person"] for word in text.split()}
)


@given(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=4), st.integers(1, 40))
def test_no_caller_stalls_a_call_by_what_they_say(words: list[str], times: int) -> None:
    """A pattern that tries too many ways needs seconds for some word salads; ours need milliseconds."""
    began = time.perf_counter()
    said = " ".join(words * times)
    asks_identity(said)
    consents(said)
    topics(said)
    negative(said)
    assert time.perf_counter() - began < 1.0


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert consents(text) in (True, False, None)
    assert isinstance(topics(text), tuple)
    assert negative(text) in (True, False)
