"""The agent file's `conversation`, gate 2: silence, circles, what is not understood, and slow answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from policies.agent_values import Contradiction, Section, Share, Spoken, Timeout

Count = Annotated[int, Field(ge=1, le=100)]
Key = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class Rung(Section):
    """One step of the silence ladder. `after` counts from the end of what was spoken last.

    Without `say` and `then` our own line asks whether the caller is still there.
    """

    after: Timeout
    say: Spoken | None = None
    then: Literal["keypad", "offer", "handoff", "end"] | None = None


class Repeats(Section):
    """How often the same is asked, or answered, before `then`."""

    caller_same_question: Count = 2
    agent_same_answer: Count = 2
    then: Literal["clarify", "offer", "handoff"] = "clarify"


class Understanding(Section):
    """`clarify_below`: a score of 0 to 1 under which we ask again."""

    clarify_below: Share = 0.5
    failures_before_handoff: Count = 2
    spell_by_keypad: bool = True


class Latency(Section):
    """What is said while the answer is not there yet; times count from the end of the caller's words."""

    acknowledge_after: Timeout = 0.7
    tool_phrase_after: Timeout = 1.5
    fallback_after: Timeout = 2.0
    phrases: tuple[Spoken, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = ("acknowledge_after", "tool_phrase_after", "fallback_after")
        problems = [
            (later, f"must not come before `{earlier}`")
            for earlier, later in pairwise(times)
            if getattr(self, later) < getattr(self, earlier)
        ]
        if problems:
            raise Contradiction(*problems)
        return self


LADDER = tuple(
    Rung.model_validate(each)
    for each in ({"after": "6s"}, {"after": "6s"}, {"after": "8s", "then": "handoff"})
)


def _zero() -> dict[Key, Literal["handoff"]]:
    return {"0": "handoff"}


class Conversation(Section):
    silence: tuple[Rung, ...] = LADDER
    repeats: Repeats = Repeats()
    understanding: Understanding = Understanding()
    latency: Latency = Latency()
    keypad: dict[Key, Literal["handoff"]] = Field(default_factory=_zero)
