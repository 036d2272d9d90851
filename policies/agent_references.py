"""Names that have to agree across an agent file: intents, destinations, and the class of each field.

They are checked on the document as it was read, so that they are told beside all the other faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final

from policies.agent_context import OTHER
from policies.agent_destinations import ALWAYS_THERE, BACK_TO_US
from policies.agent_faults import suggestion
from policies.yaml_lines import Document, Fault, Path, Value, key_text

ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Use:
    """Where names stand: a text, texts in a list, or the keys of a mapping. `ANY` is every key or item."""

    at: tuple[str, ...]
    declared: tuple[str, ...]
    besides: Set[str]


INTENTS: Final = ("intents",)
DESTINATIONS: Final = ("handoff", "destinations")
USES: Final = (
    Use(("context", "conditional", ANY, "when", "intent"), INTENTS, {OTHER}),
    Use(("handoff", "rules", "intents"), INTENTS, {OTHER}),
    Use(("handoff", "routes", ANY, "when", "intent"), INTENTS, {OTHER}),
    Use(("handoff", "routes", ANY, "to"), DESTINATIONS, ALWAYS_THERE),
    Use(("handoff", "destinations", ANY, "on_timeout"), DESTINATIONS, ALWAYS_THERE | {BACK_TO_US}),
    Use(("handoff", "hours", "closed"), DESTINATIONS, ALWAYS_THERE),
    Use(("evaluation", "rollout", "else"), DESTINATIONS, ALWAYS_THERE),
)


def undeclared(document: Document) -> Iterator[Fault]:
    """Every name that nobody declares, and every declaration of a name that is taken."""
    for use in USES:
        declared = [str(path[-1]) for path, _ in _at(document.value, (*use.declared, ANY))]
        for path, name in _names(document.value, use.at):
            if name not in declared and name not in use.besides:
                says = f"{name!r} is not declared in `{'.'.join(use.declared)}`"
                known = [*declared, *sorted(use.besides)]
                yield Fault(document.line(path), key_text(path), says + suggestion(name, known))
    for path, _ in _at(document.value, (*INTENTS, OTHER)):
        says = "stands for every intent that is not declared: choose another name"
        yield Fault(document.line(path), key_text(path), says)


def in_two_classes(document: Document) -> Iterator[Fault]:
    """A field is in one class only: which one would win is not for the reader to guess."""
    seen: dict[str, str] = {}
    for kind in ("must", "conditional", "policy", "never"):
        found = _names(document.value, ("context", kind))
        named = _names(document.value, ("context", kind, ANY, "name")) if kind == "never" else ()
        for path, name in (*found, *named):
            if name in seen:
                says = f"{name!r} is already in `{seen[name]}`: a field is in one class only"
                yield Fault(document.line(path), key_text(path), says)
            seen.setdefault(name, kind)


def _names(value: Value, at: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for path, found in _at(value, at):
        match found:
            case str():
                yield path, found
            case dict():
                yield from (((*path, name), name) for name in found)
            case tuple():
                yield from (
                    ((*path, index), name) for index, name in enumerate(found) if isinstance(name, str)
                )


def _at(value: Value, at: tuple[str, ...]) -> Iterator[tuple[Path, Value]]:
    """What stands at a place, with its path; nothing where the document has another shape."""
    if not at:
        yield (), value
        return
    inner: dict[str | int, Value] = {}
    match value:
        case dict():
            inner = {key: each for key, each in value.items() if at[0] in (ANY, key)}
        case tuple() if at[0] == ANY:
            inner = dict(enumerate(value))
    for key, each in inner.items():
        for path, found in _at(each, at[1:]):
            yield (key, *path), found
