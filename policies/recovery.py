"""Recovery from silence and from circles: which step is due, and when. Told what happens, and the time.

ConversationRelay has no event for a caller who says nothing ("No-input / no-speech event: does not exist"),
so we count ourselves, from the end of what was spoken last.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Final

from policies.agent_conversation import Repeats as RepeatRules
from policies.agent_conversation import Rung
from policies.intents import features
from policies.lines import lines
from policies.vocabulary import EscalationReason

ALIKE: Final = 0.8  # likeness from which one utterance says the same as another
REMEMBERED: Final = 6  # utterances of each side; the same question much later is no circle
LONGEST_READ: Final = 240  # characters of an utterance that are compared
LONGEST_SPEECH: Final = 30.0  # seconds; a caller is not taken to speak for longer without a word reaching us

GO_ON_INSTRUCTION: Final = (
    "The caller only showed that they listen. Go on where you were cut off; say nothing of it again."
)
CLARIFY_INSTRUCTION: Final = (
    "The caller has been here before: what was said did not help. Do not repeat it. Say it in other, simpler "
    "words or from another side, then ask one short question about what is missing."
)


class Move(StrEnum):
    """What a recovery lane does."""

    SAY = "say"
    CLARIFY = "clarify"
    KEYPAD = "keypad"
    OFFER = "offer"  # a person
    CALLBACK = "callback"  # is offered
    HANDOFF = "handoff"
    END = "end"


@dataclass(frozen=True, slots=True)
class Climb:
    """One rung of the silence ladder that is due; `rung` counts from 1."""

    rung: int
    move: Move
    own: Rung

    def words(self, language: str) -> str:
        """The words of the file, else our own line for what the rung does."""
        if self.own.say:
            return self.own.say.in_language(language)
        ours = lines(language)
        match self.move:
            case Move.KEYPAD:
                return ours.keypad_offer
            case Move.OFFER:
                return ours.person_offer
            case Move.HANDOFF:
                return ours.colleague
            case Move.END:
                return ours.silence_goodbye
            case _:
                return ours.still_there if self.rung == 1 else ours.still_here


class Silence:
    """The silence ladder of one call. Telemetry is not told to it, so it never resets it.

    A handoff it asks for has the reason `Silence.reason`.
    """

    reason: Final = EscalationReason.SILENCE

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self._rungs = tuple(rungs)
        self._next = 0
        self._spoken: float | None = None  # what we say has ended by then; None: nothing yet
        self._heard: float | None = None  # and what the caller says
        self._working = False

    def speaking(self, until: float, *, filler: bool = False) -> None:
        """We speak, and are heard to the end by `until` at the latest. A filler is no answer yet."""
        self._spoken = until
        self._working = self._working and filler

    def spoke(self, now: float) -> None:
        """All we sent was played (`agentSpeaking off`), or thrown away (`interrupt`): the true end."""
        if self._spoken is not None:
            self._spoken = now

    def working(self) -> None:
        """An answer is being prepared: the caller waits for us, and is not asked whether they are there."""
        self._working = True

    def caller(self, now: float, *, talking: bool = False) -> None:
        """The caller spoke, or pressed a key. `talking`: and still speaks (`clientSpeaking on`).

        The count starts here too, for a noise may cut us and never become a prompt.
        """
        self._next = 0
        self._heard = now + LONGEST_SPEECH if talking else now

    @property
    def due_at(self) -> float | None:
        ends = [end for end in (self._spoken, self._heard) if end is not None]
        if self._working or not ends or self._next >= len(self._rungs):
            return None
        return max(ends) + self._rungs[self._next].after

    def due(self, now: float) -> Climb | None:
        """The rung that is due, once. The next counts from the end of what this one says."""
        if (due_at := self.due_at) is None or now < due_at:
            return None
        rung = self._rungs[self._next]
        self._next += 1
        self._spoken = now
        return Climb(self._next, Move(rung.then or Move.SAY), rung)


class Repeats:
    """Circles of one call: the caller asks the same again, or the agent answers the same again.

    At the configured count comes the configured move, and with the next one a person, for `Repeats.reason`.
    """

    reason: Final = EscalationReason.REPEATED_FAILURE

    def __init__(self, rules: RepeatRules) -> None:
        self._asked = _Circle(rules.caller_same_question, Move(rules.then))
        self._answered = _Circle(rules.agent_same_answer, Move(rules.then))

    def asked(self, text: str, *, invited: bool = False) -> Move | None:
        """The caller's turn, before it is answered. `invited`: we had asked to hear it again."""
        return None if invited else self._asked.again(text)

    def answered(self, text: str) -> Move | None:
        """A whole reply of the model; what is due then is done in the next turn. Fillers are not told."""
        return self._answered.again(text)


