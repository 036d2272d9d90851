"""The guard on sentences: what is spoken, what is not, and what is said instead."""

from __future__ import annotations

import pytest

from policies.guard.canaries import arm
from policies.guard.guard import Blocked, Guard, Noted, Redacted, judge
from policies.guard.matcher import Matcher
from policies.guard.phrases import searches
from policies.guard.rulebook import Rulebook, RulesInvalid, compile_rules, parse_price
from policies.guard.rules import Action, Examples, Rule, Scope, Verify
from tests.policies.guard.texts import spoken, whole

INSTEAD = "I can't promise that."
PROMISES = compile_rules(
    [Rule(id="no-promise", never=("guaranteed return", "guarantee", "원금 보장"), say=(("en", INSTEAD),))]
)
PRICES = compile_rules(
    [Rule(id="price", verify=Verify.PRICE, say=(("", "No price."),))],
    approved=[parse_price("USD 49"), parse_price("USD 99"), parse_price("KRW 49000"), parse_price("10%")],
)
CARDS = compile_rules([Rule(id="card", verify=Verify.CARD, action=Action.REDACT)])


def test_a_promise_split_over_tokens_is_never_spoken() -> None:
    guard = Guard(PROMISES)
    said = [spoken(guard.feed(token)) for token in ("Sure. A gua", "ranteed re", "turn of")]
    assert said == ["Sure. A ", "", INSTEAD]
    assert guard.feed(" ten percent") == guard.finish() == ()


@pytest.mark.parametrize(
    "text",
    [
        "I G U A R A N T E E that",
        "g-u-a-r-a-n-t-e-e",
        "gu\u200bar\u0430ntee!",
        "guar**an**tee it",
        "ＧＵＡＲＡＮＴＥＥ",
        "guar an tee",
        "원금보장",
        "원금 보장해 드립니다",
        "원 금 보 장",
        "\u110b\u116f\u11ab\u1100\u1173\u11b7 \u1107\u1169\u110c\u1161\u11bc",
    ],
)
def test_disguises_do_not_help(text: str) -> None:
    assert any(isinstance(ruling, Blocked) for ruling in judge(PROMISES, text, "en"))


@pytest.mark.parametrize("text", ["guarantees", "guaranteed", "a guaranteeing", "원금 보자", "원금이 보장"])
def test_other_words_pass(text: str) -> None:
    assert whole(PROMISES, text) == text


@pytest.mark.parametrize(
    "text",
    ["It is $49.", "forty nine dollars", "forty-nine or ninety-nine dollars", "USD 99 a month", "49 bucks",
     "10% off", "ten percent discount", "사만구천원입니다", "4만 9천 원", "49,000원이에요", "about $49",
     "Room 120 at 9 dollar store", "직원이 지원해 드립니다", "for 50 people on the 24th"],
)  # fmt: skip
def test_approved_prices_and_other_numbers_pass(text: str) -> None:
    passes = "9 dollar" not in text
    assert (whole(PRICES, text) == text) is passes


@pytest.mark.parametrize(
    "text",
    ["$49.99", "$490", "$ 50", "fifty dollars", "forty-nine or fifty dollars", "USD 50", "50 bucks", "$40-49",
     "between 40 and 49 dollars", "$588 a year", "about fifty bucks", "20% off", "half price", "half off",
     "오만원", "5만 원", "49,900원", "반값", "삼십 퍼센트 할인", "20% 할인", "$4k",
     "a hundred and forty nine dollars"],
)  # fmt: skip
def test_any_other_price_is_a_violation(text: str) -> None:
    assert whole(PRICES, f"Well, it is {text}.").endswith("No price.")


def test_digits_are_judged_only_when_the_number_is_over() -> None:
    guard = Guard(PRICES)
    assert [spoken(guard.feed(token)) for token in ("It is $49", ".9", "9 a month")] == [
        "It is ",
        "",
        "No price.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 4111111111111111", "1 [removed]"),
        ("4111111111111111 12", "[removed] 12"),
        ("card 4111 1111 1111 1111 ok", "card [removed] ok"),
        ("card 4111 1111 1111 1112 ok", "card 4111 1111 1111 1112 ok"),
    ],
)
def test_cards_are_masked_wherever_they_start(text: str, said: str) -> None:
    assert whole(CARDS, text) == said


def test_a_mask_is_recorded_with_what_it_hides() -> None:
    redacted = [each for each in judge(CARDS, "4111111111111111.", "en") if isinstance(each, Redacted)]
    assert redacted == [Redacted("card", "4111111111111111", "[removed]")]


def test_superscript_digits_do_not_break_a_verifier() -> None:
    assert whole(PRICES, "¹ dollars") != "¹ dollars"
    assert whole(CARDS, "¹²³") == "¹²³"


def test_a_rule_for_sentences_replaces_the_whole_sentence() -> None:
    book = compile_rules([Rule(id="s", never=("on sale",), scope=Scope.SENTENCE, say=(("", "Sorry."),))])
    guard = Guard(book)
    assert spoken(guard.feed("Hello there. The blue one ")) == "Hello there. "
    assert spoken(guard.feed("is on sale today.")) == "Sorry."


