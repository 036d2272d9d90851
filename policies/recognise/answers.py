"""Yes or no to an offer of ours, by the forms of `answers.yaml`."""

from __future__ import annotations

import re
from typing import Final

from policies.recognise.grammar import grammar
from policies.recognise.person import asks_for_person
from policies.recognise.words import plain

FORMS: Final = grammar("answers").forms
ASKS_BACK: Final = re.compile(r"\s*\w+\s*\?\s*")  # "네?" has not heard, or not understood


def consents(text: str) -> bool | None:
    """Yes or no; None: neither. Asking for a person is a yes to one."""
    if ASKS_BACK.fullmatch(text):
        return None
    if asks_for_person(text):
        return True
    said = plain(text)
    for form in FORMS:
        if form.pattern.search(said):
            return form.id.startswith("yes")
    return None
