"""Gate 3: does a person take this call? This release has no rules yet, so the agent goes on."""

from __future__ import annotations

from collections.abc import Sequence

from policies.vocabulary import EscalationReason, Utterance


def decide(history: Sequence[Utterance]) -> EscalationReason | None:
    """The reason to hand off, before the model is asked; None: go on."""
    del history
    return None