def test_a_rule_that_only_notes_holds_nothing() -> None:
    guard = Guard(compile_rules([Rule(id="note", never=("best wishes",), action=Action.LOG)]))
    assert [spoken(guard.feed(token)) for token in ("best", " wish")] == ["best", " wish"]
    assert Noted("note") in (*guard.feed("es"), *guard.finish())


def test_a_guard_that_breaks_says_nothing_but_the_safe_line() -> None:
    class Broken(Matcher):
        def step(self, state: object, char: str) -> object:  # type: ignore[override]
            raise RuntimeError(char)

    book = Rulebook(Broken(()), None, {}, by_sentence=False, language="en")
    (blocked,) = Guard(book).feed("hello")
    assert isinstance(blocked, Blocked)
    assert (blocked.rule, blocked.action, blocked.text) == ("guard_error", Action.HANDOFF, "hello")


def test_memory_is_bounded_and_a_running_guard_goes_on() -> None:
    matcher = Matcher(searches("r", "abcdefgh"), most_steps=40)
    book = Rulebook(matcher, None, PROMISES.judges, by_sentence=False, language="en")
    guard = Guard(book)
    text = "".join(chr(0x4E00 + number) for number in range(500)) + "abcdefg"
    assert "".join(spoken(guard.feed(char)) for char in text) + spoken(guard.finish()) == text
    assert matcher.remembered <= 40


# -- canaries ---------------------------------------------------------------------------------------------


def test_values_of_this_call_are_never_spoken() -> None:
    canaries, not_armed = arm(
        {
            "national_id": "900101-1234567",
            "email": "kim.jiho@example.com",
            "note": "He asked us twice not to tell his wife about the new car",
            "code": "ab1",
            "city": "Springfield",
        },
        ["springfield"],
    )
    assert not_armed == ("code", "city")
    for text in (
        "It is 900101 1234567.",
        "Write to Kim.Jiho@example.com",
        "kim dot jiho at example dot com",
        "he asked us twice not to tell his wife anything",
    ):
        (blocked,) = [each for each in judge(None, text, "en", canaries) if isinstance(each, Blocked)]
        assert blocked.rule.startswith("canary:")
    assert not [
        each
        for each in judge(None, "In Springfield, he asked us twice.", "en", canaries)
        if isinstance(each, Blocked)
    ]


def test_canaries_and_rules_hold_together() -> None:
    canaries, _ = arm({"name": "Guadalupe Reyes"}, [])
    guard = Guard(PROMISES, "en", canaries)
    assert spoken(guard.feed("Dear Gua")) == "Dear "
    assert spoken(guard.feed("dalajara, hi")) == "Guadalajara, hi"


# -- rules that are refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (Rule(id="r", pattern="a.*b"), "`*` has no bound"),
        (Rule(id="r", pattern="[a-z]+"), "`+` has no bound"),
        (Rule(id="r", pattern="a{3,}"), "`{3,}` has no bound"),
        (Rule(id="r", pattern=r"(a)\1"), "refers back"),
        (Rule(id="r", pattern="(?=a)b"), "looks around"),
        (Rule(id="r", pattern="a?"), "matches nothing at all"),
        (Rule(id="r", pattern="(a"), "never closed"),
        (Rule(id="r", never=("\u200b",)), "no character that is spoken"),
        (Rule(id="r"), "nothing to look for"),
        (Rule(id="r", never=("no way",), examples=Examples(("way",), ())), "should violate it"),
        (Rule(id="r", never=("no way",), examples=Examples((), ("no way!",))), "should be allowed"),
        (Rule(id="r", never=("sorry",), say=(("en", "Sorry."),)), "violates r"),
        (Rule(id="r", pattern="(?:[a-z]{1,12} ){1,8}guarantee"), "holds back"),
    ],
)
def test_a_rule_that_cannot_hold_its_promise_is_refused(rule: Rule, says: str) -> None:
    with pytest.raises(RulesInvalid) as refused:
        compile_rules([rule])
    assert says in str(refused.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RulesInvalid) as refused:
        compile_rules([Rule(id="a", pattern="x*"), Rule(id="b", pattern="y+"), Rule(id="b", never=("c",))])
    assert [fault.rule_id for fault in refused.value.faults] == ["a", "b", "b"]


# -- what a business approves -----------------------------------------------------------------------------

PHONES = compile_rules(
    [Rule(id="phone", verify=Verify.PHONE, action=Action.REDACT)], phones=["+15550100001", "+82255500001"]
)


@pytest.mark.parametrize("text", ["555-010-0001", "+1 555 010 0001", "02-5550-0001", "call 15550100001 now"])
def test_our_own_numbers_may_be_spoken(text: str) -> None:
    assert whole(PHONES, text) == text


@pytest.mark.parametrize("text", ["555-010-0002", "+1 555 010 0009", "010-1234-5678"])
def test_numbers_of_others_may_not(text: str) -> None:
    assert "[removed]" in whole(PHONES, text)


def test_an_example_holds_whatever_is_approved() -> None:
    price = Rule(id="price", verify=Verify.PRICE, examples=Examples(("It is $49.",), ("It is cheap.",)))
    assert whole(compile_rules([price], approved=[parse_price("USD 49")]), "It is $49.") == "It is $49."
