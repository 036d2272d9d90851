"""The agent file's `context` and `intents`: which facts a turn may know, and where they come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from policies.agent_crm import Crm, FieldName
from policies.agent_values import TEXT_OR_LIST, Contradiction, Name, PhoneNumber, Section, listed
from policies.context import ContextRules, OnMissing, When

Missing = Literal["go_on", "ask", "handoff"]
PREVIOUS = "previous_call_summary"  # holds what a caller said: always marked as data
OTHER = "other"  # what is none of the declared intents


class Intent(Section):
    """One thing callers want. The examples recognise it."""

    description: str = ""
    examples: tuple[Name, ...] = ()


Words = Annotated[tuple[Name, ...], BeforeValidator(listed), TEXT_OR_LIST]


class Condition(Section):
    """Every condition that is set has to hold."""

    returning: bool | None = None
    intent: Words = ()
    tier: Words = ()
    step: Words = ()

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.returning is None and not (self.intent or self.tier or self.step):
            raise ValueError("asks nothing: set returning, intent, tier or step, or move the field to `must`")
        return self


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
    def _missing_is_must(self) -> Self:
        problems = [
            ("on_missing", f"{name!r} is not in must")
            for name in self.on_missing
            if name and name not in self.must
        ]
        if problems:
            raise Contradiction(*problems)
        return self

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
