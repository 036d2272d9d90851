"""The agent file: the one document that says who answers, with which voice and which models.

This release has `agent`, `intents`, `voice`, `llm`, `context`, `guard` and `compliance.disclosure.say`. The
other keys are known and checked, and refused by name (`NOT_BUILT` in `agent_faults.py`) until what they ask
for is built. Every fault of a file is told at once, with its line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from policies.agent_compliance import Compliance
from policies.agent_context import Context, Intent
from policies.agent_conversation import Conversation
from policies.agent_evaluation import Evaluation
from policies.agent_faults import AgentFileInvalid, faults_of, not_built, stray_references
from policies.agent_guard import Guard
from policies.agent_handoff import Handoff
from policies.agent_llm import ModelEntry
from policies.agent_references import in_two_classes, undeclared
from policies.agent_tools import Tool, named_once
from policies.agent_values import (
    Identifier,
    LanguageTag,
    Name,
    PhoneNumber,
    Section,
    Spoken,
    matching,
    not_empty,
)
from policies.agent_voice import Voice
from policies.lines import lines
from policies.yaml_lines import Fault, key_text, read

AgentName = Annotated[
    str,
    matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "must be at most 64 letters, digits, . _ and -, no spaces"),
]


class Agent(Section):
    """Who answers. A file without `numbers` answers every number that no other file names."""

    name: AgentName
    version: Name | None = None
    organisation: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    numbers: tuple[PhoneNumber, ...] = ()
    languages: Annotated[tuple[LanguageTag, ...], AfterValidator(not_empty)] = ("en-US",)
    greeting: Spoken | None = None
    instructions: str = ""


class Sections(Section):
    """The whole document, with the keys that are still refused (`NOT_BUILT` in `agent_faults.py`)."""

    agent: Agent
    intents: dict[Identifier, Intent] = Field(default_factory=dict)
    voice: Voice = Voice()
    llm: Annotated[tuple[ModelEntry, ...], AfterValidator(not_empty)]
    context: Context = Field(default_factory=Context)
    conversation: Conversation = Conversation()
    tools: Annotated[tuple[Tool, ...], AfterValidator(named_once)] = ()
    guard: Guard = Field(default_factory=Guard)
    handoff: Handoff = Handoff()
    evaluation: Evaluation = Evaluation()
    compliance: Compliance = Compliance()


@dataclass(frozen=True, slots=True)
class AgentFile:
    """A file that is in order. `hash` is the SHA-256 of its text, in hex; `source` is where it came from."""

    source: str
    hash: str
    agent: Agent
    intents: Mapping[str, Intent]
    voice: Voice
    llm: tuple[ModelEntry, ...]
    context: Context
    conversation: Conversation
    tools: tuple[Tool, ...]
    guard: Guard
    handoff: Handoff
    evaluation: Evaluation
    compliance: Compliance

    @property
    def version(self) -> str:
        """What its author calls this version; the beginning of its hash where they do not."""
        return self.agent.version or self.hash[:12]

    @property
    def language(self) -> str:
        """The language a call begins in."""
        return self.agent.languages[0]

    def disclosure(self, language: str) -> str:
        """The first words of every call: the file's, else our own line for that language."""
        say = self.compliance.disclosure.say
        return say.in_language(language) if say else lines(language).disclosure(self.agent.organisation)

    def greeting(self, language: str) -> str:
        """What is said after the disclosure: the file's, else our own line for that language."""
        say = self.agent.greeting
        return say.in_language(language) if say else lines(language).greeting


def parse(text: str, *, source: str = "agent file") -> AgentFile:
    """Check the text of one agent file. Raises `AgentFileInvalid` with all faults, by line."""
    document = read(text)
    if not isinstance(document.value, dict):
        shape = Fault(1, "", "must be a mapping of keys, beginning with `agent:` and `llm:`")
        raise AgentFileInvalid(source, document.faults or (shape,))
    faults = {*document.faults, *undeclared(document), *in_two_classes(document)}
    for path in stray_references(document.value):
        faults.add(Fault(document.line(path), key_text(path), "${…} is for secrets only"))
    refused = {key_text(path): path for path in not_built(document.value)}
    for key, path in refused.items():
        says = f"`{path[-1]}` is not built yet in this release: remove it"
        faults.add(Fault(document.line(path), key, says))
    try:
        sections = Sections.model_validate(document.value)
    except ValidationError as error:
        found = faults_of(error, document, Sections)
        faults.update(fault for fault in found if fault.key not in refused)
        raise AgentFileInvalid(source, tuple(sorted(faults))) from None  # its text would quote the file
    if faults:
        raise AgentFileInvalid(source, tuple(sorted(faults)))
    return AgentFile(
        source=source,
        hash=sha256(text.encode()).hexdigest(),
        agent=sections.agent,
        intents=sections.intents,
        voice=sections.voice,
        llm=sections.llm,
        context=sections.context,
        conversation=sections.conversation,
        tools=sections.tools,
        guard=sections.guard,
        handoff=sections.handoff,
        evaluation=sections.evaluation,
        compliance=sections.compliance,
    )


def choose(files: Sequence[AgentFile], dialled: str) -> AgentFile | None:
    """The file that names the dialled number (E.164), else the one that names none, else nothing."""
    named = next((file for file in files if dialled in file.agent.numbers), None)
    return named or next((file for file in files if not file.agent.numbers), None)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Files that cannot be served together."""

    sources: tuple[str, ...]
    says: str

    def __str__(self) -> str:
        return f"{', '.join(self.sources)}: {self.says}"


def conflicts(files: Iterable[AgentFile]) -> tuple[Conflict, ...]:
    """Every name or number claimed twice, and every second file without numbers."""
    claims: dict[str, list[str]] = defaultdict(list)
    for file in files:
        claims[f"agent.name {file.agent.name!r} is used by each of them"].append(file.source)
        for number in file.agent.numbers or ("",):
            says = f"agent.numbers {number} is claimed by each of them" if number else UNNUMBERED
            claims[says].append(file.source)
    return tuple(Conflict(tuple(sources), says) for says, sources in claims.items() if len(sources) > 1)


UNNUMBERED = "only one file may leave out agent.numbers and answer every other number"
