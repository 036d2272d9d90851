"""Gate 1: which facts may enter this turn. Deny by default; this release knows no facts, so none enters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """Names of the facts that entered the model's context, and of those that were withheld."""

    entered: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


def select() -> Context:
    return Context()
