"""Release text that can no longer become a violation; block, mask or note the rest.

One guard judges one reply. What comes out depends on the text alone, not on how it is cut into tokens.
Nothing that belongs to a violation is ever released; nothing is held that no continuation could make one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

from policies.guard.book import EMPTY, Judge, Rulebook
from policies.guard.canaries import Canaries
from policies.guard.matcher import Hit, Matcher, State
from policies.guard.normalise import NORMAL, normalise
from policies.guard.rules import Action, Scope
from policies.guard.verify import Verifier
from policies.lines import lines

GUARD_ERROR: Final = "guard_error"
SENTENCE_ENDS: Final = frozenset(".!?…。？！")
REMEMBERED: Final = 200  # characters that were released, for canaries that arrive late


@dataclass(frozen=True, slots=True)
class Allowed:
    """May be spoken now."""

    text: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """`text` was planned and is not spoken; `say_instead` is. The reply is over."""

    rule: str
    text: str
    say_instead: str
    action: Action = Action.BLOCK


@dataclass(frozen=True, slots=True)
class Redacted:
    """For the record: `mask` was spoken in place of `text`, and is part of what was allowed."""

    rule: str
    text: str
    mask: str


@dataclass(frozen=True, slots=True)
class Noted:
    """For the record: a rule that only notes has found something. Told once a reply."""

    rule: str


Ruling = Allowed | Blocked | Redacted | Noted


@dataclass(frozen=True, slots=True, order=True)
class _Violation:
    """Raw positions, counted from the first character of the reply."""

    start: int
    end: int
    rule: str


class _Scanner:
    """One matcher on one text. A state is never changed, so going back is free."""

    __slots__ = ("ahead", "matcher", "registers", "state")

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.state = matcher.initial
        self.registers: tuple[int, ...] = ()
        self.ahead: tuple[State, tuple[int, ...]] = (self.state, self.registers)

    def passes(self, text: str, at: int) -> bool:
        """Look ahead at a piece: True when nothing is found in it. `ahead` is then where it leads."""
        state, registers, leap = self.state, self.registers, self.matcher.leap
        for raw in text:
            state, keep, hit, old = state.leaps.get(raw) or leap(state, raw)
            if hit:
                return False
            if keep:
                registers = tuple([registers[k] if k < old else at for k in keep])
            elif registers:
                registers = ()
            at += 1
        self.ahead = (state, registers)
        return True

    def go_ahead(self) -> None:
        self.state, self.registers = self.ahead

    def read(self, raw: str, at: int) -> list[tuple[Hit, int, int]]:
        """Read one raw character: what was found, from where to where."""
        found: list[tuple[Hit, int, int]] = []
        for char in NORMAL[raw]:
            state, keep, hits, old = self.state.steps.get(char) or self.matcher.step(self.state, char)
            for hit in hits:
                start = self.registers[hit[1]] if hit[1] < old else at
                found.append((hit, start, max(at + hit[2], start + 1)))
            self.state = state
            self.registers = tuple([self.registers[k] if k < old else at for k in keep])
        return found

    def end(self, at: int) -> list[tuple[Hit, int, int]]:
        found = [(hit, self.registers[hit[1]], at) for hit in self.matcher.at_end(self.state)]
        self.state, self.registers = self.matcher.initial, ()
        return found


class Guard:
    """`feed` text as it comes and `finish` at every end of a reply; after a block nothing is released."""

    def __init__(
        self,
        rulebook: Rulebook = EMPTY,
        language: str = "en-US",
        canaries: Canaries | None = None,
        permitted: Set[str] = frozenset(),
    ) -> None:
        """`permitted`: rules that do not apply now; looked at whenever one of them finds something."""
        self._book = rulebook
        self._permitted = permitted
        self._language = language
        self._canaries = canaries
        matchers = [rulebook.holding] + ([canaries.matcher] if canaries else [])
        self._scanners = [_Scanner(matcher) for matcher in matchers]
        self._past = ""  # what was judged last, while canaries may still arrive
        self._noting = _Scanner(rulebook.noting) if rulebook.noting else None
        self._text = ""  # the end of it is at `_at`, its start at the earliest that may still be judged
        self._base = 0  # the first character that is still held
        self._at = 0  # the end of what was fed
        self._candidates: dict[tuple[int, str], int] = {}  # by start and rule, the longest end
        self._settled: dict[str, int] = {}  # by rule: where its last settled candidate ended
        self._spans: list[_Violation] = []  # to be masked
        self._masked_to = -1
        self._sentence = 0  # where the sentence began, for rules that replace whole sentences
        self._last = " "
        self._noted_rules: set[str] = set()
        self._plain = not (rulebook.by_sentence or rulebook.noting)
        self._over = False

    @property
    def held(self) -> int:
        """How many characters are held back now."""
        return self._at - self._base

    def arm(self, canaries: Canaries | None) -> tuple[Ruling, ...]:
        """The caller's values have arrived in the middle of a reply: from here on none of them is completed.

        What was released before cannot be taken back; a value that had begun in it goes no further.
        """
        if self._over or canaries is None or canaries is self._canaries:
            return ()
        self._canaries = canaries
        try:
            return tuple(self._arm(canaries.matcher))
        except Exception:  # noqa: BLE001  - fail closed: words that could not be judged are not spoken
            return (self._broken(""),)

    def feed(self, text: str) -> tuple[Ruling, ...]:
        if self._over or not text:
            return ()
        try:
            if self._plain and self._passes(text):
                return self._passed(text)
            return tuple(self._feed(text))
        except Exception:  # noqa: BLE001  - fail closed: words that could not be judged are not spoken
            return (self._broken(text),)

    def finish(self) -> tuple[Ruling, ...]:
        """The reply is complete: what was held is judged and released."""
        if self._over:
            return ()
        try:
            return tuple(self._finish())
        except Exception:  # noqa: BLE001  - fail closed, as above
            return (self._broken(""),)

    def _broken(self, text: str) -> Blocked:
        self._over = True
        planned = self._text[self._base - self._at + len(self._text) :] + text
        return Blocked(GUARD_ERROR, planned, lines(self._language).not_said, Action.HANDOFF)

    def _arm(self, matcher: Matcher) -> Iterator[Ruling]:
        scanner = _Scanner(matcher)
        read = self._past + self._text
        begin = self._at - len(read)
        found = [hit for index, raw in enumerate(read) for hit in scanner.read(raw, begin + index)]
        self._scanners.append(scanner)
        if violation := self._decide(found):
            yield from self._block(violation, "")

    def _forget(self, count: int) -> None:
        """The first characters of the text are judged; some are remembered for late canaries."""
        if self._canaries is None:
            self._past = (self._past + self._text[:count])[-REMEMBERED:]
        self._text = self._text[count:]

    def _feed(self, text: str) -> Iterator[Ruling]:
        yield from self._note(text)
        for index, raw in enumerate(text):
            self._text += raw
            found = [each for scanner in self._scanners for each in scanner.read(raw, self._at)]
            self._at += 1
            if violation := self._decide(found):
                yield from self._block(violation, text[index + 1 :])
                return
            if self._book.by_sentence:
                if raw.isspace() and self._last in SENTENCE_ENDS:
                    self._sentence = self._at
                self._last = raw
        yield from self._release(self._limit())

    def _passes(self, text: str) -> bool:
        """Is nothing found in this piece, and nothing of what came before still to be judged?"""
        if self._candidates or self._spans:
            return False
        return all(scanner.passes(text, self._at) for scanner in self._scanners)

    def _passed(self, text: str) -> tuple[Ruling, ...]:
        """The short way of nearly every token: release all but what is live."""
        end = self._at = live = self._at + len(text)
        for scanner in self._scanners:
            scanner.go_ahead()
            if scanner.registers and scanner.registers[0] < live:
                live = scanner.registers[0]
        held = self._text = self._text + text if self._text else text
        if live <= self._base:  # earlier, where what was masked may be the start of something longer
            return ()
        offset = end - len(held)
        spoken = held[self._base - offset : live - offset]
        self._base = live
        self._forget(live - offset)
        return (Allowed(spoken),)

    def _finish(self) -> Iterator[Ruling]:
        found = [each for scanner in self._scanners for each in scanner.end(self._at)]
        violation = self._decide(found)
        if self._noting:
            yield from self._noted(self._noting.end(self._at))
        if violation:
            yield from self._block(violation, "")
            return
        yield from self._release(self._at)
        self._sentence = self._at

    def _live(self) -> int:
        """The earliest start of what may still become a violation."""
        return min(
            (scanner.registers[0] for scanner in self._scanners if scanner.registers), default=self._at
        )

    def _limit(self) -> int:
        return min(self._live(), self._sentence) if self._book.by_sentence else self._live()

    # -- deciding ----------------------------------------------------------------------------------------

    def _judge(self, rule: str) -> Judge | None:
        """None for a canary, which needs no judging."""
        return self._book.judges.get(rule)

    def _decide(self, found: Sequence[tuple[Hit, int, int]]) -> _Violation | None:
        """The violation that ends the reply, if this character decided one; masks are kept for later."""
        violations: list[_Violation] = []
        for (search, _, _), start, end in found:
            if search.rule in self._permitted:
                continue
            judge = self._judge(search.rule)
            if judge and judge.verify and judge.longest:
                key = (start, search.rule)
                self._candidates[key] = max(end, self._candidates.get(key, end))
            elif judge is None or judge.verify is None or self._violates(judge.verify, start, end):
                violations.append(_Violation(start, end, search.rule))
        violations += self._settle()
        cutting: list[_Violation] = []
        for violation in violations:
            judge = self._judge(violation.rule)
            if judge and judge.rule.action is Action.REDACT:
                self._spans.append(violation)
            else:
                cutting.append(violation)
        return min(cutting, default=None)

    def _settle(self) -> Iterator[_Violation]:
        """Candidates whose longest end is known: no live start is as early, and waiting for that is free."""
        live = self._live()
        for start, rule in sorted(self._candidates):
            if live <= start:
                return
            end = self._candidates.pop((start, rule))
            if start < self._settled.get(rule, -1):
                continue  # inside an earlier candidate: "nine dollars" of "forty nine dollars"
            self._settled[rule] = end
            judge = self._book.judges[rule]
            if judge.verify is None or self._violates(judge.verify, start, end):
                yield _Violation(start, end, rule)

    def _violates(self, verify: Verifier, start: int, end: int) -> bool:
        """A verifier that fails means a violation."""
        offset = self._at - len(self._text)
        try:
            return verify(normalise(self._text[start - offset : end - offset]))
        except Exception:  # noqa: BLE001  - fail closed: what could not be verified is not spoken
            return True

    # -- speaking ----------------------------------------------------------------------------------------

    def _release(self, limit: int) -> Iterator[Ruling]:
        """Everything before `limit`, masks in the place of what was found."""
        if limit <= self._base and not self._spans:
            return
        spoken: list[str] = []
        noted: list[Redacted] = []
        offset = self._at - len(self._text)
        mask = self._book.mask(self._language)
        waiting: list[_Violation] = []
        for span in sorted(self._spans):
            if span.start >= limit and span.start >= self._masked_to:
                waiting.append(span)
                continue
            if span.start >= self._masked_to:
                spoken += [self._text[self._base - offset : span.start - offset], mask]
                noted.append(Redacted(span.rule, self._text[span.start - offset : span.end - offset], mask))
            self._masked_to = max(self._masked_to, span.end)
            self._base = max(self._base, min(self._masked_to, self._at))
        self._spans = waiting
        if limit > self._base:
            spoken.append(self._text[self._base - offset : limit - offset])
            self._base = limit
        self._forget(max(0, min(self._base, self._live()) - offset))
        yield from noted
        if words := "".join(spoken):
            yield Allowed(words)

    def _block(self, violation: _Violation, rest: str) -> Iterator[Ruling]:
        """The reply ends before the violation, or before the oldest thing that might have become one."""
        cut = min(violation.start, self._live())
        judge = self._judge(violation.rule)
        if judge and judge.rule.scope is Scope.SENTENCE:
            cut = min(cut, self._sentence)
        yield from self._release(max(cut, self._base))
        self._over = True
        action = judge.rule.action if judge else Action.BLOCK
        instead = self._book.say_instead(violation.rule, self._language)
        planned = self._text[self._base - self._at + len(self._text) :] + rest
        yield Blocked(violation.rule, planned, instead, action)

    def _note(self, text: str) -> Iterator[Ruling]:
        if self._noting is None:
            return
        for index, raw in enumerate(text):
            yield from self._noted(self._noting.read(raw, self._at + index))

    def _noted(self, found: Sequence[tuple[Hit, int, int]]) -> Iterator[Ruling]:
        for (search, _, _), _, _ in found:
            if search.rule not in self._noted_rules:
                self._noted_rules.add(search.rule)
                yield Noted(search.rule)


def judge(
    rulebook: Rulebook | None, text: str, language: str, canaries: Canaries | None = None
) -> tuple[Ruling, ...]:
    """A whole text at once: a line of our own, or an example."""
    guard = Guard(rulebook or EMPTY, language, canaries)
    return (*guard.feed(text), *guard.finish())
