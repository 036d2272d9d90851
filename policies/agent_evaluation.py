"""The agent file's `evaluation`, gate 4: what counts as success, what is sampled, and who owns what fails."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from policies.agent_destinations import DestinationName
from policies.agent_values import Duration, Name, Section, Share, Timeout

Success = Literal["resolved", "callback_made", "handed_off_in_sla", "out_of_scope_correct"]
Sampled = Literal[
    "prohibited_hit", "disclosure_unproven", "handoff_failed", "false_success", "complaint", "opt_out"
]
Layer = Literal[
    "default",
    "conversation",
    "system",
    "business",
    "relay",
    "stt",
    "llm",
    "tool",
    "crm",
    "handoff",
    "policy",
    "infra",
]
"""Where a failure belongs; `default` is for every layer without an entry."""


def _share(value: object) -> float:
    """`"25%"` as 0.25."""
    number = value.removesuffix("%").rstrip() if isinstance(value, str) and value.endswith("%") else ""
    if not (number.isdecimal() and number.isascii() and int(number) <= 100):
        raise ValueError("must be a whole percentage: 0% to 100%")
    return int(number) / 100


class Rollout(Section):
    """The share of calls the agent answers; the others go to `else`, a destination."""

    share: Annotated[
        float, PlainValidator(_share), WithJsonSchema({"type": "string", "pattern": r"^\d{1,3} ?%$"})
    ] = 1.0
    otherwise: Annotated[DestinationName | None, Field(alias="else")] = None


class Check(Section):
    """How long a GO holds, and from how many live calls on these count instead of simulated ones."""

    expires: Duration = 14 * 86_400.0
    live_after: Annotated[int, Field(ge=1, le=100_000)] = 50


class Sampling(Section):
    always: tuple[Sampled, ...] = (
        "prohibited_hit",
        "disclosure_unproven",
        "handoff_failed",
        "false_success",
        "complaint",
        "opt_out",
    )
    random_per_week: Annotated[int, Field(ge=0, le=100_000)] = 60


class Targets(Section):
    completion: Share = 0.85
    fallback_rate: Share = 0.15
    handoff_within_sla: Share = 0.95
    turn_latency_p95: Timeout = 2.5


class Evaluation(Section):
    """`owners`: who mends what fails, by layer."""

    success: tuple[Success, ...] = ("resolved", "callback_made", "handed_off_in_sla")
    rollout: Rollout = Rollout()
    check: Check = Check()
    sampling: Sampling = Sampling()
    targets: Targets = Targets()
    owners: dict[Layer, Name] = Field(default_factory=dict)
