"""The agent file's `llm`: the models that answer, in the order in which they are asked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from policies.agent_values import Address, Contradiction, Duration, Section, Timeout

HOSTED = ("openai", "anthropic", "openai_realtime")
LONGEST_REALTIME = 4096  # tokens of one reply of the Realtime API
KEYS_OF_HOSTED = frozenset({"model", "base_url", "max_tokens", "temperature"})
KEYS_OF_SCRIPTED = frozenset({"script", "delay"})


class Price(Section):
    """For a million tokens, in a currency of your own. `cached`: input read from the provider's cache."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached: Annotated[float, Field(ge=0)] | None = None


class ModelEntry(Section):
    """One model. The first of the file is used; the others are fallbacks, in their order. Times are seconds.

    `script` is a path as the file has it, relative to the file. `reopen_after`: the age at which the socket
    of `openai_realtime` is replaced, between two turns. With a `price` each call is recorded with its cost.
    """

    provider: Literal["openai", "anthropic", "openai_realtime", "scripted", "echo"]
    model: str = ""
    base_url: Address | None = None
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 400
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    first_token_timeout: Timeout = 4.0
    hedge_after: Timeout | None = None
    stall_timeout: Timeout = 2.5
    total_timeout: Timeout = 30.0
    script: str = ""
    delay: Duration = 0.0
    reopen_after: Timeout = 3000.0
    price: Price | None = None

    @model_validator(mode="after")
    def _keys_fit_the_provider(self) -> Self:
        problems: list[tuple[str, str]] = []
        if self.provider in HOSTED and not self.model:
            problems.append(("model", f"is required with `provider: {self.provider}`"))
        if self.provider == "scripted" and not self.script:
            problems.append(("script", "is required with `provider: scripted`"))
        realtime = self.provider == "openai_realtime"
        foreign = frozenset() if self.provider in HOSTED else KEYS_OF_HOSTED
        foreign |= {"temperature"} if realtime else {"reopen_after"}
        if realtime and self.max_tokens > LONGEST_REALTIME:
            problems.append(("max_tokens", f"is at most {LONGEST_REALTIME} with `provider: openai_realtime`"))
        if realtime and self.reopen_after >= 3600:
            problems.append(("reopen_after", "must be below 60m, where the API ends the session"))
        if self.provider != "scripted":
            foreign = foreign | KEYS_OF_SCRIPTED
        problems += [
            (key, f"has no meaning with `provider: {self.provider}`: remove it")
            for key in sorted(foreign & self.model_fields_set)
        ]
        if problems:
            raise Contradiction(*problems)
        return self