class _Circle:
    """How often each of the last utterances was said."""

    def __init__(self, most: int, then: Move) -> None:
        self._most = max(2, most)  # once is no repetition
        self._then = then
        self._said: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)

    def again(self, text: str) -> Move | None:
        if not tells_something(text):
            return None
        before = next((entry for entry in reversed(self._said) if likeness(entry[0], text) >= ALIKE), None)
        if before:
            self._said.remove(before)
        count = before[1] + 1 if before else 1
        self._said.append((text, count))
        if count < self._most:
            return None
        return self._then if count == self._most else Move.HANDOFF


# -- what is alike ---------------------------------------------------------------------------------------

WORD: Final = re.compile(r"\w+")
HANGUL: Final = re.compile(r"[\uac00-\ud7a3]")
MASKED: Final = re.compile(r"\[[^\]]*\]")  # what stands for keys in a record
PREFACE: Final = re.compile(  # how people introduce what they say again
    r"(?:(?:no|nope|yes|yeah|well|so|but|and|okay|ok|um+|uh+|er+m?|like|look|listen|hello|sorry|again|please"
    r"|(?:like|as) i(?: just| already)? said|i(?: just| already)? (?:said|ve said|asked|was asking|mean\w?)"
    r"|what i (?:said|asked|meant) (?:was|is)"
    r"|아니(?:요|오|야)?|그게 아니(?:라|고|라요)?|네|예|저기요?|그러니까요?|그니까|음+|어+|아+"
    r"|제 말은|내 말은|다시(?: 한 ?번)?(?: 말씀드리(?:면|는데))?|여보세요) )+"
)
VALUES: Final = re.compile(  # two utterances that differ in one of these do not say the same
    r"\d+"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty"
    r"|fifty|sixty|seventy|eighty|ninety|hundred|thousand|first|second|third|last|next"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|june|july|august|september"
    r"|october|november|december|today|tomorrow|yesterday|tonight|morning|noon|afternoon|evening"
    r"|without|instead)\b"
    r"|[월화수목금토일]요일|오늘|내일|모레|어제|오전|오후|아침|점심|저녁|다음 ?주|이번 ?주|다음 ?달|이번 ?달"
    r"|(?:열한|열두|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스무|[일이삼사오육칠팔구십백천만]+)"
    r" ?(?:시|분|월|개|명|원|년|주)"
)
NEGATION: Final = re.compile(
    r"\b(?:not|no|never|cannot|(?:do|does|did|ca|wo|is|are|was|were|has|have|had|could|would|should)nt)\b"
    r"|\b(?:안|못) ?(?=[가-힣])|않|없|말고"
)
QUESTION_WORDS: Final = re.compile(
    r"\b(?:who|what|when|where|why|how|which)\b|언제|어디|누구|누가|왜|어떻게|어떤|얼마|몇|무엇|뭐|뭘"
)
ANSWERS: Final = frozenset(  # said often, and rightly
    re.findall(
        r"\w+",
        "yes yeah yep no nope sure okay ok right correct exactly please thanks thank you very that "
        "thats fine good great is it alright all hello hi bye goodbye zero oh one two three four five six "
        "seven eight nine ten double "
        "네 예 응 아니 아니요 아니오 맞아요 맞습니다 맞아 그래요 그렇습니다 그렇죠 좋아요 "
        "좋습니다 괜찮아요 괜찮습니다 됐어요 알겠습니다 알겠어요 감사합니다 고맙습니다 여보세요 안녕하세요 "
        "공 영 일 이 삼 사 오 육 칠 팔 구",
    )
)
FEWEST_LETTERS: Final = 8
FEWEST_SYLLABLES: Final = 3
MOST_WORDS: Final = 4  # of a sign of listening
FOREIGN: Final = 0.6  # two words less alike than this are two words, and not one heard twice
LIGHT: Final = re.compile(  # Korean words that carry grammar only
    r"(?:되|돼|됩|될|됐|싶|있|같).*|(?:하고|하는|하려|해 ?주|주세|주실|주시|드리|것).*|[거건그이저좀].{0,2}"
    r"|해요|합니다|할게요|줘요?|제가|내가"
)

