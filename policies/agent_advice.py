"""What a file does, in one line; where its rules go wrong; and what it allows but probably does not mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from policies.agent_context import PREVIOUS, Context
from policies.agent_file import AgentFile
from policies.agent_llm import HOSTED
from policies.agent_values import Say
from policies.context import to_fetch
from policies.gates import Gates, compile_gates
from policies.guard import corpus, packs
from policies.guard.guard import Guard
from policies.guard.linter import fired
from policies.guard.rulebook import Rulebook, RulesInvalid, compile_rules, parse_price
from policies.guard.rules import RuleFault, Verify
from policies.yaml_lines import Document, Fault, Path, key_text

TIER: Final = "tier"
MOST_HELD: Final = 0.2  # characters of ordinary speech held back on average; shipped rules stay below
SPOKEN: Final[dict[str, Path]] = {
    "the disclosure": ("compliance", "disclosure", "say"),
    "the greeting": ("agent", "greeting"),
    "voice.welcome_greeting": ("voice", "welcome_greeting"),
}
OWN_LINES: Final = ("en", "ko")


def summary(file: AgentFile, gates: Gates) -> str:
    """The agent, its languages and models, how many rules, and fields by class."""
    models = ", then ".join(f"{entry.provider} {entry.model}".strip() for entry in file.llm)
    names = ", ".join(file.guard.packs_for(file.agent.languages)) or "no packs"
    rules, context = len(gates.rulebook.judges), gates.context
    classes = {
        "must": context.must,
        "conditional": context.conditional,
        "policy": context.policy,
        "never": context.never,
    }
    fields = ", ".join(f"{len(each)} {name}" for name, each in classes.items() if each) or "none"
    return (
        f"{file.agent.name} {file.version} speaks {', '.join(file.agent.languages)} with {models}; "
        f"{rules} rules ({names}); intents: {', '.join(file.intents) or 'none'}; fields: {fields}"
    )


def rule_faults(file: AgentFile) -> tuple[RuleFault, ...]:
    """All that is wrong with the rules and the lines they judge: a rule at fault hides no other fault."""
    try:
        compile_gates(file)
    except RulesInvalid as error:
        at_fault = {fault.rule_id for fault in error.faults}
        sound = tuple(rule for rule in file.guard.rules if rule.id not in at_fault)
        if len(sound) == len(file.guard.rules):
            return error.faults
        rest = rule_faults(replace(file, guard=file.guard.model_copy(update={"rules": sound})))
        return tuple(dict.fromkeys((*error.faults, *rest)))
    return ()


def located(fault: RuleFault, file: AgentFile, document: Document) -> Fault:
    """A fault of a rule, at the line that breaks it, else at the rule, else at the packs it came with."""
    own = {rule.id: index for index, rule in enumerate(file.guard.rules)}
    path: Path = ("guard", "rules", own[fault.rule_id]) if fault.rule_id in own else ("guard", "packs")
    for beginning, place in SPOKEN.items():
        if fault.says.startswith(beginning):
            path = place
    return Fault(document.line(path), key_text(path), str(fault))


def advice(file: AgentFile, document: Document) -> list[Fault]:
    """What is allowed and probably not meant, by line. The file and its rules are in order."""
    found = [*_agent(file), *_context(file), *_packs(file), *_own_rules(file)]
    return sorted(Fault(document.line(path), key_text(path), says) for path, says in found)


Advice = Iterator[tuple[Path, str]]


def _agent(file: AgentFile) -> Advice:
    agent = file.agent
    if not agent.instructions.strip() and any(entry.provider in HOSTED for entry in file.llm):
        yield ("agent", "instructions"), "is empty: the model is not told what its work is"
    yield from _unspoken(("agent", "greeting"), agent.greeting, agent.languages)
    yield from _unspoken(("compliance", "disclosure", "say"), file.compliance.disclosure.say, agent.languages)
    for language in agent.languages:
        if _primary(language) not in OWN_LINES:
            yield (
                ("agent", "languages"),
                f"our own lines are spoken in English, there are none for {language}",
            )
    for name, intent in file.intents.items():
        if not intent.examples:
            yield ("intents", name), "has no examples, so it is never recognised"


def _unspoken(path: Path, say: Say | None, languages: Iterable[str]) -> Advice:
    """A line that some language of the file does not have."""
    spoken = [_primary(tag) for tag, _ in say.texts] if say else []
    for language in languages:
        if spoken and "" not in spoken and _primary(language) not in spoken:
            first = say.texts[0][0] if say else ""
            yield path, f"has no line for {language}: callers hear the one for {first}"
    if spoken == [""] and len({*map(_primary, languages)}) > 1:
        yield path, "has one line for several languages: write one a language {en-US: …, ko-KR: …}"


def _primary(language: str) -> str:
    return language.casefold().partition("-")[0]


def _context(file: AgentFile) -> Advice:
    context = file.context
    rules = context.rules()
    classed = {*to_fetch(rules), *rules.never}
    crm = set(context.crm.fields) if context.crm else set()
    sources = context.sources
    dialled = {name for facts in sources.dialled_number.values() for name in facts}
    given = {*crm, *dialled, *sources.parameters, *sources.request, PREVIOUS}
    for name in sorted(crm - classed):
        yield (
            ("context", "crm", "fields", name),
            f"{name} is in no class (must, conditional, policy, never): it is not fetched and never enters",
        )
    for name in sorted((dialled | {*sources.parameters, *sources.request}) - classed - crm):
        yield (
            ("context", "sources"),
            f"{name} is in no class (must, conditional, policy, never): it never enters",
        )
    for path, name in _places(context):
        if name not in given:
            says = "has no source: no CRM field, dialled number, parameter or request gives it"
            yield path, f"{name} {says}"
    for name, each in context.conditional.items():
        if each.when.tier and TIER not in given & classed:
            yield (
                ("context", "conditional", name),
                "asks for a tier, and no field `tier` is given and classed",
            )


def _places(context: Context) -> Advice:
    """Each field that is to be fetched, with its place in the file."""
    for index, name in enumerate(context.must):
        yield ("context", "must", index), name
    for name in context.conditional:
        yield ("context", "conditional", name), name
    for index, name in enumerate(context.policy):
        yield ("context", "policy", index), name
    for index, never in enumerate(context.never):
        if never.canary:
            yield ("context", "never", index), never.name


def _packs(file: AgentFile) -> Advice:
    names = file.guard.packs_for(file.agent.languages)
    for language in sorted({*map(_primary, file.agent.languages)} & {*OWN_LINES}):
        if not any(name.endswith(f"-{language}") for name in names):
            yield ("guard", "packs"), f"holds no pack for {language}: add common-{language}"
    rules = [rule for name in names for rule in packs.pack(name)] + file.guard.own_rules(file.source)
    if not file.guard.prices.approved and any(rule.verify is Verify.PRICE for rule in rules):
        yield ("guard", "prices"), "no price is approved: every price is blocked"


def _own_rules(file: AgentFile) -> Advice:
    approved = [parse_price(price) for price in file.guard.prices.approved]
    for index, (written, rule) in enumerate(
        zip(file.guard.rules, file.guard.own_rules(file.source), strict=True)
    ):
        path: Path = ("guard", "rules", index)
        if not rule.examples.violates:
            yield path, f"{rule.id} has no example that violates it: add one, and it is checked at each start"
        yield from _unspoken((*path, "say"), written.say, file.agent.languages)
        book = compile_rules([rule], approved=approved, language=file.language)
        for says in _on_ordinary_speech(book, file.agent.languages):
            yield path, f"{rule.id} {says}"


def _on_ordinary_speech(book: Rulebook, languages: Iterable[str]) -> Iterator[str]:
    """Does a rule fire on what any service agent says, or hold it back?"""
    sentences = [
        each for language in dict.fromkeys(map(_primary, languages)) for each in corpus.sentences(language)
    ]
    if hits := [each for each in sentences if fired(book, each)]:
        yield f"fires on {len(hits)} of {len(sentences)} ordinary sentences, such as “{hits[0]}”"
        return
    if book.by_sentence:
        return  # holds every sentence to its end, as its author wants
    held = sum(map(sum, (_held(book, each) for each in sentences))) / sum(map(len, sentences))
    if held > MOST_HELD:
        yield f"holds back {held:.1f} characters of ordinary speech on average: begin it with rarer words"


def _held(book: Rulebook, sentence: str) -> Iterator[int]:
    """Characters not yet released after each character."""
    guard = Guard(book, book.language)
    for char in sentence:
        guard.feed(char)
        yield guard.held
