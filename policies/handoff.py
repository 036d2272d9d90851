"""Gate 3: does a person take this call? So far only for a fact that the agent file will not go on without."""

from __future__ import annotations

from policies.context import Context, OnMissing
from policies.vocabulary import EscalationReason


def decide(entered: Context, *, looked_up: bool, crm_failed: bool) -> EscalationReason | None:
    """The reason to hand off, before the model is asked; None: go on.

    A fact is missing only once the look-up has answered (`looked_up`); until then the call goes on.
    """
    if not looked_up or entered.missing_action is not OnMissing.HANDOFF:
        return None
    return EscalationReason.SYSTEM_FAILURE if crm_failed else EscalationReason.OUT_OF_SCOPE
