"""What the gates of an agent file would do with one sentence and one caller, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace

import httpx

from crm_adapters.phones import lookup_number
from crm_adapters.port import Ambiguous, CrmUnavailable, Found, LookupResult
from policies import context
from policies.agent_context import OTHER
from policies.agent_crm import Crm
from policies.agent_file import AgentFile
from policies.context import OnMissing, Situation, Withheld
from policies.facts import Fact, Trust
from policies.gates import Gates
from policies.guard.guard import Allowed, Blocked, Noted, Redacted, judge
from relay.desks import SecretUnset, connect, region

__all__ = ["OTHER", "entering", "judged"]

TIER = "tier"
MISSING = {
    OnMissing.GO_ON: "the call goes on without",
    OnMissing.ASK: "the agent asks the caller for it",
    OnMissing.HANDOFF: "a person takes the call",
}


def judged(file: AgentFile, gates: Gates, sentence: str) -> Iterator[str]:
    """Which rules fire on a sentence of the agent, on what, and what the caller hears."""
    rulings = judge(gates.rulebook, sentence, file.language)
    spoken, fired = "", False
    for ruling in rulings:
        match ruling:
            case Blocked(rule, text, say_instead, action):
                yield f"{action} by rule {rule}{_why(gates, rule)}, on: “{text}”"
                yield f"said instead: “{say_instead}”"
                spoken, fired = spoken + say_instead, True
            case Redacted(rule, text, mask):
                yield f"redact by rule {rule}{_why(gates, rule)}: “{text}” becomes {mask}"
                fired = True
            case Noted(rule):
                yield f"log by rule {rule}{_why(gates, rule)}"
                fired = True
            case Allowed(text):
                spoken += text
    if not fired:
        yield "no rule fires"
    yield f"the caller hears: “{spoken}”"


def _why(gates: Gates, rule: str) -> str:
    found = gates.rulebook.judges.get(rule)
    return f" ({found.rule.source}: {found.rule.reason})" if found and found.rule.reason else ""


def entering(
    file: AgentFile,
    gates: Gates,
    situation: Situation,
    *,
    dialled: str | None = None,
    found: Found | None = None,
) -> Iterator[str]:
    """Which fields would enter: of this contact, else with an example for every field."""
    rules = gates.context
    number = dialled or next(iter(file.agent.numbers), "")
    ours = file.context.sources.dialled_number.get(number, {})
    facts = [Fact(name, value, "the dialled number", Trust.OURS) for name, value in ours.items()]
    if found is None:
        names = sorted({*context.to_fetch(rules), *rules.never} - ours.keys())
        facts += [Fact(name, "…", "an example", Trust.CRM) for name in names]
    else:
        facts += [Fact(name, value, "the CRM", Trust.CRM) for name, value in found.fields.items()]
        situation = _of(found, situation, facts)
    ruled = context.select(rules, facts, situation)
    for entry in ruled.entries:
        cost = f"; {entry.tokens} tokens" if found else ""
        yield f"enters: {entry.fact.name} ({entry.reason}, from {entry.fact.source}{cost})"
    known = {fact.name for fact in facts}
    never = [Withheld(name, context.Why.NEVER) for name in rules.never if name not in known]
    for withheld in sorted((*ruled.refused, *never), key=lambda each: each.name):
        yield f"withheld: {withheld.name} ({withheld.why})"
    for name in ruled.missing:
        yield f"missing: {name} ({MISSING[rules.on_missing.get(name, OnMissing.GO_ON)]})"
    if not (ruled.entries or ruled.refused or never or ruled.missing):
        yield f"nothing enters: {file.source} names no field in `context`"


def _of(found: Found, situation: Situation, facts: list[Fact]) -> Situation:
    """What the command line left open, as the contact has it."""
    returning = found.returning if situation.returning is None else situation.returning
    tier = next((fact.value for fact in facts if fact.name == TIER), None)
    return replace(situation, returning=returning, tier=situation.tier or tier)


def look_up(file: AgentFile, gates: Gates, phone: str, env: Mapping[str, str]) -> tuple[str, Found]:
    """What the file's CRM knows of a number, in words, and its facts; none where it knows nobody.

    Our own record is not asked: trying a file leaves nothing behind. `env` holds the CRM's secrets.
    """
    nothing = Found("", {})
    number = lookup_number(phone, region(file))
    if file.context.crm is None:
        return "not looked up: the file names no CRM", nothing
    if number is None:
        return f"not looked up: {phone} is no number to look for", nothing
    fields = [name for name in context.to_fetch(gates.context) if name in file.context.crm.fields]
    try:
        answer = asyncio.run(_find(file, file.context.crm, number, fields, env))
    except SecretUnset as error:
        return f"not looked up: {error} is not set in the environment", nothing
    except CrmUnavailable as error:
        return f"not looked up: {error.reason}", nothing
    except TimeoutError:
        return f"not looked up: no answer within {file.context.crm.deadline:g} s", nothing
    match answer:
        case Found(returning=returning):
            return f"found in the CRM, {'returning' if returning else 'not known as returning'}", answer
        case Ambiguous(count):
            return f"not told apart: {count} contacts have this number", nothing
        case _:
            return "nobody in the CRM has this number", nothing


async def _find(
    file: AgentFile, section: Crm, number: str, fields: list[str], env: Mapping[str, str]
) -> LookupResult:
    """Raises `SecretUnset`, `CrmUnavailable` and `TimeoutError`."""
    async with httpx.AsyncClient() as http, asyncio.timeout(section.deadline):
        return await connect(file, section, env, http).find(number, fields)
