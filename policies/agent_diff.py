"""What changed between two agent files, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from policies.agent_context import Context
from policies.agent_file import AgentFile
from policies.agent_guard import OwnRule
from policies.agent_values import Say


def differences(old: AgentFile, new: AgentFile) -> list[str]:
    """A sentence a change, in the order of the file; empty when nothing changed but comments and spacing."""
    return [
        *_section("agent", old.agent, new.agent),
        *_intents(old, new),
        *_section("voice", old.voice, new.voice),
        *_models(old, new),
        *_context(old.context, new.context),
        *_guard(old, new),
        *_section("compliance", old.compliance, new.compliance),
    ]


def _section(where: str, old: BaseModel, new: BaseModel) -> Iterator[str]:
    """Field by field, for sections without words of their own."""
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        key = f"{where}.{name}"
        if isinstance(before, BaseModel) and type(before) is type(after):
            yield from _section(key, before, after)
        elif before in (None, "", (), {}):
            yield f"{key} is now {shown(after)}."
        elif after in (None, "", (), {}):
            yield f"{key} was {shown(before)}, and is no longer set."
        else:
            yield f"{key} changed from {shown(before)} to {shown(after)}."


def shown(value: Any) -> str:  # any value of a section
    match value:
        case Say(texts=texts):
            return "; ".join(f"“{text}”" + (f" ({tag})" if tag else "") for tag, text in texts)
        case str():
            words = " ".join(value.split())
            return f"“{words if len(words) <= 120 else words[:117] + '…'}”"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(map(shown, value)) or "nothing"
        case BaseModel():
            return ", ".join(
                f"{name} {shown(getattr(value, name))}" for name in sorted(value.model_fields_set)
            )
        case dict():
            return ", ".join(f"{name}: {shown(each)}" for name, each in value.items()) or "nothing"
        case _:
            return str(value)


def _added(what: str, old: Sequence[str], new: Sequence[str], gained: str, lost: str) -> Iterator[str]:
    if names := [name for name in new if name not in old]:
        yield f"{what} {gained} {', '.join(names)}."
    if names := [name for name in old if name not in new]:
        yield f"{what} {lost} {', '.join(names)}."


def _intents(old: AgentFile, new: AgentFile) -> Iterator[str]:
    yield from _added(
        "The agent",
        list(old.intents),
        list(new.intents),
        "now knows the intent",
        "no longer knows the intent",
    )
    for name in old.intents.keys() & new.intents.keys():
        yield from _section(f"intents.{name}", old.intents[name], new.intents[name])


def _models(old: AgentFile, new: AgentFile) -> Iterator[str]:
    before, after = ([f"{entry.provider} {entry.model}".strip() for entry in file.llm] for file in (old, new))
    if before != after:
        yield f"The models are now {', then '.join(after)}; they were {', then '.join(before)}."
        return
    for index, (one, other) in enumerate(zip(old.llm, new.llm, strict=True)):
        yield from _section(f"llm[{index}]", one, other)


def _classes(context: Context) -> dict[str, str]:
    """Each field with what may be done with it, in words."""
    found = dict.fromkeys(context.must, "always enters what the model may see")
    found |= {
        name: f"enters when {shown(each.when) or 'nothing is asked'}"
        for name, each in context.conditional.items()
    }
    found |= dict.fromkeys(context.policy, "is for rules only, and the model never sees it")
    found |= {
        each.name: "is never fetched" if not each.canary else "is held only so that it is never spoken"
        for each in context.never
    }
    return found


def _context(old: Context, new: Context) -> Iterator[str]:
    before, after = _classes(old), _classes(new)
    for name in dict.fromkeys((*before, *after)):
        match before.get(name), after.get(name):
            case one, other if one == other:
                continue
            case None, other:
                yield f"The field {name} is new: it {other}."
            case one, None:
                yield f"The field {name} no longer enters any class (before, it {one})."
            case one, other:
                yield f"The field {name} now {other} (before, it {one})."
    for name in ("crm", "budget", "on_missing", "free_text", "sources"):
        one, other = getattr(old, name), getattr(new, name)
        if one != other:
            yield f"context.{name} changed from {shown(one)} to {shown(other)}."


def _guard(old: AgentFile, new: AgentFile) -> Iterator[str]:
    packs, packs_now = (file.guard.packs_for(file.agent.languages) for file in (old, new))
    yield from _added("The guard", packs, packs_now, "now uses the pack", "no longer uses the pack")
    yield from _added(
        "The agent", old.guard.prices.approved, new.guard.prices.approved, "may now say", "may no longer say"
    )
    before, after = ({rule.id: rule for rule in file.guard.rules} for file in (old, new))
    yield from _added("The guard", list(before), list(after), "has the new rule", "no longer has the rule")
    for name in before.keys() & after.keys():
        yield from _rule(before[name], after[name])


def _rule(old: OwnRule, new: OwnRule) -> Iterator[str]:
    yield from _added(f"Rule {new.id}", old.never, new.never, "now also forbids", "no longer forbids")
    rest = {"never"}
    for line in _section(
        f"rule {new.id}",
        old.model_copy(update=dict.fromkeys(rest, ())),
        new.model_copy(update=dict.fromkeys(rest, ())),
    ):
        yield line[0].upper() + line[1:]
