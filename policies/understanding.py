"""Was the caller understood? A score and its signals, derived: ConversationRelay reports no confidence.

No signal is certain by itself. Two independent ones in a turn count, or one in each of two turns running;
then we ask again for what is missing, offer the keypad, and get a person.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import pairwise
from math import prod
from typing import Final

from policies.agent_conversation import Understanding as Rules
from policies.language import OTHER_SCRIPTS, detect
from policies.lines import lines
from policies.recovery import ALIKE, ANSWERS, HANGUL, Move, likeness, plain, tells_something
from policies.vocabulary import EscalationReason

EARLY: Final = 0.7  # seconds of our speech; cut so soon, it answered something else
GARBLED: Final = 0.3  # share of an utterance that is no language
REVISED: Final = 0.5  # words taken back while the caller spoke, against those that stayed


class Signal(StrEnum):
    """What makes us doubt that we understood."""

    EMPTY_OR_FILLER = "empty_or_filler"
    WRONG_SCRIPT = "wrong_script"
    GARBLE = "garble"
    CHURN = "churn"
    CORRECTION = "correction"
    NEAR_DUPLICATE = "near_duplicate"
    EARLY_INTERRUPT = "early_interrupt"
    MODEL_REPORT = "model_report"


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn of the caller, with what was seen around it."""

    text: str = field(repr=False)
    languages: tuple[str, ...]  # tags of the agent file
    partials: tuple[str, ...] = field(default=(), repr=False)  # of this prompt, in order
    before: tuple[str, ...] = field(default=(), repr=False)  # the caller's last turns, the latest last
    interrupted_after: float | None = None  # seconds of our speech that were played before it was cut
    understood: bool = True  # as the model reported of the turn before
    invited: bool = False  # we had asked to hear it again: then the same again is no sign of anything


@dataclass(frozen=True, slots=True)
class Assessment:
    """`score` from 0 (nothing was understood) to 1."""

    score: float
    signals: tuple[Signal, ...]


# What remains of the score. Signals in one row have one cause and count once. One alone leaves at least 0.5,
# two of different rows less: with `clarify_below: 0.5` it takes two.
REMAINS: Final = (
    {Signal.EMPTY_OR_FILLER: 0.5, Signal.WRONG_SCRIPT: 0.5, Signal.GARBLE: 0.5},
    {Signal.CORRECTION: 0.6, Signal.NEAR_DUPLICATE: 0.65},
    {Signal.CHURN: 0.7},
    {Signal.EARLY_INTERRUPT: 0.7},
    {Signal.MODEL_REPORT: 0.5},
)


def assess(heard: Heard) -> Assessment:
    """The score of one turn, and why."""
    signals = tuple(signal for signal in Signal if _shows(signal, heard))
    causes = (min((row[each] for each in signals if each in row), default=1.0) for row in REMAINS)
    return Assessment(prod(causes), signals)


def _shows(signal: Signal, heard: Heard) -> bool:
    match signal:
        case Signal.EMPTY_OR_FILLER:
            return empty_or_filler(heard.text)
        case Signal.WRONG_SCRIPT:
            return wrong_script(heard.text, heard.languages)
        case Signal.GARBLE:
            return garble(heard.text) >= GARBLED
        case Signal.CHURN:
            return churn(heard.partials, heard.text) >= REVISED
        case Signal.CORRECTION:
            return corrects(heard.text)
        case Signal.NEAR_DUPLICATE:
            return not heard.invited and repeats(heard.text, heard.before)
        case Signal.EARLY_INTERRUPT:
            return heard.interrupted_after is not None and heard.interrupted_after < EARLY
        case Signal.MODEL_REPORT:
            return not heard.understood


class Failures:
    """Failures of understanding in one call, and what each leads to.

    The first is asked again, the last one that is allowed is spelled by keypad, the next gets a person, for
    `Failures.reason`. Two turns running without a signal forget them.
    """

    reason: Final = EscalationReason.LOW_UNDERSTANDING

    def __init__(self, rules: Rules) -> None:
        self._below = rules.clarify_below
        self._allowed = rules.failures_before_handoff
        self._spell = rules.spell_by_keypad
        self._before = 1.0  # the score of the turn before
        self._clean = 0
        self.count = 0

    def turn(self, assessed: Assessment) -> Move | None:
        """None: answer. Else CLARIFY (say `reask`), KEYPAD (say `spell_by_keypad`) or HANDOFF."""
        failed = bool(assessed.signals) and assessed.score * self._before < self._below
        self._before = assessed.score
        self._clean = 0 if assessed.signals else self._clean + 1
        if self._clean == 2:
            self.count = 0
        if not failed:
            return None
        self.count += 1
        if self.count > self._allowed:
            return Move.HANDOFF
        return Move.KEYPAD if self._spell and 1 < self.count == self._allowed else Move.CLARIFY


