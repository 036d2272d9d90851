"""The packs that ship: complete, compilable alone and together, silent on ordinary speech."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.guard import linter, packs
from policies.guard.book import Rulebook
from policies.guard.canaries import arm
from policies.guard.guard import Guard, judge
from policies.guard.normalise import normalise
from policies.guard.rulebook import Price, compile_rules
from policies.guard.rules import Action, Rule, Verify
from policies.lines import ENGLISH, KOREAN
from tests.policies.guard.texts import cut, in_pieces, spoken, whole

DATA = Path(__file__).parents[2] / "data"
COMMON = ("common-en", "common-ko", "pii")
FEWEST = {"en": 400, "ko": 300}
ARMED, _ = arm({"address": "12 Main Street, Springfield"}, ())

PARAPHRASES = {
    "common-en": """
        Of course I'm human!
        I am a live agent here in Texas.
        I'm not an AI, I work here.
        You're chatting with a human.
        I guarantee it'll work.
        I can guarantee you a refund.
        You have my word.
        It is one hundred percent risk free.
        I promise that it will never happen again.
        There is absolutely no chance it fails.
        Nothing can go wrong.
        It will definitely be there by Friday.
        This was entirely our fault.
        We accept full liability.
        We will pay for all damages.
        You can take them to court.
        You're legally entitled to compensation.
        You can write that off.
        You don't have to report it to the IRS.
        You should double your dose.
        You probably have the flu.
        You are such an idiot.
        What a dumb question.
        This is bullshit.
        I'll have you arrested.
        We'll take you to court.
        You should kill yourself.
        What is your PIN?
        Can you give me your credit card number please?
        I'll need you to confirm your password.
        Can I get the three digit security code?
        I was instructed to sell more.
        As a large language model, I can't.
        A manager will certainly approve that.
        I promise someone will call you.
        You people always complain.
        We don't rent to immigrants.""",
    "common-ko": """
        제가 사람이니까 믿으세요.
        저는 AI가 아니에요.
        100% 보장합니다.
        환불을 보장해 드리겠습니다.
        백프로 안전합니다.
        저희 회사 과실이 맞습니다.
        모든 손해를 배상하겠습니다.
        소송하시면 무조건 이깁니다.
        세금 신고 안 하셔도 됩니다.
        약은 이제 그만 드셔도 됩니다.
        복용량을 두 배로 늘리세요.
        당신은 정말 바보네요.
        입 닥쳐.
        경찰에 신고하겠습니다.
        월급을 압류하겠습니다.
        카드번호 불러 주세요.
        카드 번호와 유효기간을 말씀해 주세요.
        제 프롬프트에는 그렇게 적혀 있습니다.
        담당자가 반드시 연락드립니다.
        여자들은 운전을 못해요.""",
    "sales-en": """
        It's the cheapest on the market.
        You'll never find a better deal.
        We'll beat any quote.
        It's free for life.
        Your price will never go up.
        You get a lifetime guarantee.
        I'll give you an extra discount.
        I can waive the setup fee.
        I'll throw in a free month.
        If you don't sign up today, it's gone.
        This is your last chance to save.
        Your current provider is ripping you off.""",
    "sales-ko": """
        최저가 보장해 드립니다.
        평생 무료예요.
        가격은 절대 오르지 않습니다.
        평생 보증됩니다.
        제가 특별히 더 깎아 드릴게요.
        위약금은 면제해 드릴게요.
        지금 안 하시면 기회가 없어요.
        다른 회사는 전부 사기입니다.""",
    "finance-en": """
        I promise you'll make a profit.
        There's no way you can lose on this.
        The fund always goes up.
        We'll double your money.
        It's as safe as money in the bank.
        You will definitely be approved.
        You're pre-approved.
        Bad credit? No problem.
        This won't hurt your credit score.
        I got an insider tip.
        You should buy Bitcoin.""",
    "finance-ko": """
        원금은 100% 보장됩니다.
        무조건 돈을 법니다.
        손해 볼 일 없습니다.
        은행보다 안전합니다.
        100% 승인됩니다.
        신용 등급 상관없습니다.
        내부 정보에 따르면 오른대요.
        이 코인 사세요.""",
}


def rules(names: Sequence[str]) -> list[Rule]:
    return [rule for name in names for rule in packs.pack(name)]


def ordinary(language: str) -> list[str]:
    return (DATA / f"ordinary-agent-sentences-{language}.txt").read_text("utf-8").splitlines()


def lines(text: str) -> Iterator[str]:
    yield from filter(None, map(str.strip, text.splitlines()))


@pytest.fixture(scope="module")
def everything() -> Rulebook:
    return compile_rules(rules(packs.NAMES))


@pytest.fixture(scope="module")
def common() -> Rulebook:
    return compile_rules(rules(COMMON))


@pytest.mark.parametrize("name", packs.NAMES)
def test_a_pack_compiles_alone_and_its_examples_come_out_as_they_say(name: str) -> None:
    book = compile_rules(packs.pack(name), language="ko-KR" if name.endswith("ko") else "en-US")
    assert set(book.judges) == {rule.id for rule in packs.pack(name)}


@pytest.mark.parametrize("rule", rules(packs.NAMES), ids=lambda rule: rule.id)
def test_a_rule_is_complete(rule: Rule) -> None:
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", rule.id)
    assert rule.source in packs.NAMES
    assert rule.reason.endswith(".")
    assert len(rule.examples.violates) >= 2
    assert len(rule.examples.allowed) >= 2
    if rule.action is not Action.REDACT:
        assert {language for language, _ in rule.say} == {"en", "ko"}


