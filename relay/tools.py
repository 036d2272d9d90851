"""What a model may ask for in the middle of its answer: so far a fact of the third layer, on demand."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from policies import context
from policies.context import ContextRules
from policies.context_text import render
from relay.caller import Caller
from relay.llm.port import Tool, ToolCall

LOOKUP_FACT = "lookup_fact"
DESCRIPTION = "Look up one more fact about the caller, when the conversation needs it."
NOT_KNOWN = '{"known": false}'


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model is told, and what the record says of it."""

    text: str
    says: str


def offered(rules: ContextRules, caller: Caller) -> tuple[Tool, ...]:
    """The tools of this turn: none when there is no fact left to ask for."""
    names = context.on_demand(rules, caller.facts, caller.situation())
    if not names:
        return ()
    name = {"type": "string", "enum": list(names)}
    parameters = {
        "type": "object",
        "properties": {"name": name},
        "required": ["name"],
        "additionalProperties": False,
    }
    return (Tool(LOOKUP_FACT, DESCRIPTION, parameters),)


def run(call: ToolCall, rules: ContextRules, caller: Caller) -> Outcome:
    """Never raises: the model is told what it asked wrongly. The same filter decides as for all facts."""
    if call.name != LOOKUP_FACT:
        return Outcome('{"error": "there is no such tool"}', "unknown tool")
    try:
        wanted = msgspec.json.decode(call.arguments, type=_Wanted).name
    except (msgspec.DecodeError, msgspec.ValidationError):
        return Outcome('{"error": "the arguments must be {\\"name\\": …}"}', "arguments that cannot be read")
    if wanted not in context.on_demand(rules, caller.facts, caller.situation()):
        return Outcome(NOT_KNOWN, f"{wanted[:64]}: not allowed, or not known")
    caller.asked_for.add(wanted)
    ruled = context.select(rules, caller.facts, caller.situation())
    entries = [entry for entry in ruled.entries if entry.fact.name == wanted]
    if not entries:
        return Outcome(NOT_KNOWN, f"{wanted}: over the budget")
    caller.entered[wanted] = entries[0]
    return Outcome(render(entries, (), caller.fence), str(entries[0]))