def reask(assessed: Assessment, language: str, nth: int) -> str:
    """The question for what is missing, in the words for what went wrong; `nth` (from 0) changes them."""
    ours = lines(language)
    match assessed.signals[:1]:
        case (Signal.EMPTY_OR_FILLER,):
            known = ours.reask_unheard
        case (Signal.WRONG_SCRIPT | Signal.GARBLE | Signal.CHURN,):
            known = ours.reask_unclear
        case _:
            known = ours.reask_mistaken
    return known[nth % len(known)]


# -- the line --------------------------------------------------------------------------------------------

LATE: Final = 1.5  # seconds that a chunk was played after its time
WINDOW: Final = 60.0  # seconds for which trouble is remembered
POOR: Final = 3  # points in the window
FAILING: Final = 6

BAD_LINE_INSTRUCTION: Final = (
    "The line is bad. Answer in one short sentence of plain words, ask for one thing at a time, and repeat "
    "back every name and number you heard."
)


class Condition(StrEnum):
    """How the line carries."""

    CLEAR = "clear"
    POOR = "poor"  # shorter sentences, and the keypad
    FAILING = "failing"  # better to call back


class BadLine:
    """The condition of one call's line, from late `tokensPlayed`, dropped sockets and churn."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()
        self._moved = Condition.CLEAR

    def played(self, now: float, *, late: float) -> None:
        """A chunk was reported as played, so many seconds after it should have been."""
        if late > LATE:
            self._points.append((now, 1))

    def dropped(self, now: float) -> None:
        """The socket was lost, and the call came back."""
        self._points.append((now, POOR))

    def turn(self, now: float, assessed: Assessment) -> None:
        """A turn of the caller: churn and garble are heard on a bad line."""
        if {Signal.CHURN, Signal.GARBLE} & set(assessed.signals):
            self._points.append((now, 1))

    def condition(self, now: float) -> Condition:
        while self._points and self._points[0][0] <= now - WINDOW:
            self._points.popleft()
        points = sum(count for _, count in self._points)
        if points >= FAILING:
            return Condition.FAILING
        return Condition.POOR if points >= POOR else Condition.CLEAR

    def instruction(self, now: float) -> str:
        """For the model; empty on a clear line."""
        return "" if self.condition(now) is Condition.CLEAR else BAD_LINE_INSTRUCTION

    def due(self, now: float) -> Move | None:
        """Once a call each: the keypad is offered on a poor line, a call back on a failing one."""
        match self.condition(now), self._moved:
            case Condition.FAILING, Condition.CLEAR | Condition.POOR:
                self._moved = Condition.FAILING
                return Move.CALLBACK
            case Condition.POOR, Condition.CLEAR:
                self._moved = Condition.POOR
                return Move.KEYPAD
            case _:
                return None


# -- the signals -----------------------------------------------------------------------------------------

FILLER: Final = re.compile(
    r"u+m+|u+h+|e+r+m?|h+m+|m+|a+h+|o+h+|e+h+|huh|like|so|well|you|know|i|mean|the|a|and|but"
    r"|음+|어+|으+음*|흠+|아+|에+|저+|저기|그+|그게|뭐|뭐지|그러니까|있잖아|있잖아요"
)
CORRECTION: Final = re.compile(
    r"^(?:(?:no|nope|sorry|well|but|wait|um|uh) )*"
    r"(?:i (?:just |already |actually )?(?:said|meant(?! to\b)|asked)\b|not \w+(?: \w+)? i (?:said|meant)\b)"
    r"|\b(?:thats|it is|its|this is) not what i (?:\w+ )?(?:said|asked|meant|want|need|asking)(?:ed)?\b"
    r"|\bi (?:didnt|did not) (?:say|mean|ask for) that\b"
    r"|\byou (?:misunderstood|misheard|got (?:it|that|me) wrong)\b"
    r"|\byou (?:dont|didnt|are not|arent) (?:understand|hear|listen)(?:ing)?\b"
    r"|^(?:no )?thats (?:wrong|not right|not correct)\b"
    r"|아니 ?(?:요|오)? ?(?:그게|그거|그건|그 말이|제 말은|내 말은)"
    r"|(?:그게|그거|그건|그 말이|그런 게|그런 뜻이) ?아니|(?:제|내) 말은|제가 말한 ?(?:건|것은|거는)"
    r"|(?:이라고|라고|다고) (?:말)?했(?:잖|는데|어요|습니다|다니까)"
    r"|잘못 ?(?:알아|들)|못 ?알아 ?들|말고요? .+(?:이요|라고요|라니까)"
)
ORDINARY_SIGNS: Final = frozenset(".,!?'\"’“”…-:;()%$€£₩&/@#+*~")


def empty_or_filler(text: str) -> bool:
    """Nothing that could be answered. A plain "네" or "okay" is an answer, and none of these."""
    return all(map(FILLER.fullmatch, plain(text, joint="").split()))


def corrects(text: str) -> bool:
    """ "No, I said …", "아니 그게 아니라": the caller takes back what we made of their words."""
    return CORRECTION.search(plain(text)) is not None


def repeats(text: str, before: Sequence[str]) -> bool:
    """The same as in one of the last two turns, and long enough to be no mere answer."""
    return tells_something(text) and any(likeness(earlier, text) >= ALIKE for earlier in before[-2:])


def wrong_script(text: str, languages: Sequence[str]) -> bool:
    """Written in a script of none of the agent's languages. One or two letters are a name or an accident."""
    letters = [char for char in text if char.isalpha()]
    spoken = {tag.casefold().partition("-")[0] for tag in languages}
    if len(letters) < 3:
        return False
    if _latin(text):  # brands are written so in any language
        return spoken <= OTHER_SCRIPTS.keys() and len(plain(text).split()) > 2
    return detect(text, next(iter(languages), "")) not in spoken


