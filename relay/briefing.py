"""What a person is told of a call that comes to them, drawn from what this session knows."""

from __future__ import annotations

from handoff import brief as briefs
from handoff.brief import Brief, BriefFact
from policies.agent_context import OTHER
from policies.recovery import tells_something
from policies.vocabulary import EscalationReason
from relay.announcement import Announcement
from relay.caller import Caller
from relay.handings import Handing
from relay.messages import Setup
from relay.switchboard import Agent

NAME = "name"  # the fact that says who the caller is
CONSENT = "consent"


def handing(
    setup: Setup,
    announced: Announcement,
    agent: Agent,
    caller: Caller,
    at: float,
    reason: EscalationReason,
    reference: str,
    to: str,
) -> tuple[Handing, Brief]:
    """`to`: the destination somebody named; blank: by the routes. `at` is seconds since 1970."""
    language = caller.recovery.language if caller.recovery else agent.file.language
    brief = briefs.brief(_brief(setup, caller, language, at, reason))
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
        spoken=briefs.spoken(brief, language),
        next_step=brief.next_step,
        destination=to,
        rehearsal=announced.rehearsal,
    ), brief


def _brief(setup: Setup, caller: Caller, language: str, at: float, reason: EscalationReason) -> Brief:
    facts = {name: entry.fact for name, entry in caller.entered.items()}
    decided = caller.decided
    asked = [text for text in caller.heard if tells_something(text)]
    raised = caller.decider.objections if caller.decider else {}
    return Brief(
        call_sid=setup.call_sid,
        created_at=at,
        language=language,
        reason=reason.value,
        rule=decided.rule if decided and decided.reason is reason else "",
        intent=caller.intent or "",
        identity=facts[NAME].value if NAME in facts else "",
        tier=caller.tier,
        facts=tuple(BriefFact(name, fact.value, fact.source) for name, fact in facts.items() if name != NAME),
        actions=tuple(
            f"{action.tool.name}: {action.state.value}, {action.label.value}"
            for action in caller.actions.values()
        ),
        open_questions=tuple(asked[-2:]),
        next_step=(caller.intent or "").replace("_", " "),
        sentiment=caller.report.sentiment if caller.report else "",
        objections=tuple(kind.value for kind in raised),
        consent=facts[CONSENT].value if CONSENT in facts else "",
        failed_attempts=caller.failures + caller.tool_failures,
        transcript=setup.call_sid,
    )
