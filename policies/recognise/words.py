"""Speech as the rules read it: small letters, contractions written out, one space between words."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WORD: Final = re.compile(r"[\w']+")
STOP: Final = re.compile(r"[,!?;:…—\n]+|(?<!\bmr)(?<!\bmrs)(?<!\bms)(?<!\bdr)\.+(?=\s|$)")
WRITTEN_OUT: Final = tuple(
    (re.compile(rf"\b(?:{short})\b"), long)
    for short, long in (
        (r"won'?t", "will not"),
        (r"can(?:'t|t|not)", "can not"),
        (r"ain'?t", "is not"),
        (r"(do|does|did|is|are|was|were|has|have|had|would|could|should|need|must)n'?t", r"\1 not"),
        (r"(i|you|we|they|he|she)'d", r"\1 would"),
        (r"id(?= (?:like|love|rather|prefer|appreciate)\b)", "i would"),
        (r"i'?m", "i am"),
        (r"(you|we|they)'re", r"\1 are"),
        (r"(you|they)re", r"\1 are"),
        (r"(i|you|we|they)'?ve", r"\1 have"),
        (r"(i|you|we|they|he|she|it|that)'ll", r"\1 will"),
        (r"(it|that|there|this|what|who|he|she|here|where|how)'s", r"\1 is"),
        (r"(that|what|there|it)s", r"\1 is"),
        (r"let'?s", "let us"),
        (r"wanna", "want to"),
        (r"gonna", "going to"),
        (r"gimme", "give me"),
        (r"lemme", "let me"),
    )
)


def plain(text: str) -> str:
    """No punctuation; an apostrophe stays only in a possessive, as a word of its own: `manager 's`."""
    said = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    for short, long in WRITTEN_OUT:
        said = short.sub(long, said)
    said = re.sub(r"'s\b", " 's", said)
    return " ".join(word for word in WORD.findall(said) if word.strip("'_"))


def sentences(text: str) -> tuple[str, ...]:
    """The parts that punctuation sets apart, each plain. Speech recognition may give none of it."""
    parts = map(plain, STOP.split(unicodedata.normalize("NFKC", text).casefold()))
    return tuple(part for part in parts if part)
