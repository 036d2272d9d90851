"""A fact about the caller: what it says, where it came from, and how far it is trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Trust(StrEnum):
    """Who vouches for a fact, the most trusted first."""

    OURS = "ours"  # the agent file, or our own record
    CRM = "crm"
    REQUEST = "request"  # the body of `POST /calls`, behind our token
    PARAMETER = "parameter"  # `customParameters` of a Studio flow
    CALLER = "caller"  # what the caller said of themselves


@dataclass(frozen=True, slots=True)
class Fact:
    """`name` is the agent file's name for it; `source` names the adapter, the flow or the request."""

    name: str
    value: str = field(repr=False)
    source: str
    trust: Trust
