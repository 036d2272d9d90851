"""The agent file's `context` and `intents`: which facts a turn may know, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from policies.agent_crm import Crm, FieldName
from policies.agent_values import Contradiction, Name, PhoneNumber, Section
from policies.context import ContextRules, OnMissing, When

Missing = Literal["go_on", "ask", "handoff"]
PREVIOUS = "previous_call_summary"  # holds what a caller said: always marked as data
OTHER = "other"  # what is none of the declared intents


class Intent(Section):
    """One thing callers want. The examples recognise it."""

    description: str = ""
    examples: tuple[Name, ...] = ()


def _listed(value: object) -> object:
    """One word is a list of one."""
    return (value,) if isinstance(value, str) else value


WORDS = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
Words = Annotated[tuple[Name, ...], BeforeValidator(_listed), WORDS]


class Condition(Section):
    returning: bool | None = None
    intent: Words = ()
    tier: Words = ()
    step: Words = ()


class Conditional(Section):
    when: Condition


class NeverField(Section):
    """`canary`: fetched and held in memory only, so that it can be searched for in every word we say."""

    name: FieldName
    canary: bool = False


def _never(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Budget(Section):
    """Tokens, by an upper bound that needs no tokenizer."""

    preloaded: Annotated[int, Field(ge=0, le=100_000)] = 200
    on_intent: Annotated[int, Field(ge=0, le=100_000)] = 300


class Sources(Section):
    """Facts that are not the CRM's: by the dialled number, and names taken from a flow or a request."""

    dialled_number: dict[PhoneNumber, dict[FieldName, Name]] = Field(default_factory=dict)
    parameters: tuple[FieldName, ...] = ()
    request: tuple[FieldName, ...] = ()


ONE_MISSING = {"enum": ["go_on", "ask", "handoff"]}
ON_MISSING = WithJsonSchema({"anyOf": [ONE_MISSING, {"type": "object", "additionalProperties": ONE_MISSING}]})
NEVER = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"name": {"type": "string"}, "canary": {"type": "boolean"}},
                "required": ["name"],
                "additionalProperties": False,
            },
        ]
    }
)


def _missing(value: object) -> object:
    if isinstance(value, str):
        return {"": value}
    return value


class Context(Section):
    """Gate 1: denied unless named here."""

    crm: Crm | None = None
    budget: Budget = Field(default_factory=Budget)
    must: tuple[FieldName, ...] = ()
    on_missing: Annotated[dict[str, Missing], BeforeValidator(_missing), ON_MISSING] = Field(
        default_factory=dict
    )
    policy: tuple[FieldName, ...] = ()
    conditional: dict[FieldName, Conditional] = Field(default_factory=dict)
    never: tuple[Annotated[NeverField, BeforeValidator(_never), NEVER], ...] = ()
    free_text: tuple[FieldName, ...] = ()
    sources: Sources = Field(default_factory=Sources)

    @model_validator(mode="after")
    def _in_one_class(self) -> Self:
        seen: dict[str, str] = {}
        problems: list[tuple[str, str]] = []
        for where, name in self._classes():
            if name in seen:
                problems.append((where, f"{name!r} is already in {seen[name]}: a field is in one class only"))
            seen.setdefault(name, where.partition("[")[0])
        problems += [
            ("on_missing", f"{name!r} is not in must")
            for name in self.on_missing
            if name and name not in self.must
        ]
        if problems:
            raise Contradiction(*problems)
        return self

    def _classes(self) -> Iterator[tuple[str, str]]:
        for index, name in enumerate(self.must):
            yield f"must[{index}]", name
        for name in self.conditional:
            yield "conditional", name
        for index, name in enumerate(self.policy):
            yield f"policy[{index}]", name
        for index, never in enumerate(self.never):
            yield f"never[{index}]", never.name

    def undeclared(self, intents: Mapping[str, Intent]) -> Iterator[tuple[str, str]]:
        """Conditions on intents the file does not declare, each with the field that has it."""
        for name, conditional in self.conditional.items():
            for intent in conditional.when.intent:
                if intent not in intents and intent != OTHER:
                    yield name, intent

    def rules(self) -> ContextRules:
        """As the context filter takes it."""
        return ContextRules(
            must=self.must,
            on_missing={
                name: OnMissing(self.on_missing.get(name, self.on_missing.get("", "go_on")))
                for name in self.must
            },
            conditional=tuple(
                (name, When(c.when.returning, c.when.intent, c.when.tier, c.when.step))
                for name, c in self.conditional.items()
            ),
            policy=self.policy,
            never=frozenset(each.name for each in self.never),
            canaries=frozenset(each.name for each in self.never if each.canary),
            free_text=frozenset((*self.free_text, PREVIOUS)),
            preloaded=self.budget.preloaded,
            on_intent=self.budget.on_intent,
        )
