"""Ordinary sentences of a service agent: they warm the automaton, and rules are measured on them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ko")


@cache
def sentences(language: str) -> tuple[str, ...]:
    """One sentence each; English for a language we have none of."""
    primary = language.casefold().partition("-")[0]
    name = f"corpus-{primary if primary in LANGUAGES else 'en'}.txt"
    return tuple(files("policies.guard").joinpath(name).read_text("utf-8").splitlines())