BACKCHANNELS: Final = {
    "en": re.compile(
        r"m+|m+h+m+|u+h+|u+h+u+h+|h+m+|u+m+|a+h+|o+h+|a+ha+|huh|ok|okay|k|yeah|yep|yup|right|sure|alright|gotcha"
        r"|isee|gotit|allright|ofcourse|good|great|fine|cool|nice|wow|really"
    ),
    "ko": re.compile(
        r"네+|예+|응+|음+|으+음+|흠+|어+|아+|아하|오+|엉|넵|넹|그래요?|그렇군요?|그렇죠|그쵸|그죠|맞아요|알겠어요|알겠습니다"
        r"|오케이|좋아요|아네|아예|네네|진짜요?|정말요?"
    ),
}


def backchannel(text: str, language: str = "") -> bool:
    """A sign of listening ("mm-hm", "네") and nothing else: said over our speech it is no turn.

    Over a question of ours it may be the answer; that is for the caller of this to know. "Yes" and "no" are
    always answers. `language` is a tag; without one, or with one we do not know, every language counts.
    """
    known = BACKCHANNELS.get(language.casefold().partition("-")[0])
    signs = (known, BACKCHANNELS["en"]) if known else tuple(BACKCHANNELS.values())
    words = plain(text, joint="").split()
    return 0 < len(words) <= MOST_WORDS and any(
        sign.fullmatch("".join(words)) or all(map(sign.fullmatch, words)) for sign in signs
    )


def tells_something(text: str) -> bool:
    """More than "yes", "네", digits or a sign of listening: only this can be said once too often."""
    words = plain(text).split()
    if all(word in ANSWERS or word.isdigit() for word in words):
        return False
    letters = "".join(words)
    syllables = len(HANGUL.findall(letters))
    return syllables >= FEWEST_SYLLABLES or (len(letters) >= FEWEST_LETTERS and len(words) > 1)


def likeness(one: str, other: str) -> float:
    """From 0 to 1: how much the one says the same as the other.

    By their letters, or by the words that carry meaning, whichever is more; 0 where they differ in a number,
    a day, a "not", a question word or in a whole word, however long the rest of it is.
    """
    first, second = _said(one), _said(other)
    meant, meant_too = features(first), features(second)
    if not first or not second or (meant and meant_too and meant.isdisjoint(meant_too)):
        return 0.0
    if set(VALUES.findall(first)) != set(VALUES.findall(second)):
        return 0.0
    if bool(NEGATION.search(first)) != bool(NEGATION.search(second)):
        return 0.0
    asks, asks_too = set(QUESTION_WORDS.findall(first)), set(QUESTION_WORDS.findall(second))
    if asks and asks_too and asks != asks_too:
        return 0.0
    if HANGUL.search(first) and HANGUL.search(second):
        return 0.0 if _other_word_in_korean(first, second) else _ratio(_jamo(first), _jamo(second))
    if _other_word(first.split(), second.split()):
        return 0.0
    return max(_ratio(first, second), _shared(meant, meant_too))


def plain(text: str, joint: str = " ") -> str:
    """Small letters and digits, one space between words; keyed digits of a record are left out.

    `joint` stands in for a hyphen, which parts two words or, in "mm-hm", none.
    """
    shown = MASKED.sub(" ", unicodedata.normalize("NFC", text)).casefold()
    shown = re.sub(r"['’]", "", shown).replace("-", joint)
    return " ".join(WORD.findall(shown))


def _said(text: str) -> str:
    shown = plain(text)[:LONGEST_READ]
    return shown[found.end() :] if (found := PREFACE.match(shown)) else shown


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one) + len(other)
    return 2 * len(one & other) / both if both else 0.0


def _other_word(one: Sequence[str], other: Sequence[str]) -> bool:
    """Does a word that carries meaning stand in the place of a different one?"""
    for kind, at, end, begin, stop in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "replace":
            here, there = " ".join(one[at:end]), " ".join(other[begin:stop])
            if features(here) and features(there) and _ratio(here, there) < FOREIGN:
                return True
    return False


def _other_word_in_korean(one: str, other: str) -> bool:
    """The same where words inflect at their end and may be written together: has each a word of its own?"""
    return bool(_own_words(one, other) and _own_words(other, one))


def _own_words(one: str, other: str) -> list[str]:
    """Words that carry meaning and whose beginning is nowhere in the other."""
    together = other.replace(" ", "")
    return [
        word
        for word in one.split()
        if len(word) > 1 and word[:2] not in together and not LIGHT.fullmatch(word)
    ]


def _jamo(text: str) -> str:
    return unicodedata.normalize("NFD", text.replace(" ", ""))