def test_ids_are_unique_over_all_packs(everything: Rulebook) -> None:
    assert len(everything.judges) == len(rules(packs.NAMES))


def test_an_unknown_pack_is_answered_with_the_known_ones() -> None:
    with pytest.raises(packs.UnknownPack, match="'common-fr': choose from common-en, common-ko, sales-en"):
        packs.pack("common-fr")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_common_packs_are_silent_on_ordinary_sentences(
    common: Rulebook, language: str, record_property: Callable[[str, object], None]
) -> None:
    sentences = ordinary(language)
    alarms = {sentence: found for sentence in sentences if (found := linter.fired(common, sentence))}
    record_property(f"alarms-{language}", f"{len(alarms)} in {len(sentences)}")
    print(f"{language}: {len(alarms)} false alarms in {len(sentences)} sentences")  # noqa: T201
    assert len(set(sentences)) == len(sentences) >= FEWEST[language]
    assert alarms == {}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_other_packs_stop_only_an_amount_in_ordinary_sentences(
    everything: Rulebook, language: str
) -> None:
    found = {rule for sentence in ordinary(language) for rule in linter.fired(everything, sentence)}
    assert found <= {"unapproved-price", "unapproved-price-ko"}


@pytest.mark.parametrize("name", PARAPHRASES)
def test_a_claim_in_other_words_is_caught(name: str) -> None:
    language = name[-2:]
    book = compile_rules(rules([name, f"common-{language}"] if name != f"common-{language}" else [name]))
    assert [line for line in lines(PARAPHRASES[name]) if not linter.fired(book, line)] == []


def test_every_line_of_ours_may_be_spoken(everything: Rulebook) -> None:
    for ours in (ENGLISH, KOREAN):
        for line in (ours.not_said, ours.colleague, ours.apology, ours.trouble, ours.greeting):
            assert whole(everything, line) == line


def test_an_approved_amount_leaves_the_examples_of_the_price_rules_violating() -> None:
    approved = [Price("USD", Decimal(49)), Price("KRW", Decimal(49000)), Price("PCT", Decimal(10))]
    book = compile_rules(rules(["sales-en", "sales-ko"]), approved=approved)
    assert whole(book, "It's 49 dollars a month.") == "It's 49 dollars a month."
    assert "48" not in whole(book, "It's 48 dollars a month.")


def test_a_promise_spelled_out_or_disguised_is_caught(common: Rulebook) -> None:
    for disguise in ("s h u t u p", "shut\u200b up", "ｓｈｕｔ ｕｐ", "sh**ut** up", "shut-up"):
        assert linter.fired(common, f"Now {disguise}, please.") == {"insults-caller"}


def test_numbers_of_a_person_are_masked_and_items_are_not(common: Rulebook) -> None:
    assert whole(common, "Call (415) 555-0132 now.") == "Call [removed] now."
    assert whole(common, "카드는 4111-1111-1111-1111입니다.") == "카드는 [removed]입니다."
    for text in ("It is item 6700049080.", "It leaves on 2026-05-20 at 10:30.", "Order 20412 is here."):
        assert whole(common, text) == text


def test_the_packs_hold_back_no_more_than_a_clause_can_bear(common: Rulebook) -> None:
    """The last words of a sentence are spoken with its full stop."""
    held = 0
    sentences = ordinary("en") + ordinary("ko")
    for sentence in sentences:
        guard = Guard(common)
        guard.feed(sentence)
        held += guard.held > 0
    assert held / len(sentences) < 0.01


PIECES = st.sampled_from(
    [example for rule in rules(packs.NAMES) for example in (*rule.examples.violates, *rule.examples.allowed)]
    + [
        "four ",
        "I ",
        "guar",
        "antee ",
        "사",
        "람입니다 ",
        "4111 1111 ",
        "1111 1111 ",
        "$49",
        ".99 ",
        "12 Main ",
    ]
)


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(PIECES, min_size=1, max_size=3), at=st.lists(st.integers(0, 400), max_size=8))
def test_all_packs_together_do_not_depend_on_how_text_is_cut(
    everything: Rulebook, parts: list[str], at: list[int]
) -> None:
    text = " ".join(parts)
    assert in_pieces(everything, cut(text, at)) == whole(everything, text)
    assert spoken(judge(everything, text, "en-US", ARMED)) == _with_canary(everything, cut(text, at))


def _with_canary(book: Rulebook, pieces: Sequence[str]) -> str:
    guard = Guard(book, "en-US", ARMED)
    rulings = [ruling for piece in pieces for ruling in guard.feed(piece)]
    return spoken([*rulings, *guard.finish()])


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(PIECES, min_size=1, max_size=3))
def test_what_was_judged_passes_a_second_time(everything: Rulebook, parts: list[str]) -> None:
    once = whole(everything, " ".join(parts))
    assert whole(everything, once) == once


def test_a_list_of_alternatives_is_one_pattern() -> None:
    promises = next(rule for rule in packs.pack("common-en") if rule.id == "guarantees-result")
    assert "satisfaction guaranteed|" in promises.pattern
    assert "'" not in normalise(promises.pattern)


def test_the_numbers_pack_masks_and_never_blocks() -> None:
    assert {rule.action for rule in packs.pack("pii")} == {Action.REDACT}
    assert {rule.verify for rule in packs.pack("pii")} == {
        Verify.CARD,
        Verify.SSN,
        Verify.RRN,
        Verify.PHONE,
    }
