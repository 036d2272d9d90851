"""What a person is told of a call that comes to them, drawn from what this session knows."""

from __future__ import annotations

from policies.agent_context import OTHER
from policies.redaction import redact
from policies.vocabulary import EscalationReason
from relay.announcement import Announcement
from relay.caller import Caller
from relay.handings import Handing
from relay.messages import Setup
from relay.session import Session
from relay.switchboard import Agent


def handing(
    setup: Setup,
    announced: Announcement,
    agent: Agent,
    caller: Caller,
    session: Session,
    reason: EscalationReason,
    reference: str,
    to: str,
) -> Handing:
    """`to`: the destination somebody named; blank: by the routes."""
    language = caller.recovery.language if caller.recovery else agent.file.language
    return Handing(
        ref=reference,
        brief_ref=reference,
        call_sid=setup.call_sid,
        account_sid=setup.account_sid,
        session=announced.number,
        agent=agent.file.agent.name,
        reason=reason,
        intent=caller.intent or OTHER,
        tier=caller.tier,
        language=language,
        caller=setup.called if setup.outbound else setup.caller,
        ours=setup.caller if setup.outbound else setup.called,
        spoken=_spoken(caller, reason),
        destination=to,
        rehearsal=announced.rehearsal,
    )


def _spoken(caller: Caller, reason: EscalationReason) -> str:
    wanted = caller.intents[-1].replace("_", " ") if caller.intents else "not known"
    first = f" First said: {redact(caller.heard[0])[:120]}" if caller.heard else ""
    return f"Reason: {reason.value.replace('_', ' ')}. Wanted: {wanted}.{first}"
