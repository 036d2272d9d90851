"""All packs that ship, at once, as a call has them: with canaries, whole sentences, and little memory."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.guard import packs
from policies.guard.book import Judge, Rulebook
from policies.guard.canaries import arm
from policies.guard.guard import Allowed, Blocked, Guard, Redacted, Ruling, judge
from policies.guard.linter import fired
from policies.guard.matcher import MOST_STEPS
from policies.guard.rulebook import compile_rules, parse_price
from policies.guard.rules import Action, Rule, Scope, Verify
from policies.lines import lines
from tests.policies.guard.oracle import Span, outside, spans
from tests.policies.guard.texts import cut, spoken

SHIPPED = [rule for name in packs.NAMES for rule in packs.pack(name)]
CLOSING = Rule(id="closing", never=("on sale", "할인 행사"), scope=Scope.SENTENCE, say=(("", "Sorry."),))
FEW_STEPS = 60
APPROVED = [parse_price("USD 49"), parse_price("KRW 49000"), parse_price("10%")]
OURS = ["+15550100001"]
VALUES = {
    "national_id": "900101-1234567",
    "mail": "kim.jiho@example.com",
    "address": "12 Main Street, Springfield",
    "note": "He asked us twice not to tell his wife about the new car",
    "korean": "강남구 역삼동 우성아파트",
}
ARMED, NOT_ARMED = arm(VALUES, [])


def book(rules: Iterable[Rule], most_steps: int = MOST_STEPS) -> Rulebook:
    return compile_rules(list(rules), approved=APPROVED, phones=OURS, most_steps=most_steps)


EVERYTHING = book([*SHIPPED, CLOSING])
FORGETFUL = book([*SHIPPED, CLOSING], most_steps=FEW_STEPS)
CUTTING = book(SHIPPED)
JUDGED = [rule for rule in SHIPPED if rule.verify not in (Verify.PRICE, Verify.PHONE, Verify.SSN)]
"""The rules the oracle knows: prices and phones have the last word by code that is tested by itself."""
SURE = book(JUDGED)

EXAMPLES = [
    example for rule in SHIPPED for example in (*rule.examples.violates, *rule.examples.allowed)
] + list(VALUES.values())
INSERTED = ["\u200b", "**", "_", "\u00ad", "\ufe0f", "'", "`", "\u3164", " ", "-", ".", "  ", "\n", "\u0301"]
PARTS = (
    *("$49", ".99", "forty", " nine", " dollars", "만", "원", "4111 ", "1111 1111 1111", "010-1234-5678"),
    *("보장", "\u1107\u1169", "¹", "on ", "sale", ".", "! ", "a", "1"),
)
PIECES = st.one_of(
    st.sampled_from(EXAMPLES),
    st.builds(
        lambda text, a, b: text[a % len(text) : a % len(text) + b],
        st.sampled_from(EXAMPLES),
        st.integers(0, 99),
        st.integers(1, 30),
    ),
    st.sampled_from([*INSERTED, *PARTS]),
    st.text(max_size=4),
)
TEXTS = st.lists(PIECES, max_size=7).flatmap(
    lambda parts: st.sampled_from(["", " ", ". "]).map(lambda joint: joint.join(parts))
)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def rulings(guard: Guard, pieces: Iterable[str]) -> list[Ruling]:
    return [*(ruling for piece in pieces for ruling in guard.feed(piece)), *guard.finish()]


def as_in_a_call(pieces: Iterable[str], rulebook: Rulebook = EVERYTHING) -> list[Ruling]:
    return rulings(Guard(rulebook, "en-US", ARMED), pieces)


def told(found: Iterable[Ruling]) -> list[Ruling]:
    """Without how the allowed words were cut, which nobody hears, and what else was planned at the end."""
    found = list(found)
    return [
        Allowed(spoken(each for each in found if isinstance(each, Allowed))),
        *(
            replace(each, text="") if isinstance(each, Blocked) else each
            for each in found
            if not isinstance(each, Allowed)
        ),
    ]


# -- any cut ----------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(TEXTS, CUTS)
def test_any_cut_says_and_records_the_same(text: str, at: list[int]) -> None:
    expected = told(as_in_a_call([text]))
    for pieces in (cut(text, at), list(text)):
        assert told(as_in_a_call(pieces)) == expected


@settings(max_examples=100, deadline=None)
@given(TEXTS, CUTS)
def test_little_memory_changes_nothing(text: str, at: list[int]) -> None:
    assert told(as_in_a_call(cut(text, at), FORGETFUL)) == told(as_in_a_call([text]))
    assert FORGETFUL.holding.remembered <= FEW_STEPS


def test_any_cut_says_the_same_for_the_same_thousand_texts_everywhere() -> None:
    """Not left to chance: the same texts on every machine."""
    dice = random.Random("five gates")
    for _ in range(1000):
        parts = dice.choices([*EXAMPLES, *INSERTED], k=dice.randint(1, 4))
        text = dice.choice(["", " ", ". "]).join(parts)
        at = [dice.randrange(400) for _ in range(dice.randint(1, 9))]
        assert told(as_in_a_call(cut(text, at))) == told(as_in_a_call([text])), text


# -- nothing that a rule covers is released ---------------------------------------------------------------


def until_blocked(pieces: Iterable[str]) -> tuple[list[Ruling], int]:
    """The rulings, and how far into the text the reply was spoken, masks in place."""
    guard, found, fed = Guard(SURE), list[Ruling](), 0
    for piece in pieces:
        found += guard.feed(piece)
        fed += len(piece)
        if found and isinstance(found[-1], Blocked):
            break
    found += guard.finish()
    planned = [each.text for each in found if isinstance(each, Blocked)]
    return found, fed - sum(map(len, planned))


def covered(text: str) -> tuple[list[Span], list[Span]]:
    """By the oracle: what ends a reply, and what is masked."""
    found = list(spans(JUDGED, text))
    masked = {rule.id for rule in JUDGED if rule.action is Action.REDACT}
    return [each for each in found if each.rule not in masked], [
        each for each in found if each.rule in masked
    ]


@settings(max_examples=250, deadline=None)
@given(TEXTS, CUTS)
@example("I'm a real person. My card is 4111 1111 1111 1111 and I guarantee that.", [3, 30, 44])
@example("1 4111111111111111 12. It is 900101-1234567입니다. 제가 사람이니까 믿으세요.", [2, 9, 20])
def test_nothing_a_rule_covers_is_ever_released(text: str, at: list[int]) -> None:
    found, end = until_blocked(cut(text, at))
    cutting, masked = covered(text)
    assert not [each for each in cutting if each.start < end]
    hidden = [each.text for each in found if isinstance(each, Redacted)]
    left = outside(text[:end], hidden)
    mask = SURE.mask("en-US")
    assert spoken(each for each in found if isinstance(each, Allowed)).replace(mask, "") == left.replace(
        mask, ""
    )
    for each in masked:
        if each.end <= end:
            assert any(
                text[each.start : each.end] in part or part in text[each.start : each.end] for part in hidden
            )


@settings(max_examples=250, deadline=None)
@given(TEXTS)
def test_a_rule_that_fires_has_found_what_it_looks_for(text: str) -> None:
    for each in judge(SURE, text, "en-US"):
        if isinstance(each, Blocked):
            assert each.rule in {span.rule for span in covered(text)[0]}
        if isinstance(each, Redacted):
            assert each.rule in {span.rule for span in covered(text)[1]}


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_what_was_said_passes_a_second_time(text: str) -> None:
    once = spoken(as_in_a_call([text]))
    assert spoken(as_in_a_call([once])) == once


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_what_was_said_is_never_taken_back(text: str) -> None:
    final, guard, said = spoken(as_in_a_call([text])), Guard(EVERYTHING, "en-US", ARMED), ""
    for char in text:
        said += spoken(guard.feed(char))
        assert final.startswith(said)


# -- disguises --------------------------------------------------------------------------------------------

CYRILLIC = str.maketrans("aceopxyijsABEKMHOPCTX", "асеорхуіјѕАВЕКМНОРСТХ")
GREEK = str.maketrans("oABEZHIKMNOPTYX", "οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")
SMALL_CAPITALS = str.maketrans("abcdeghijklmnoprtuvwyz", "ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def between(mark: str) -> Callable[[str], str]:
    return mark.join


DISGUISES: dict[str, Callable[[str], str]] = {
    "zero width": between("\u200b"),
    "soft hyphens": between("\u00ad"),
    "variation selectors": between("\ufe0f"),
    "tags": between("\U000e0061"),
    "private characters": between("\ue000"),
    "Hangul fillers": between("\u3164"),
    "blank braille": between("\u2800"),
    "bold in words": between("**"),
    "code in words": between("`"),
    "underscores around": lambda text: f"__{text}__ _{text}_",
    "accents": between("\u0301"),
    "enclosed": between("\u20dd"),
    "full width": lambda text: text.translate(FULL_WIDTH),
    "capitals": str.upper,
    "Cyrillic": lambda text: text.translate(CYRILLIC),
    "Cyrillic capitals": lambda text: text.upper().translate(CYRILLIC),
    "Greek capitals": lambda text: text.upper().translate(GREEK),
    "small capitals": lambda text: text.lower().translate(SMALL_CAPITALS),
    "jamo": lambda text: unicodedata.normalize("NFD", text),
    "bold letters": lambda text: "".join(
        chr(0x1D5D4 + ord(char) - 65) if "A" <= char <= "Z" else char for char in text.upper()
    ),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "curly apostrophes": lambda text: text.replace("'", "\u2019"),
    "other apostrophes": lambda text: text.replace("'", "\u02bc"),
    "wide apostrophes": lambda text: text.replace("'", "\uff07"),
}
SAID = [(rule, text) for rule in SHIPPED for text in rule.examples.violates]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_no_disguise_hides_what_a_rule_forbids(disguise: str) -> None:
    missed = [
        (rule.id, text)
        for rule, text in SAID
        if rule.id not in fired(STRICT[rule.id], DISGUISES[disguise](text))
    ]
    assert missed == []


STRICT = {rule.id: compile_rules([rule]) for rule in SHIPPED}
PHRASES = [(rule, phrase) for rule in SHIPPED for phrase in rule.never]


@pytest.mark.parametrize(
    ("rule", "phrase"), PHRASES, ids=lambda each: each.id if isinstance(each, Rule) else each
)
def test_letters_that_are_spread_out_still_make_the_phrase(rule: Rule, phrase: str) -> None:
    letters = "".join(filter(str.isalnum, phrase))
    korean = not phrase.isascii()
    spread = (
        [" ".join(letters)] if korean else [mark.join(letters) for mark in (" ", "-", ".", ", ", "_", "__")]
    )
    for text in spread:
        assert rule.id in fired(STRICT[rule.id], f"So: {text}.")


@pytest.mark.parametrize("pause", ["", " ", "-", " - ", ", "])
def test_a_card_is_masked_however_it_is_grouped(pause: str) -> None:
    said = pause.join(["4111", "1111", "1111", "1111"])
    assert spoken(judge(CUTTING, f"It is {said}, thanks.", "en-US")) == "It is [removed], thanks."
    assert spoken(judge(CUTTING, pause.join(["078", "05", "1120"]), "en-US")) == "[removed]"


# -- the caller's own values ------------------------------------------------------------------------------


def test_every_value_is_armed() -> None:
    assert NOT_ARMED == ()


@pytest.mark.parametrize(
    "text",
    [
        "It is 900101 - 1234567.",
        "９００１０１－１２３４５６７",
        "9 0 0 1 0 1 1 2 3 4 5 6 7",
        "900101, 123, 4567",
        "9**00101**1234567",
        "kim.jiho@example.com",
        "KIM.JIHO＠EXAMPLE.COM",
        "kim dot jiho at example dot com",
        "k\u200bim.jiho@example.com",
        "You live at 12 main street, springfield!",
        "12 Main-Street, Springfield",
        "강남구역삼동우성아파트",
        unicodedata.normalize("NFD", "강남구 역삼동 우성아파트"),
        "강 남 구 역 삼 동 우 성 아 파 트에",
        "asked us twice not to tell his wife",
    ],
)
def test_a_value_is_never_spoken_in_any_dress(text: str) -> None:
    for pieces in ([text], list(text)):
        found = rulings(Guard(CUTTING, "en-US", ARMED), ["Yes, ", *pieces, " it is."])
        assert [each.rule.partition(":")[0] for each in found if isinstance(each, Blocked)] == ["canary"]
        assert not any(char.isdigit() for char in spoken(found))


LATE_TEXTS = st.tuples(TEXTS, st.sampled_from([*VALUES.values(), ""]), TEXTS).map("".join)


@settings(max_examples=200, deadline=None)
@given(LATE_TEXTS, CUTS, st.integers(0, 12))
def test_a_value_that_is_armed_in_the_middle_is_not_completed_after_that(
    text: str, at: list[int], late: int
) -> None:
    """From the moment the facts arrive it is as if they had always been there."""
    pieces = cut(text, at)
    guard = Guard(EVERYTHING, "en-US")
    before = [ruling for piece in pieces[:late] for ruling in guard.feed(piece)]
    after = [*guard.arm(ARMED), *(ruling for piece in pieces[late:] for ruling in guard.feed(piece))]
    found = [*before, *after, *guard.finish()]
    at_once = as_in_a_call([text])
    if any(isinstance(each, Blocked) for each in before):
        assert guard.arm(ARMED) == ()
        assert told(found) == told(rulings(Guard(EVERYTHING, "en-US"), [text]))
    elif spoken(at_once).startswith(spoken(before)):
        assert told(found) == told(at_once)  # nothing had been said that should not
    else:
        assert isinstance(found[-1], Blocked)
        assert spoken(found).startswith(spoken(before))
        assert spoken(after).strip() in (
            "",
            *(each.say_instead for each in found if isinstance(each, Blocked)),
        )


@pytest.mark.parametrize("late", range(15))
def test_a_number_that_had_begun_goes_no_further(late: int) -> None:
    number = VALUES["national_id"]
    guard = Guard()
    found = [*guard.feed("Your number is "), *guard.feed(number[:late]), *guard.arm(ARMED)]
    for char in number[late:] + ", right? Do you want more?":
        found += guard.feed(char)
    found += guard.finish()
    assert spoken(found) == f"Your number is {number[:late]}{lines('en').not_said}"
    assert [each.rule for each in found if isinstance(each, Blocked)] == ["canary:national_id"]


def test_facts_that_arrive_without_a_value_to_hide_change_nothing() -> None:
    guard = Guard(CUTTING)
    said = spoken([*guard.feed("One two"), *guard.arm(None), *guard.feed(" three."), *guard.finish()])
    assert said == "One two three."


def test_the_same_values_are_armed_once() -> None:
    guard = Guard(CUTTING, "en-US", ARMED)
    assert guard.feed("It is 900101 ")
    assert guard.arm(ARMED) == ()
    assert [each.rule for each in guard.feed("1234567.") if isinstance(each, Blocked)] == [
        "canary:national_id"
    ]


# -- work, counted ----------------------------------------------------------------------------------------

WORST = {
    "digits": "0123456789",
    "digits and pauses": "0123456789 -",
    "phones": "0123456789 .-()",
    "one digit": "4",
    "letters": "abcdefghijklmnopqrstuvwxyz ",
    "spread letters": ["g ", "u ", "a ", "r "],
    "number words": ["four ", "nine ", "hundred ", "and "],
    "Korean amounts": "일이삼만천백 ",
    "jamo": "\u1107\u1169\u110c\u1161\u11bc",
    "nothing": "*`\u200b",
    "beginnings": ["you are ", "we will ", "this is ", "제가 ", "고객님 "],
    "no end of a sentence": "la ",
}


class Counting:
    """A verifier that finds nothing, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.read = 0

    def __call__(self, text: str) -> bool:
        self.asked += 1
        self.read += len(text)
        return False


