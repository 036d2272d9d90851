"""The agent file's `guard`: what must never be said, in packs and in rules of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from policies.agent_values import Contradiction, Name, PhoneNumber, Section, Spoken, matching
from policies.guard import packs
from policies.guard.rules import Action, Examples, Rule, Scope, Severity, Verify
from policies.guard.verify import parse_price

Pack = Annotated[str, AfterValidator(packs.known)]
RuleId = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,63}", "must be at most 64 small letters, digits and hyphens")
]


def _price(text: str) -> str:
    parse_price(text)
    return text


class RuleExamples(Section):
    violates: tuple[Name, ...] = ()
    allowed: tuple[Name, ...] = ()


class OwnRule(Section):
    """One rule: phrases (`never`), a bounded `pattern`, or a `verify` by code."""

    id: RuleId
    never: tuple[Name, ...] = ()
    pattern: str = ""
    verify: Literal["card", "ssn", "rrn", "phone", "price"] | None = None
    longest: bool = False
    action: Literal["block", "redact", "handoff", "log"] = "block"
    scope: Literal["cut", "sentence"] = "cut"
    say: Spoken | None = None
    reason: str = ""
    severity: Literal["low", "medium", "high"] = "high"
    examples: RuleExamples = Field(default_factory=RuleExamples)

    @model_validator(mode="after")
    def _looks_for_one_thing(self) -> Self:
        if bool(self.never) + bool(self.pattern) + (self.verify is not None and not self.pattern) != 1:
            raise Contradiction(("id", "needs exactly one of `never`, `pattern` or `verify` to look for"))
        return self

    def rule(self, source: str) -> Rule:
        return Rule(
            id=self.id,
            never=self.never,
            pattern=self.pattern,
            verify=Verify(self.verify) if self.verify else None,
            longest=self.longest,
            action=Action(self.action),
            scope=Scope(self.scope),
            say=self.say.texts if self.say else (),
            reason=self.reason,
            severity=Severity(self.severity),
            examples=Examples(self.examples.violates, self.examples.allowed),
            source=source,
        )


class Prices(Section):
    """Amounts that may be spoken; all others are violations where a pack or rule verifies prices."""

    approved: tuple[Annotated[str, AfterValidator(_price)], ...] = ()


class Phones(Section):
    """Numbers that may be spoken where a pack verifies phones; `agent.numbers` may be anyway."""

    approved: tuple[PhoneNumber, ...] = ()


class Guard(Section):
    packs: tuple[Pack, ...] | None = None
    prices: Prices = Field(default_factory=Prices)
    phones: Phones = Field(default_factory=Phones)
    rules: tuple[OwnRule, ...] = ()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.id in seen:
                raise Contradiction((f"rules[{index}].id", f"{rule.id!r} is the id of an earlier rule"))
            seen.add(rule.id)
        return self

    def packs_for(self, languages: Sequence[str]) -> tuple[str, ...]:
        """The packs of the file; where it names none, the common ones of its languages and `pii`."""
        return self.packs if self.packs is not None else tuple(dict.fromkeys(_default(languages)))

    def own_rules(self, source: str) -> list[Rule]:
        return [rule.rule(source) for rule in self.rules]


def _default(languages: Sequence[str]) -> Iterator[str]:
    for language in languages:
        yield "common-ko" if language.casefold().startswith("ko") else "common-en"
    yield "pii"
