"""How many tokens a text costs at the most, without any vendor's tokenizer."""

from __future__ import annotations

import math

ASCII_PER_TOKEN = 3.3  # measured on o200k and cl100k: English 3.8 to 4.1 characters a token
CJK_PER_TOKEN = 0.95  # Hangul 0.99 and kana 1.04 with the older vocabulary, 1.6 with the newer


def estimate(text: str, factor: float = 1.0) -> int:
    """An upper bound; `factor` calibrates it to what a provider really counts (1.0: not calibrated)."""
    plain = sum(map(str.isascii, text))
    cjk = sum(_cjk(char) for char in text)
    tokens = plain / ASCII_PER_TOKEN + cjk / CJK_PER_TOKEN + (len(text) - plain - cjk)
    return math.ceil(tokens * factor)


def _cjk(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff" or "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3"
