"""Rules compiled for calls. Every rule proves its own examples first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from policies.guard import corpus, linter, numbers, phrases
from policies.guard.book import Judge, Rulebook
from policies.guard.matcher import MOST_STEPS, Matcher, Right, Search, TooLarge
from policies.guard.normalise import is_word
from policies.guard.pattern import Chars, Choice, Node, PatternInvalid, Repeat, Row, parse
from policies.guard.phrases import PhraseInvalid
from policies.guard.rules import Action, Rule, RuleFault, Scope, Verify
from policies.guard.verify import (
    Price,
    Verifier,
    card,
    foreign_phone,
    parse_price,
    resident_registration,
    social_security,
    unapproved,
)

__all__ = ["Price", "RuleFault", "Rulebook", "RulesInvalid", "compile_rules", "parse_price"]


class RulesInvalid(Exception):
    """Mend the rules; `faults` lists all that is wrong with all of them."""

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def compile_rules(
    rules: Sequence[Rule],
    *,
    approved: Collection[Price] = (),
    phones: Collection[str] = (),
    language: str = "en-US",
    most_steps: int = MOST_STEPS,
) -> Rulebook:
    """`approved` prices and our own `phones` (E.164) may be spoken. Raises `RulesInvalid` with every fault.

    Takes tens of milliseconds. `most_steps` bounds the memory of each matcher, some 200 bytes a step.
    """
    faults: list[RuleFault] = []
    found: dict[str, list[Search]] = {}
    judges = {rule.id: _judge(rule, approved, phones) for rule in rules}
    strict = {rule.id: _judge(rule, (), ()) for rule in rules}  # examples do not depend on what is approved
    for rule in rules:
        if rule.id in found:
            faults.append(RuleFault(rule.id, "another rule has this id"))
            continue
        found[rule.id] = []
        try:
            found[rule.id] = list(_searches(rule))
            alone = _book([rule], found, judges, language)
            faults += linter.unproven(alone, _book([rule], found, strict, language), rule)
            if rule.pattern and (says := linter.outlier(found[rule.id])):
                faults.append(RuleFault(rule.id, says))
        except (PatternInvalid, PhraseInvalid, TooLarge) as error:
            faults.append(RuleFault(rule.id, str(error)))
    if faults:
        raise RulesInvalid(faults)
    try:
        book = _book(rules, found, judges, language, most_steps)
    except TooLarge as error:
        raise RulesInvalid([RuleFault("all", str(error))]) from error
    if unspeakable := list(linter.unspeakable(book, rules)):
        raise RulesInvalid(unspeakable)
    book.holding.warm(corpus.sentences(language))
    return book


def _book(
    rules: Sequence[Rule],
    found: Mapping[str, Sequence[Search]],
    judges: Mapping[str, Judge],
    language: str,
    most_steps: int = MOST_STEPS,
) -> Rulebook:
    """Raises `TooLarge`."""
    holding = [search for rule in rules if rule.action is not Action.LOG for search in found[rule.id]]
    noting = [search for rule in rules if rule.action is Action.LOG for search in found[rule.id]]
    return Rulebook(
        holding=Matcher(holding, most_steps),
        noting=Matcher(noting, most_steps) if noting else None,
        judges=judges,
        by_sentence=any(rule.scope is Scope.SENTENCE and rule.action is not Action.LOG for rule in rules),
        language=language,
    )


def _judge(rule: Rule, approved: Collection[Price], phones: Collection[str]) -> Judge:
    verifiers: Mapping[Verify, Verifier] = {
        Verify.CARD: card,
        Verify.SSN: social_security,
        Verify.RRN: resident_registration,
        Verify.PHONE: foreign_phone(phones),
        Verify.PRICE: unapproved(approved),
    }
    verify = verifiers[rule.verify] if rule.verify else None
    return Judge(rule, verify, rule.longest or rule.verify in numbers.LONGEST)


def _searches(rule: Rule) -> Iterator[Search]:
    if rule.pattern:
        node = parse(rule.pattern)
        if nullable(node):
            raise PatternInvalid("the pattern also matches nothing at all: make a part of it obligatory")
        for option in node.options if isinstance(node, Choice) else (node,):
            left, right = _edges(option)  # each for itself: one may begin in Hangul and the next in Latin
            yield Search(rule.id, option, left, right, rule.verify is not None)
    for phrase in rule.never:
        yield from phrases.searches(rule.id, phrase)
    if rule.verify and not rule.pattern:
        for pattern, left, right in numbers.PLACES[rule.verify]:
            yield Search(rule.id, parse(pattern), left, right, verified=True)
    if rule.action is Action.LOG and rule.verify:
        raise PatternInvalid("only notes, and keeps no text to verify: choose `action: redact` or `block`")
    if not (rule.pattern or rule.never or rule.verify):
        raise PatternInvalid("says nothing to look for: give `never`, `pattern` or `verify`")


def nullable(node: Node) -> bool:
    match node:
        case Row(parts):
            return all(map(nullable, parts))
        case Choice(options):
            return any(map(nullable, options))
        case Repeat(part, least, _):
            return least == 0 or nullable(part)
        case _:
            return False


def _edges(node: Node) -> tuple[bool, Right]:
    """A pattern, too, matches whole words: where it can begin or end with one, and no syllable is torn."""
    return any(map(_wordlike, _first(node))), _right(list(_last(node)))


def _right(last: Sequence[str | Chars]) -> Right:
    if any("\u1100" <= each <= "\u11ff" for each in last if isinstance(each, str)):
        return Right.WHOLE_SYLLABLE
    if last and all(each.isdigit() if isinstance(each, str) else _digits(each) for each in last):
        return Right.NO_DIGIT
    return Right.NO_WORD if any(map(_wordlike, last)) else Right.ANYTHING


def _digits(chars: Chars) -> bool:
    return chars == Chars(classes=(("d", False),)) or chars == Chars(ranges=(("0", "9"),))


def _wordlike(each: str | Chars) -> bool:
    return is_word(each) if isinstance(each, str) else "a" in each or "0" in each


def _first(node: Node) -> Iterator[str | Chars]:
    match node:
        case Row(parts):
            for part in parts:
                yield from _first(part)
                if not nullable(part):
                    return
        case Choice(options):
            for option in options:
                yield from _first(option)
        case Repeat(part):
            yield from _first(part)
        case _:
            yield node


def _last(node: Node) -> Iterator[str | Chars]:
    match node:
        case Row(parts):
            for part in reversed(parts):
                yield from _last(part)
                if not nullable(part):
                    return
        case Choice(options):
            for option in options:
                yield from _last(option)
        case Repeat(part):
            yield from _last(part)
        case _:
            yield node
