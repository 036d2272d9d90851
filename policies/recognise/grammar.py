"""Forms of speech as data: named parts, and forms made of them, each with examples that prove it.

A part or a form is a regular expression over plain words, or a list of alternatives; `{name}` is a part
declared above it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ruamel.yaml import YAML

PLACE: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Form:
    id: str
    pattern: re.Pattern[str]
    says: tuple[str, ...] = ()  # utterances that have this form


@dataclass(frozen=True, slots=True)
class Grammar:
    parts: Mapping[str, str]
    forms: tuple[Form, ...]

    def part(self, name: str) -> re.Pattern[str]:
        return re.compile(self.parts[name])


def read(name: str) -> Any:  # our own data, proven by the tests of the rules
    """One of the documents beside this module."""
    text = files("policies.recognise").joinpath(f"{name}.yaml").read_text("utf-8")
    return YAML(typ="safe", pure=True).load(text)


@cache
def grammar(name: str) -> Grammar:
    """Parts and forms of one document."""
    document = read(name)
    parts: dict[str, str] = {}
    for part, written in document["parts"].items():
        parts[part] = expression(written, parts)
    forms = tuple(
        Form(entry["id"], re.compile(expression(entry["form"], parts)), tuple(entry.get("says", ())))
        for entry in document["forms"]
    )
    return Grammar(parts, forms)


def expression(written: str | Sequence[str], parts: Mapping[str, str] | None = None) -> str:
    """One regular expression, its parts put in."""
    text = written if isinstance(written, str) else "|".join(written)
    return f"(?:{PLACE.sub(lambda found: (parts or {})[found[1]], text)})"
