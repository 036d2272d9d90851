"""Keys a caller pressed, out of any text that is kept: also when the agent reads them back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from policies.vocabulary import masked

SHORTEST = 4  # digits; a shorter run is any number
RUN = re.compile(r"\d(?:[\s.,-]{0,3}\d){3,}")


def without(keyed: Sequence[str], text: str) -> str:
    """Mask each run of digits that is part of what was keyed, or holds it. Digits respelt as words remain."""
    if not keyed:
        return text

    def mask(run: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", run[0])
        pressed = any(digits in keys or (len(keys) >= SHORTEST and keys in digits) for keys in keyed)
        return masked(digits) if pressed else run[0]

    return RUN.sub(mask, text)
