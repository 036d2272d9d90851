"""Does the caller ask for a person? English by the forms of `person-en.yaml`; Korean beside it."""

from __future__ import annotations

import re
from typing import Final

from policies.recognise import person_ko
from policies.recognise.grammar import expression, grammar, read
from policies.recognise.identity import without_identity
from policies.recognise.words import sentences

FORMS: Final = grammar("person-en").forms
_DOCUMENT: Final = read("person-en")
TAKEN_BACK: Final = re.compile(expression(_DOCUMENT["taken_back"]))
ABOUT_WORDS: Final = re.compile(expression(_DOCUMENT["about_words"]))
NAMED: Final = re.compile(rf"\b{expression(_DOCUMENT['named'])}")
EMPTY: Final = re.compile(rf"\b{expression(_DOCUMENT['empty'])} ")
BREAK: Final = re.compile(rf" {expression(_DOCUMENT['breaks'])}(?= |$)")
WITHIN: Final = re.compile(rf"(?:^|\b{expression(_DOCUMENT['within'])})$")
SAID_TWICE: Final = re.compile(r"\b(\w+)(?: \1\b)+")


def clauses(sentence: str) -> list[str]:
    """Where one ends the next may begin with an order: "… but just get me an agent"."""
    text = SAID_TWICE.sub(r"\1", EMPTY.sub("", f"{sentence} ").strip())
    found, begins = [], 0
    for cut in BREAK.finditer(text):
        if not WITHIN.search(text[begins : cut.start()]):
            found.append(text[begins : cut.start()])
            begins = cut.end()
    found.append(text[begins:])
    bare = (re.sub(r"\b(?:please|just|also)(?: |$)", "", clause).strip() for clause in found)
    return [clause for clause in bare if clause]


def asks_for_person(text: str) -> bool:
    """An explicit request for a person: not the question who we are, no talk of people, no refusal of one."""
    return bool(form_of_request(text)) or bool(person_ko.form_of_request(text))


def form_of_request(text: str) -> str:
    """The id of the first form that an English utterance has; empty: it is no request."""
    for sentence in sentences(text):
        if not NAMED.search(sentence):
            continue
        said = without_identity(sentence)
        if ABOUT_WORDS.search(said):
            continue
        for clause in clauses(said):
            for form in FORMS:
                hits = form.pattern.finditer(clause)
                if any(not TAKEN_BACK.search(clause[: found.start()]) for found in hits):
                    return form.id
    return ""
