"""How many tokens a text costs at the most, without any vendor's tokenizer.

Vocabularies join letters into words, and little else. So words are counted by their length, signs one by one,
and what is rare by its bytes, more than which no byte-level vocabulary takes. Measured on o200k and cl100k:
no fact of ordinary text in English or Korean costs more than this; long names and random letters may.
"""

from __future__ import annotations

import math
import re
from typing import Final

LETTERS_PER_TOKEN: Final = 4  # of a word, rounded up; English words are 1.2 tokens on average
DIGITS_PER_TOKEN: Final = 2  # the larger vocabularies join three
PER_SYLLABLE: Final = 1.4  # Hangul, kana and kanji with the older vocabulary; 0.8 with the newer

RUN: Final = re.compile(
    r"(?P<joined>[ _]?(?P<word>[A-Za-z]+))"  # a word takes the sign in front of it along
    r"|(?P<digits>[0-9]+)"
    r"|(?P<cjk> ?[\u1100-\u11ff\u3040-\u9fff\uac00-\ud7a3]+)"
    r"|(?P<sign>[\x00-\x7f])"
    r"|(?P<rare>.)",
    re.DOTALL,
)


def estimate(text: str, factor: float = 1.0) -> int:
    """An upper bound; `factor` calibrates it to what a provider really counts (1.0: not calibrated)."""
    return math.ceil(sum(map(_cost, RUN.finditer(text))) * factor)


def _cost(run: re.Match[str]) -> float:
    match run.lastgroup:
        case "joined":
            return math.ceil(len(run["word"]) / LETTERS_PER_TOKEN)
        case "digits":
            return math.ceil(len(run[0]) / DIGITS_PER_TOKEN)
        case "cjk":
            return PER_SYLLABLE * len(run[0].lstrip(" "))
        case "sign":
            return 1
        case _:
            return len(run[0].encode("utf-8", "surrogatepass"))
