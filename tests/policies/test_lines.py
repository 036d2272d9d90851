"""Our own lines exist in each language we know, can be spoken, and break no rule that ships."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from policies import claims
from policies.agent_conversation import LADDER
from policies.agent_file import parse
from policies.agent_tools import Tool
from policies.gates import compile_gates, configured
from policies.guard import packs
from policies.guard.linter import fired
from policies.guard.rulebook import compile_rules
from policies.lines import ENGLISH, KOREAN, Lines, lines
from policies.recovery import Climb, Move, backchannel
from policies.speech import SpeechCleaner
from policies.understanding import empty_or_filler

EACH = pytest.mark.parametrize("ours", [ENGLISH, KOREAN], ids=lambda each: each.language)
TAGS = {"en": "en-US", "ko": "ko-KR"}


def spoken(ours: Lines) -> dict[str, str]:
    """All that is said as it stands, and what names the organisation, with one."""
    return dict(ours.spoken()) | {
        "the disclosure": ours.disclosure("Acme Home"),
        "the message": ours.for_machine("Acme Home"),
    }


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en-US", ENGLISH),
        ("en", ENGLISH),
        ("ko-KR", KOREAN),
        ("KO", KOREAN),
        ("fr", ENGLISH),
        ("kok", ENGLISH),
    ],
)
def test_lines_are_chosen_by_the_primary_language(language: str, expected: Lines) -> None:
    assert lines(language) is expected


def test_the_disclosure_says_it_is_an_ai_and_whose() -> None:
    assert ENGLISH.disclosure("Acme") == "Hi, this is Acme's AI assistant."
    assert KOREAN.disclosure("Acme") == "안녕하세요, Acme의 인공지능 상담원입니다."
    assert ENGLISH.disclosure("") == "Hi, this is an AI assistant."


@EACH
def test_an_answering_machine_hears_who_called_and_that_it_was_an_ai(ours: Lines) -> None:
    assert "Acme" in ours.for_machine("Acme")
    assert ours.for_machine("") == ours.voicemail_unnamed
    for message in (ours.for_machine("Acme"), ours.for_machine("")):
        assert ("AI assistant" if ours is ENGLISH else "인공지능") in message


@EACH
def test_every_line_can_be_spoken_as_it_stands(ours: Lines) -> None:
    for name, line in spoken(ours).items():
        cleaner = SpeechCleaner(TAGS[ours.language])
        assert cleaner.feed(line) + cleaner.finish() == line, name


def test_a_list_of_lines_leaves_none_out() -> None:
    for ours in (ENGLISH, KOREAN):
        names = {name.partition(" ")[0] for name, _ in ours.spoken()}
        left_out = {field.name for field in fields(ours)} - names
        assert left_out == {"language", "link", "disclosed", "voicemail_message"}
        assert ("waiting 2", ours.waiting[1]) in set(ours.spoken())


@EACH
def test_every_line_is_in_its_language(ours: Lines) -> None:
    hangul = re.compile("[가-힣]")
    for name, line in ours.spoken():
        assert bool(hangul.search(line)) is (ours is KOREAN), name
    assert [bool(hangul.search(part)) for part in (ours.disclosed, ours.voicemail_message)] == [
        ours is KOREAN
    ] * 2


def test_both_languages_have_the_same_lines_and_as_many_to_rotate() -> None:
    for field in fields(ENGLISH):
        one, other = getattr(ENGLISH, field.name), getattr(KOREAN, field.name)
        assert type(one) is type(other), field.name
        if isinstance(one, tuple):
            assert len(set(one)) == len(set(other)) == len(one) >= 2, field.name
        elif field.name != "language":
            assert one != other, field.name


@EACH
def test_no_line_breaks_a_rule_that_ships(ours: Lines) -> None:
    rules = [rule for name in packs.NAMES for rule in packs.pack(name)]
    book = compile_rules(rules, language=TAGS[ours.language])
    assert {name: fired(book, line) for name, line in spoken(ours).items() if fired(book, line)} == {}


@EACH
def test_no_line_claims_that_something_was_done(ours: Lines) -> None:
    """Not even where the agent file has a tool that could have done it."""
    tool = Tool.model_validate(
        {"name": "book", "description": "Books.", "url": "https://a.example/b", "side_effect": True}
    )
    rules, _ = claims.rules([tool], list(TAGS.values()))
    assert rules
    book = compile_rules(rules, language=TAGS[ours.language])
    assert {name: fired(book, line) for name, line in spoken(ours).items() if fired(book, line)} == {}


def test_an_agent_file_with_every_pack_takes_all_lines_in_both_languages() -> None:
    text = (
        "agent: {name: a, organisation: Acme Home, languages: [en-US, ko-KR]}\n"
        "llm: [{provider: echo}]\n"
        f"guard: {{packs: [{', '.join(packs.NAMES)}]}}\n"
    )
    file = parse(text)
    compile_gates(file)  # refuses the file for a line of ours that a rule forbids
    checked = set(configured(file).values())
    for ours in (ENGLISH, KOREAN):
        assert {text for _, text in ours.spoken()} <= checked


@EACH
def test_an_acknowledgement_agrees_to_nothing(ours: Lines) -> None:
    """ "Sure" behind "may I have it for less?" is a promise."""
    yes = re.compile(
        r"\b(?:yes|sure|of course|okay|certainly|absolutely|right|done)\b|^네|그럼요|물론|알겠", re.IGNORECASE
    )
    for line in ours.acknowledgements + ours.waiting[1:] + ours.fallbacks:
        assert not yes.search(line), line
        assert not backchannel(line)
        assert not empty_or_filler(line)


@EACH
def test_a_line_that_wants_an_answer_ends_in_a_question_or_says_what_to_do(ours: Lines) -> None:
    asked = (ours.still_there, ours.person_offer, ours.callback_offer, ours.trouble, ours.not_understood)
    for line in (*asked, *ours.reask_unheard, *ours.reask_unclear, *ours.reask_mistaken):
        assert line.endswith("?"), line
    for line in (ours.goodbye, ours.silence_goodbye, ours.apology, ours.wrong_party, ours.voicemail_unnamed):
        assert not line.endswith("?"), line


@EACH
def test_the_silence_ladder_that_ships_never_says_the_same_twice_running(ours: Lines) -> None:
    climbs = [Climb(at, Move(rung.then or "say"), rung) for at, rung in enumerate(LADDER, 1)]
    said = [climb.words(TAGS[ours.language]) for climb in climbs]
    assert len(set(said)) == len(said)
