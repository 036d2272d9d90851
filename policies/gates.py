"""What an agent file decides, made ready for calls: which facts may enter, and what is never said.

Compiling takes tens of milliseconds: once a file, off the event loop, and shared by all its calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from policies import claims
from policies.agent_file import AgentFile
from policies.context import ContextRules
from policies.guard import packs
from policies.guard.book import EMPTY, Rulebook
from policies.guard.linter import fired
from policies.guard.rulebook import RuleFault, RulesInvalid, compile_rules, parse_price
from policies.intents import Intents, declared
from policies.lines import lines


@dataclass(frozen=True, slots=True)
class Gates:
    """Gate 1 and *never say* of one agent file. The defaults let no fact in, and any word pass."""

    context: ContextRules = field(default_factory=ContextRules)
    rulebook: Rulebook = EMPTY
    intents: Intents = field(default_factory=Intents)
    claims: Mapping[str, Set[str]] = field(default_factory=dict)  # by rule: the tools that lift it


def compile_gates(file: AgentFile) -> Gates:
    """Raises `RulesInvalid`: a rule that breaks its promise, a line of ours that a rule forbids."""
    rules = [rule for name in file.guard.packs_for(file.agent.languages) for rule in packs.pack(name)]
    rules += file.guard.own_rules(file.source)
    claim_rules, lifted_by = claims.rules(file.tools, file.agent.languages)
    rules += claim_rules
    approved = [parse_price(price) for price in file.guard.prices.approved]
    phones = (*file.agent.numbers, *file.guard.phones.approved)
    rulebook = compile_rules(rules, approved=approved, phones=phones, language=file.language)
    faults = [
        RuleFault(rule, f"{name} breaks it: {text!r}")
        for name, text in configured(file).items()
        for rule in sorted(fired(rulebook, text))
    ]
    if faults:
        raise RulesInvalid(faults)
    return Gates(
        context=file.context.rules(),
        rulebook=rulebook,
        intents=declared({name: intent.examples for name, intent in file.intents.items()}),
        claims=lifted_by,
    )


def configured(file: AgentFile) -> Mapping[str, str]:
    """Every line that is spoken as it stands, by what it is, in all the languages of the file."""
    found: dict[str, str] = {}
    for language in file.agent.languages:
        found[f"the disclosure ({language})"] = file.disclosure(language)
        found[f"the greeting ({language})"] = file.greeting(language)
        found |= {f"our line {name!r} ({language})": text for name, text in lines(language).spoken()}
    if file.voice.welcome_greeting:
        found["voice.welcome_greeting"] = file.voice.welcome_greeting
    return found
