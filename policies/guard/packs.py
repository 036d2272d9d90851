"""Rule packs that ship: what no business of a kind wants to hear from its agent, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ruamel.yaml import YAML

from policies.guard.rules import Action, Examples, Rule, Scope, Severity, Verify

NAMES: Final = ("common-en", "common-ko", "sales-en", "sales-ko", "finance-en", "finance-ko", "pii")


class UnknownPack(ValueError):
    """Name another pack."""


def known(name: str) -> str:
    """The name itself. Raises `UnknownPack`."""
    if name not in NAMES:
        raise UnknownPack(f"no pack is called {name!r}: choose from {', '.join(NAMES)}")
    return name


@cache
def pack(name: str) -> tuple[Rule, ...]:
    """The rules of one pack. Raises `UnknownPack`."""
    text = files("policies").joinpath("packs", f"{known(name)}.yaml").read_text("utf-8")
    document = YAML(typ="safe", pure=True).load(text)
    return tuple(_rule(entry, name) for entry in document["rules"])


def _rule(entry: Mapping[str, Any], source: str) -> Rule:  # our own data, proven by the tests of the packs
    examples: Mapping[str, Sequence[str]] = entry.get("examples", {})
    return Rule(
        id=entry["id"],
        never=tuple(entry.get("never", ())),
        pattern=_either(entry.get("pattern", "")),
        verify=Verify(entry["verify"]) if "verify" in entry else None,
        longest=entry.get("longest", False),
        action=Action(entry.get("action", "block")),
        scope=Scope(entry.get("scope", "cut")),
        say=tuple(entry.get("say", {}).items()),
        reason=entry["reason"],
        severity=Severity(entry["severity"]),
        examples=Examples(tuple(examples.get("violates", ())), tuple(examples.get("allowed", ()))),
        source=source,
    )


def _either(pattern: str | Sequence[str]) -> str:
    """One pattern; a pack may list its alternatives one a line."""
    return pattern if isinstance(pattern, str) else "|".join(pattern)
