"""What a handoff says exists in both languages, is spoken as it stands, and no pack would stop it."""

from __future__ import annotations

import string
from dataclasses import astuple, fields

import pytest

from handoff.sayings import ENGLISH, KOREAN, Sayings, sayings, spoken_tag
from policies.guard import linter, packs
from policies.guard.rulebook import compile_rules
from policies.speech import SpeechCleaner

EVERYTHING = compile_rules([rule for name in packs.NAMES for rule in packs.pack(name)])
VALUES = {"position": 3, "minutes": 4, "brief": "a question of price"}


@pytest.mark.parametrize("texts", [ENGLISH, KOREAN], ids=lambda each: each.language)
def test_every_text_can_be_spoken_and_no_pack_stops_it(texts: Sayings) -> None:
    for text in astuple(texts)[2:]:
        said = text.format(**VALUES)
        cleaner = SpeechCleaner()
        assert said
        assert cleaner.feed(said) + cleaner.finish() == said
        assert linter.fired(EVERYTHING, said) == set()


def test_both_languages_have_the_same_blanks() -> None:
    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for each in fields(Sayings):
        assert blanks(getattr(ENGLISH, each.name)) == blanks(getattr(KOREAN, each.name)), each.name


@pytest.mark.parametrize(
    ("position", "average", "said"),
    [
        (None, None, ENGLISH.hold),
        (1, None, "You are next in line. Please hold."),
        (1, 240.0, "You are next in line. Please hold."),
        (3, None, "You are number 3 in line."),
        (3, 240.0, "You are number 3 in line. The wait is about 4 minutes. Please hold."),
        (None, 20.0, "The wait is about a minute. Please hold."),
        (None, 240.0, "The wait is about 4 minutes. Please hold."),
    ],
)
def test_the_caller_hears_the_place_or_the_expected_wait(
    position: int | None, average: float | None, said: str
) -> None:
    assert ENGLISH.waiting(position, average) == said


@pytest.mark.parametrize(
    ("language", "texts", "tag"),
    [
        ("en-GB", ENGLISH, "en-GB"),
        ("en", ENGLISH, "en-US"),
        ("ko-KR", KOREAN, "ko-KR"),
        ("ko", KOREAN, "ko-KR"),
        ("de-DE", ENGLISH, "en-US"),
    ],
)
def test_words_and_voice_are_of_one_language(language: str, texts: Sayings, tag: str) -> None:
    assert sayings(language) is texts
    assert spoken_tag(language) == tag
