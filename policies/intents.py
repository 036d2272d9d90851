"""What a caller wants, as one of the intents the agent file declares: recognised by its own examples.

A cautious reading before the model is asked: it opens facts that belong to an intent, and a wrong one costs a
fact that was not needed. An utterance that resembles no example has no intent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ALIKE = 0.5  # Sørensen-Dice coefficient of two sets of features, from which they count as alike
WORD = re.compile(r"\w+")
HANGUL = re.compile(r"[\uac00-\ud7a3]+")
EMPTY_WORDS = frozenset(
    re.findall(
        r"[\w']+",
        "a an and are at be can could do does for have hi hello how i i'd i'm in is it like me my need of on "
        "or please the to uh um want was we what when where which who will with would yes you your d m",
    )
)


@dataclass(frozen=True, slots=True)
class Intents:
    """The declared intents, each by the features of its examples."""

    examples: tuple[tuple[str, frozenset[str]], ...] = ()

    def recognise(self, utterance: str) -> str | None:
        """The intent whose example this utterance resembles most; of two alike, the one declared first."""
        said = features(utterance)
        best, likeness = None, 0.0
        for name, example in self.examples:
            alike = 1.0 if example <= said and len(example) > 1 else _dice(said, example)
            if alike > likeness:
                best, likeness = name, alike
        return best if likeness >= ALIKE else None


def declared(intents: Mapping[str, Iterable[str]]) -> Intents:
    """`intents` maps a name to example utterances; an example of empty words only says nothing."""
    found = [(name, features(example)) for name, examples in intents.items() for example in examples]
    return Intents(tuple((name, example) for name, example in found if example))


def features(text: str) -> frozenset[str]:
    """Words that carry meaning; of Hangul, which inflects at the end of a word, pairs of syllables."""
    found: set[str] = set()
    for word in WORD.findall(text.casefold()):
        if HANGUL.fullmatch(word):
            found.update(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif word not in EMPTY_WORDS:
            found.add(word)
    return frozenset(found)


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one) + len(other)
    return 2 * len(one & other) / both if both else 0.0
