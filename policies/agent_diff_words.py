"""How a difference between two agent files is put into words, whatever section it is in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from policies.agent_crm import Secret
from policies.agent_values import Say

LONGEST = 160  # characters of a text that is shown
UNSET: tuple[object, ...] = (None, "", (), {})


def section(where: str, old: BaseModel, new: BaseModel, *, without: Iterable[str] = ()) -> Iterator[str]:
    """`key: old -> new`, for what has no words of its own. Sections of another kind differ as a whole."""
    if type(old) is not type(new):
        yield f"{where}: {shown(old)} -> {shown(new)}"
        return
    for name in type(old).model_fields:
        if name not in without:
            yield from value(f"{where}.{name}", getattr(old, name), getattr(new, name))


def value(where: str, before: object, after: object) -> Iterator[str]:
    """`where: old -> new`, as deep inside as the two are alike; nothing where they are the same."""
    match before, after:
        case _ if before == after:
            return
        case BaseModel(), BaseModel():
            yield from section(where, before, after)
        case dict(), dict():
            yield from entries(where, before, after)
        case tuple(), tuple() if len(before) == len(after) and all(isinstance(x, BaseModel) for x in before):
            for index, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from value(f"{where}[{index}]", one, other)
        case _:
            yield f"{where}: {shown(before)} -> {shown(after)}"


def entries(where: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """`key: old -> new` for each entry of a mapping, in the order of the files."""
    for name in dict.fromkeys((*old, *new)):
        yield from value(f"{where}.{name}", old.get(name), new.get(name))


def moved(
    what: str, old: Iterable[str], new: Iterable[str], gained: str, lost: str, *, quoted: bool = False
) -> Iterator[str]:
    """`what gained a, b.` and `what lost c.`: members of a list, in the order of the files."""
    before, after = tuple(old), tuple(new)
    for verb, names in (
        (gained, [name for name in after if name not in before]),
        (lost, [name for name in before if name not in after]),
    ):
        if names:
            yield f"{what} {verb} {', '.join(f'“{name}”' if quoted else name for name in names)}."


def shown(value: Any) -> str:  # any value of a section
    """A value as a reader knows it from the file."""
    match value:
        case _ if value in UNSET:
            return "not set"
        case Say(texts=texts):
            return "; ".join(f"{shown(text)}" + (f" ({tag})" if tag else "") for tag, text in texts)
        case str():
            words = " ".join(value.split())
            return f"“{words if len(words) <= LONGEST else words[: LONGEST - 1] + '…'}”"
        case Secret(variable=variable):
            return f"${{{variable}}}"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(map(shown, value))
        case BaseModel():
            names = [name for name in type(value).model_fields if name in value.model_fields_set]
            return ", ".join(f"{name} {shown(getattr(value, name))}" for name in names) or "not set"
        case dict():
            return ", ".join(f"{name}: {shown(each)}" for name, each in value.items())
        case _:
            return str(value)
