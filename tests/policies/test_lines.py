"""Our own lines exist in each language we know, and English stands in for the others."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from policies.lines import ENGLISH, KOREAN, Lines, lines
from policies.speech import SpeechCleaner


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


@pytest.mark.parametrize("language", [ENGLISH, KOREAN], ids=lambda each: each.language)
def test_every_line_can_be_spoken_as_it_stands(language: Lines) -> None:
    for line in astuple(language):
        cleaner = SpeechCleaner()
        assert line
        assert cleaner.feed(line) + cleaner.finish() == line
