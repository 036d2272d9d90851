"""What the guard promises, for any text and any cut of it; against an oracle that shares none of its code."""

from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.guard import packs
from policies.guard.book import Judge, Rulebook
from policies.guard.guard import Guard
from policies.guard.matcher import Matcher, Right, Search
from policies.guard.pattern import parse
from policies.guard.rulebook import compile_rules, parse_price
from policies.guard.rules import Action, Rule
from tests.policies.guard.texts import cut, in_pieces, spoken, whole

TOYS = {  # pattern, needs a word boundary on both sides
    "ab": ("ab{1,9}c", False),
    "bcd": ("bcd", False),
    "cab": ("cab", True),
    "d": ("d( ?a){2,3}b", False),
    "x": ("(?:aa|ba){0,9}d", True),
}


def toys(action: Action) -> Rulebook:
    searches = [
        Search(name, parse(pattern), whole_word, Right.NO_WORD if whole_word else Right.ANYTHING)
        for name, (pattern, whole_word) in TOYS.items()
    ]
    judges = {name: Judge(Rule(id=name, action=action), None, longest=False) for name in TOYS}
    return Rulebook(Matcher(searches), None, judges, by_sentence=False, language="en")


MASKING, BLOCKING = toys(Action.REDACT), toys(Action.BLOCK)
TEXTS = st.text("abcd ", max_size=30)
CUTS = st.lists(st.integers(0, 60), max_size=10)
EVERY = compile_rules(
    [rule for name in packs.NAMES for rule in packs.pack(name)],
    approved=[parse_price("USD 49"), parse_price("KRW 49000"), parse_price("10%")],
)
FRAGMENTS = st.sampled_from(
    [example for name in packs.NAMES for rule in packs.pack(name) for example in rule.examples.violates]
    + ["$49", ".99", "$", "49", " dollars", "forty", " nine", "만", "원", "4111", " 1111 1111 1111", "900101"]
    + [
        "g u a r a n t e e",
        "\u200b",
        "**",
        "ＧＵＡＲ",
        "보장",
        "\u1107\u1169",
        "¹",
        "-",
        " ",
        ".",
        "!\n",
        "a",
    ]
)
MIXED = st.lists(FRAGMENTS, max_size=6).map("".join)


def spans(text: str) -> list[tuple[int, int]]:
    """By brute force: every place of every rule, with Python's own expressions."""
    found = []
    for pattern, whole_word in TOYS.values():
        expression = re.compile(pattern)
        for start, end in itertools.combinations(range(len(text) + 1), 2):
            before, after = text[start - 1 : start], text[end : end + 1]
            if whole_word and (before.isalnum() or after.isalnum()):
                continue
            if expression.fullmatch(text, start, end):
                found.append((start, end))
    return sorted(found)


def masked(text: str) -> str:
    merged: list[list[int]] = []
    for start, end in spans(text):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([start, end])
    out, at = "", 0
    for start, end in merged:
        out += text[at:start] + "[removed]"
        at = end
    return out + text[at:]


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_what_is_masked_is_what_the_oracle_masks(text: str) -> None:
    assert whole(MASKING, text) == masked(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, CUTS)
def test_any_cut_of_a_toy_text_gives_the_same(text: str, at: list[int]) -> None:
    for book in (MASKING, BLOCKING):
        assert in_pieces(book, cut(text, at)) == whole(book, text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_block_releases_nothing_that_a_rule_covers(text: str) -> None:
    out = whole(BLOCKING, text)
    if found := spans(text):
        told = out.removesuffix(BLOCKING.say_instead("ab", "en"))
        assert told != out
        assert text.startswith(told)
        assert not any(end <= len(told) for _, end in found)
        first = min(end for _, end in found)  # nothing of what was decided first was said
        assert not any(start < len(told) for start, end in found if end == first)
    else:
        assert out == text


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_what_was_said_is_never_taken_back(text: str) -> None:
    final, guard, said = whole(MASKING, text), Guard(MASKING), ""
    for char in text:
        said += spoken(guard.feed(char))
        assert final.startswith(said)


ENDINGS = ["".join(each) for length in range(5) for each in itertools.product("abcd ", repeat=length)]


@settings(max_examples=40, deadline=None)
@given(st.text("abcd ", max_size=8))
def test_what_is_held_could_still_become_a_violation(text: str) -> None:
    guard = Guard(MASKING)
    guard.feed(text)
    held_from = len(text) - guard.held
    if held_from < len(text) and not spans(text):
        assert any(start <= held_from < end for ending in ENDINGS for start, end in spans(text + ending))


@settings(max_examples=250, deadline=None)
@given(MIXED, CUTS)
def test_any_cut_gives_the_same_with_all_packs(text: str, at: list[int]) -> None:
    assert in_pieces(EVERY, cut(text, at)) == whole(EVERY, text)
    assert in_pieces(EVERY, list(text)) == whole(EVERY, text)


@settings(max_examples=150, deadline=None)
@given(MIXED)
def test_with_all_packs_what_passed_passes_again(text: str) -> None:
    once = whole(EVERY, text)
    assert whole(EVERY, once) == once
