"""What the guard costs and holds back: µs a token warm and cold, beside json.dumps and a sentence buffer.

Run by `make bench-guard`. Rules are random combinations of the corpus' own commonest words, which is the
worst case for holding back. Read the ratios in one run, not the absolute figures.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from statistics import fmean

from policies.guard import packs
from policies.guard.book import Judge, Rulebook
from policies.guard.corpus import sentences
from policies.guard.guard import Allowed, Guard
from policies.guard.matcher import Matcher, Right, Search
from policies.guard.pattern import parse
from policies.guard.phrases import searches
from policies.guard.rulebook import compile_rules, parse_price
from policies.guard.rules import Rule, Verify

COUNTS = (10, 100, 1_000, 10_000)
REPEATS = 30  # of the corpus, for a figure that is warm
FIRST_CLAUSE = re.compile(r"[^,.!?]*[,.!?]")


def tokens(text: str) -> list[str]:
    """As a model's vocabulary would cut it: a word with its space, of Hangul two syllables."""
    return re.findall(r" ?[가-힣]{1,2}| ?[^\s가-힣]{1,5}|\s", text)


def literals(language: str, count: int, chance: random.Random) -> list[Search]:
    words = commonest(language)
    phrases = {" ".join(chance.sample(words, chance.randint(2, 4))) for _ in range(3 * count)}
    return [found for phrase in sorted(phrases)[:count] for found in list(searches("r", phrase))[:1]]


def patterns(language: str, count: int, chance: random.Random) -> list[Search]:
    words, found = commonest(language), []
    right = Right.WHOLE_SYLLABLE if language == "ko" else Right.NO_WORD
    for _ in range(count):
        a, b, c = (re.escape(chance.choice(words)).replace("\\ ", " ") for _ in range(3))
        found.append(Search("r", parse(f"{a} (?:{b}|{c})s? ?[a-z]{{1,3}}"), left=True, right=right))
    return found


def commonest(language: str) -> list[str]:
    """The 600 commonest words of the corpus."""
    counts: dict[str, int] = {}
    for sentence in sentences(language):
        for word in re.findall(r"\w+", sentence.lower()):
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))[:600]


def book(found: Sequence[Search]) -> Rulebook:
    return Rulebook(Matcher(found), None, {"r": Judge(Rule(id="r"), None, longest=False)}, False, "en")


def per_token(run: Callable[[str], object], texts: Sequence[Sequence[str]], times: int) -> float:
    """µs."""
    began = time.perf_counter()
    for _ in range(times):
        for text in texts:
            for token in text:
                run(token)
    return (time.perf_counter() - began) / (times * sum(map(len, texts))) * 1e6


def guarded(rules: Rulebook, texts: Sequence[Sequence[str]], times: int) -> float:
    """µs a token; one guard a text, as one reply has one."""
    began = time.perf_counter()
    for _ in range(times):
        for text in texts:
            guard = Guard(rules)
            for token in text:
                guard.feed(token)
            guard.finish()
    return (time.perf_counter() - began) / (times * sum(map(len, texts))) * 1e6


def delays(rules: Rulebook, texts: Sequence[Sequence[str]]) -> tuple[float, int, float]:
    """Tokens a character waits: the mean and the most; and the share of texts whose first clause waits."""
    waited: list[int] = []
    late = 0
    for text in texts:
        guard, released, arrived = Guard(rules), 0, list[int]()
        clause = FIRST_CLAUSE.match("".join(text))
        end = clause.end() if clause else len("".join(text))
        delay = 0
        for index, token in enumerate((*text, "")):
            arrived += [index] * len(token)
            rulings = guard.feed(token) if token else guard.finish()
            said = sum(len(ruling.text) for ruling in rulings if isinstance(ruling, Allowed))
            for position in range(released, min(released + said, len(arrived))):
                waited.append(index - arrived[position])
                if position == end - 1:
                    delay = waited[-1]
            released += said
        late += delay > 0
    return fmean(waited), max(waited), late / len(texts)


class SentenceBuffer:
    def __init__(self) -> None:
        self.held = ""

    def feed(self, token: str) -> str:
        self.held += token
        if self.held.rstrip().endswith((".", "!", "?")):
            released, self.held = self.held, ""
            return released
        return ""


def main() -> None:
    chance = random.Random(7)  # the same rules in every run
    for language in ("en", "ko"):
        texts = [tokens(sentence) for sentence in sentences(language)]
        dumps = per_token(
            lambda token: json.dumps({"type": "text", "token": token, "last": False}), texts, 20
        )
        buffer = per_token(SentenceBuffer().feed, texts, 20)
        print(f"\n{language}: {sum(map(len, texts))} tokens in {len(texts)} replies")
        print(f"  json.dumps of a frame {dumps:6.2f} µs/token   sentence buffer {buffer:5.2f} µs/token")
        print("  rules                 cold      warm   of json.dumps   held: mean  most")
        for name, make in (("literals", literals), ("patterns", patterns)):
            for count in COUNTS:
                rules = book(make(language, count, chance))
                cold = guarded(rules, texts, 1)
                warm = guarded(rules, texts, REPEATS)
                mean, most, _ = delays(rules, texts)
                times = f"{cold:9.2f} {warm:9.2f} {warm / dumps:14.2f}"
                print(f"  {name} {count:>6}  {times} {mean:14.3f} {most:5d}")
    everything = [rule for name in packs.NAMES for rule in packs.pack(name)]
    prices = [parse_price("USD 49"), parse_price("KRW 49000")]
    phrases_only = compile_rules([rule for rule in everything if rule.verify is None])
    full = compile_rules(everything, approved=prices)
    phones = compile_rules([*everything, Rule(id="phone", verify=Verify.PHONE)], approved=prices)
    print("\nshipped packs           held: mean  most   first clauses delayed")
    for language in ("en", "ko"):
        texts = [tokens(sentence) for sentence in sentences(language)]
        for name, rules in (("phrases", phrases_only), ("all packs", full), ("and phones", phones)):
            mean, most, late = delays(rules, texts)
            print(f"  {language} {name:<18} {mean:8.3f} {most:5d} {late:14.1%}")


if __name__ == "__main__":
    main()