def churn(partials: Sequence[str], final: str) -> float:
    """Words the recogniser took back, against those of the final text.

    Partial prompts are cumulative and only the last word of each is expected to change: "later partials may
    correct earlier words". What counts is change before it.
    """
    settled = [plain(text).split() for text in (*partials, final)]
    back = sum(_taken_back(one, other) for one, other in pairwise(settled))
    return back / len(settled[-1]) if back > 1 and settled[-1] else float(back > 1)


def garble(text: str) -> float:
    """The share of the text that is no language: 0 for speech, near 1 for noise.

    It sees jamo alone, syllables that no Korean word has, words without a vowel or with letters that never
    meet, signs, and words in a loop. A wrong word that exists, the usual error, is none of these.
    """
    shown = text.split()
    if not shown:
        return 0.0
    loop = _looped([word for word in plain(text).split() if not FILLER.fullmatch(word)])
    signs = sum(not (char.isalnum() or char.isspace() or char in ORDINARY_SIGNS) for char in text)
    odd = sum(len(word) for word in shown if _odd(word.strip("".join(ORDINARY_SIGNS))))
    return max(loop, min(1.0, (odd + 2 * signs) / sum(map(len, shown))))


def _taken_back(partial: Sequence[str], after: Sequence[str]) -> int:
    kept = partial[:-1]  # the last word may still grow
    blocks = SequenceMatcher(None, kept, after, autojunk=False).get_matching_blocks()
    stayed = {at for block in blocks for at in range(block.a, block.a + block.size)}
    together = "".join(after)  # Korean words part and join while they are recognised
    return sum(
        at not in stayed and not (HANGUL.search(word) and word in together) for at, word in enumerate(kept)
    )


NO_VOWEL: Final = re.compile(
    r"(?!(?:mrs|hrs|nth|mph|sms|pdf|gps|dvd|ltd|pls|tvs|cds|vpn|hdmi|h?mm+|sh+|psst|brr+)$)[b-df-hj-np-tv-xz]{3,}",
    re.IGNORECASE,
)
CLUSTER: Final = re.compile(r"[b-df-hj-np-tv-xz]{6,}", re.IGNORECASE)
NEVER_MEET: Final = re.compile(  # in English words and in names that callers have
    r"q(?![u\W]|$)\w|[bfjkpvwxz]q|[bcdfgjkmpqsvwxz]x|[cdfghjklmnpqrstvwxyz]j(?=[b-df-hj-np-tv-xz])|j[b-df-hj-np-tv-z]"
    r"|v[bcfghjkmpqtwxz]|x[bdgjkmnrvz]|z[bcdfgjkmnpqrsvwx]|[bcdfghjkmpqvwx]z|w[jqvx]|f[vwxzk]|k[qvxzc]|p[qvxzj]"
    r"|g[qvxzjc]|b[kqxzgw]|c[bdfgjmnpvwx]|h[gjqvxz]|m[jqvxz](?!c)|[ui]{3}|a{3}|[eo]{4}",
    re.IGNORECASE,
)
JAMO: Final = re.compile(r"[\u3131-\u318e\u1100-\u11ff\ufffd]")


def _odd(word: str) -> bool:
    """Is this no word of English or Korean? Abbreviations are spelled in capitals; a name may be anything."""
    if JAMO.search(word):
        return True
    hangul = [char for char in word if "\uac00" <= char <= "\ud7a3"]
    if hangul:
        return sum(len(char.encode("euc_kr")) > 2 for char in hangul) * 3 >= len(hangul)
    if not word.isascii() or len(word) < 3 or (word.isupper() and len(word) <= 5):
        return False
    if any(char.isdigit() for char in word):
        return False
    return bool(NO_VOWEL.fullmatch(word) or CLUSTER.search(word) or NEVER_MEET.search(word))


def _looped(words: Sequence[str]) -> float:
    """A recogniser in a loop says the same few words over and over; people say digits and "no" so."""
    pairs = Counter(pairwise(word for word in words if word not in ANSWERS and not word.isdigit()))
    if pairs.total() < 5 or max(pairs.values()) < 3:
        return 0.0
    return 1.0 - len(pairs) / pairs.total()


def _latin(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return 2 * sum(char < "\u0250" for char in letters) > len(letters)