SHORT, LONG = 2_000, 20_000


def work(rulebook: Rulebook, text: str) -> Iterator[tuple[int, int, int, int]]:
    """New steps, questions to verifiers, characters they read, and held: of a short reply, then of a long."""
    count = Counting()
    judges = {
        name: Judge(each.rule, count if each.verify else None, each.longest)
        for name, each in rulebook.judges.items()
    }
    guard = Guard(replace(rulebook, judges=judges), "en-US", ARMED)
    before, held = rulebook.holding.remembered, 0
    for at in range(0, LONG, 5):
        assert not any(isinstance(each, Blocked) for each in guard.feed(text[at : at + 5]))
        held += guard.held
        if at + 5 in (SHORT, LONG):
            yield rulebook.holding.remembered - before, count.asked, count.read, held


@pytest.mark.parametrize("name", WORST)
def test_a_long_reply_costs_no_more_a_character_than_a_short_one(name: str) -> None:
    dice = random.Random(name)
    text = "".join(dice.choices(WORST[name], k=LONG))[:LONG]
    for of_short, of_long in zip(*work(book(SHIPPED), text), strict=True):
        assert of_long <= 3 * (LONG // SHORT) * of_short + LONG // 100


def test_a_sentence_without_an_end_is_held_once_and_not_copied_each_time() -> None:
    guard = Guard(EVERYTHING, "en-US", ARMED)
    said = [spoken(guard.feed("la la ")) for _ in range(3_000)]
    assert "".join(said) == ""
    assert spoken(guard.finish()) == "la la " * 3_000
