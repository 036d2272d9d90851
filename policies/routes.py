"""Where a call goes that needs a person: the first route of the agent file that fits."""

from __future__ import annotations

from collections.abc import Sequence

from policies.agent_handoff import Route


def route(routes: Sequence[Route], reason: str, intent: str, tier: str, language: str) -> str | None:
    """The name of a destination; None where no route fits. Every condition that is set has to hold."""
    for each in routes:
        when = each.when
        spoken = {language.casefold(), language.casefold().partition("-")[0]}
        if (
            (not when.reason or reason in when.reason)
            and (not when.intent or intent in when.intent)
            and (not when.tier or tier in when.tier)
            and (not when.language or any(tag.casefold() in spoken for tag in when.language))
        ):
            return each.to
    return None
