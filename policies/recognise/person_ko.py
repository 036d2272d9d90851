"""Does the caller ask for a person, in so many words? Korean, by the forms of `person-ko.yaml`."""

from __future__ import annotations

import re
from typing import Final

from policies.recognise.grammar import expression, grammar, read
from policies.recognise.identity import without_identity
from policies.recognise.words import sentences

FORMS: Final = grammar("person-ko").forms
NOT_OURS: Final = re.compile(expression(read("person-ko")["not_ours"]))
HANGUL: Final = re.compile(r"[\uac00-\ud7a3]")
ELSE: Final = "/"  # stands for what was taken out, so that its neighbours do not become one word


def form_of_request(text: str) -> str:
    """The id of the first form that a Korean utterance has; empty: it is no request."""
    for sentence in sentences(text):
        if not HANGUL.search(sentence):
            continue
        said = NOT_OURS.sub(ELSE, without_identity(sentence, ELSE).replace(" ", ""))
        for form in FORMS:
            if form.pattern.search(said):
                return form.id
    return ""
