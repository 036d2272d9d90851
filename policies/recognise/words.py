"""Speech as the rules read it: small letters, contractions written out, one space between words."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TOKENS: Final = re.compile(r"[\w']+|[.,!?;:…—]")
WRITTEN_OUT: Final = (
    (re.compile(r"\bwon'?t\b"), "will not"),
    (re.compile(r"\bcan(?:'t|not)\b|\bcant\b"), "can not"),
    (re.compile(r"\bain'?t\b"), "is not"),
    (re.compile(r"\b(do|does|did|is|are|was|were|has|have|had|would|could|should|need|must)n'?t\b"), r"\1 not"),
    (re.compile(r"\b(i|you|we|they|he|she|it)'d\b|\b(i)d(?= (?:like|love|rather|prefer|appreciate))"), r"\1\2 would"),
    (re.compile(r"\b(i)'?m\b"), r"\1 am"),
    (re.compile(r"\b(you|we|they)'re\b|\b(you|they)re\b"), r"\1\2 are"),
    (re.compile(r"\b(i|you|we|they)'?ve\b"), r"\1 have"),
    (re.compile(r"\b(i|you|we|they|he|she|it|that)'ll\b"), r"\1 will"),
    (re.compile(r"\b(it|that|there|this|what|who|he|she|here|where|how)'?s\b"), r"\1 is"),
    (re.compile(r"\bwanna\b"), "want to"),
    (re.compile(r"\bgonna\b"), "going to"),
    (re.compile(r"\b(gimme|lemme)\b"), lambda found: f"{found[1][:-2]} me".replace("gim", "give").replace("lem", "let")),
)
