"""Is the caller asking who we are? It asks for nobody: it is answered truthfully, and no call is handed over.

Article 50 of Regulation (EU) 2024/1689 has people told that they talk to an AI: a plain question gets a plain
answer. The questions are in `identity.yaml`.
"""

from __future__ import annotations

from typing import Final

from policies.recognise.grammar import grammar
from policies.recognise.words import sentences

FORMS: Final = grammar("identity").forms


def asks_identity(text: str) -> bool:
    """ "Are you a robot?", "사람이에요 기계예요?"."""
    return any(form.pattern.search(said) for said in sentences(text) for form in FORMS)


def without_identity(said: str, instead: str = " ") -> str:
    """What is left to be read when that question is taken out. `said` is plain."""
    for form in FORMS:
        said = form.pattern.sub(instead, said)
    return said.strip()
