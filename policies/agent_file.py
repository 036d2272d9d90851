"""The agent file: the one document that says who answers, with which voice and which models.

This release has `agent`, `intents`, `voice`, `llm`, `context`, `guard` and `compliance.disclosure.say`; the
other keys of the design are refused by name (`NOT_BUILT` in `agent_faults.py`). Every fault of a file is told
at once, with its line.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from policies.agent_context import OTHER, Context, Intent
from policies.agent_faults import AgentFileInvalid, faults_of, stray_references, suggestion
from policies.agent_guard import Guard
from policies.agent_values import (
    Contradiction,
    Duration,
    LanguageTag,
    Name,
    PhoneNumber,
    Section,
    Spoken,
    Timeout,
    matching,
    not_empty,
)
from policies.agent_voice import Voice
from policies.lines import lines
from policies.yaml_lines import Fault, key_text, read

HOSTED = ("openai", "anthropic")
KEYS_OF_HOSTED = frozenset({"model", "base_url", "max_tokens", "temperature"})
KEYS_OF_SCRIPTED = frozenset({"script", "delay"})

AgentName = Annotated[
    str,
    matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "must be at most 64 letters, digits, . _ and -, no spaces"),
]
IntentName = Annotated[
    str, matching(r"[a-z][a-z0-9_]{0,63}", "must be at most 64 small letters, digits and _, a letter first")
]
Url = Annotated[str, matching(r"https?://[^\s/]+\S*", "must be an address: https://…")]


class Agent(Section):
    """Who answers. A file without `numbers` answers every number that no other file names."""

    name: AgentName
    version: Name | None = None
    organisation: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    numbers: tuple[PhoneNumber, ...] = ()
    languages: Annotated[tuple[LanguageTag, ...], AfterValidator(not_empty)] = ("en-US",)
    greeting: Spoken | None = None
    instructions: str = ""


class ModelEntry(Section):
    """One model. The first of the file is used; the others are fallbacks, in their order. Times are seconds.

    `script` is a path as the file has it, relative to the file.
    """

    provider: Literal["openai", "anthropic", "scripted", "echo"]
    model: str = ""
    base_url: Url | None = None
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 400
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    first_token_timeout: Timeout = 4.0
    stall_timeout: Timeout = 2.5
    total_timeout: Timeout = 30.0
    script: str = ""
    delay: Duration = 0.0

    @model_validator(mode="after")
    def _keys_fit_the_provider(self) -> Self:
        problems: list[tuple[str, str]] = []
        if self.provider in HOSTED and not self.model:
            problems.append(("model", f"is required with `provider: {self.provider}`"))
        if self.provider == "scripted" and not self.script:
            problems.append(("script", "is required with `provider: scripted`"))
        foreign = frozenset() if self.provider in HOSTED else KEYS_OF_HOSTED
        if self.provider != "scripted":
            foreign = foreign | KEYS_OF_SCRIPTED
        problems += [
            (key, f"has no meaning with `provider: {self.provider}`: remove it")
            for key in sorted(foreign & self.model_fields_set)
        ]
        if problems:
            raise Contradiction(*problems)
        return self


class Disclosure(Section):
    """Gate 5: the line that says the caller is talking to an AI."""

    say: Spoken | None = None


class Compliance(Section):
    disclosure: Disclosure = Disclosure()


class Sections(Section):
    agent: Agent
    intents: dict[IntentName, Intent] = Field(default_factory=dict)
    voice: Voice = Voice()
    context: Context = Field(default_factory=Context)
    guard: Guard = Field(default_factory=Guard)
    llm: Annotated[tuple[ModelEntry, ...], AfterValidator(not_empty)]
    compliance: Compliance = Compliance()

    @model_validator(mode="after")
    def _intents_are_declared(self) -> Self:
        problems = [
            (
                f"context.conditional.{name}.when.intent",
                f"{intent!r} is not declared in `intents`" + suggestion(intent, [*self.intents, OTHER]),
            )
            for name, intent in self.context.undeclared(self.intents)
        ]
        if OTHER in self.intents:
            problems.append((f"intents.{OTHER}", "stands for every intent that is not declared: rename it"))
        if problems:
            raise Contradiction(*problems)
        return self


@dataclass(frozen=True, slots=True)
class AgentFile:
    """A file that is in order. `hash` is the SHA-256 of its text, in hex; `source` is where it came from."""

    source: str
    hash: str
    agent: Agent
    intents: Mapping[str, Intent]
    voice: Voice
    context: Context
    guard: Guard
    llm: tuple[ModelEntry, ...]
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
    faults = set(document.faults)
    for path in stray_references(document.value):
        says = "${…} is for secrets only"
        faults.add(Fault(document.line(path), key_text(path), says))
    try:
        sections = Sections.model_validate(document.value)
    except ValidationError as error:
        faults.update(faults_of(error, document, Sections))
        raise AgentFileInvalid(source, tuple(sorted(faults))) from None  # its text would quote the file
    if faults:
        raise AgentFileInvalid(source, tuple(sorted(faults)))
    return AgentFile(
        source=source,
        hash=sha256(text.encode()).hexdigest(),
        agent=sections.agent,
        intents=sections.intents,
        context=sections.context,
        guard=sections.guard,
        voice=sections.voice,
        llm=sections.llm,
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
