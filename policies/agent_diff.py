"""What changed between two agent files, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import ndiff

from policies import agent_diff_gates
from policies.agent_diff_words import moved, section, value
from policies.agent_file import AgentFile
from policies.agent_llm import ModelEntry


def differences(old: AgentFile, new: AgentFile) -> list[str]:
    """A line a change, in the order of the file; empty when an agent would do nothing differently."""
    return [
        *_agent(old, new),
        *_intents(old, new),
        *section("voice", old.voice, new.voice),
        *_models(old.llm, new.llm),
        *agent_diff_gates.context(old.context, new.context),
        *value("conversation", old.conversation, new.conversation),
        *value("tools", old.tools, new.tools),
        *agent_diff_gates.guard(old, new),
        *value("handoff", old.handoff, new.handoff),
        *value("evaluation", old.evaluation, new.evaluation),
        *_compliance(old, new),
    ]


def _agent(old: AgentFile, new: AgentFile) -> Iterator[str]:
    one, other = old.agent, new.agent
    if one.name != other.name:
        yield f"The agent is now called {other.name}; it was {one.name}."
    if one.version != other.version:
        yield f"The version is now {other.version or 'not named'}; it was {one.version or 'not named'}."
    if one.organisation != other.organisation:
        yield f"The agent now speaks for {other.organisation or 'nobody by name'}; it was {one.organisation}."
    yield from moved("The agent", one.numbers, other.numbers, "now answers", "no longer answers")
    if bool(one.numbers) != bool(other.numbers):
        verb = "no longer" if other.numbers else "now"
        yield f"The agent {verb} answers every number that no other file names."
    yield from moved("The agent", one.languages, other.languages, "now speaks", "no longer speaks")
    if one.languages[0] != other.languages[0]:
        yield f"A call now begins in {other.languages[0]}; it began in {one.languages[0]}."
    yield from _spoken("greeting", old, new, AgentFile.greeting)
    if one.instructions.split() != other.instructions.split():
        yield "The instructions changed:"
        yield from _rewritten(one.instructions, other.instructions)


def _spoken(
    what: str, old: AgentFile, new: AgentFile, line: Callable[[AgentFile, str], str]
) -> Iterator[str]:
    """What callers hear, in each language: our own line, too, where the file has none."""
    several = len({*old.agent.languages, *new.agent.languages}) > 1
    for language in new.agent.languages:
        where = f" ({language})" if several else ""
        now = line(new, language)
        if language not in old.agent.languages:
            yield f"The {what}{where} is “{now}”."
        elif (was := line(old, language)) != now:
            yield f"The {what}{where} changed from “{was}” to “{now}”."


def _compliance(old: AgentFile, new: AgentFile) -> Iterator[str]:
    yield from _spoken("disclosure", old, new, AgentFile.disclosure)
    before, after = old.compliance, new.compliance
    yield from section("compliance.disclosure", before.disclosure, after.disclosure, without=("say",))
    yield from section("compliance", before, after, without=("disclosure",))


def _rewritten(old: str, new: str) -> Iterator[str]:
    signs = {"+ ": "added", "- ": "removed"}
    for line in ndiff(_lines(old), _lines(new)):
        if sign := signs.get(line[:2]):
            yield f"  {sign}: {line[2:]}"


def _lines(text: str) -> list[str]:
    return [words for line in text.splitlines() if (words := " ".join(line.split()))]


def _intents(old: AgentFile, new: AgentFile) -> Iterator[str]:
    yield from moved(
        "The agent", old.intents, new.intents, "now knows the intent", "no longer knows the intent"
    )
    for name, intent in new.intents.items():
        if before := old.intents.get(name):
            what = f"The intent {name}"
            yield from moved(
                what, before.examples, intent.examples, "now has the example", "no longer has", quoted=True
            )
            yield from section(f"intents.{name}", before, intent, without=("examples",))


def _models(old: tuple[ModelEntry, ...], new: tuple[ModelEntry, ...]) -> Iterator[str]:
    before, after = ([f"{entry.provider} {entry.model}".strip() for entry in llm] for llm in (old, new))
    if before != after:
        yield f"The models are now {', then '.join(after)}; they were {', then '.join(before)}."
    for index, (one, other) in enumerate(zip(old, new, strict=False)):
        if before[index] == after[index]:
            yield from section(f"llm[{index}]", one, other)
