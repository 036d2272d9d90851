"""One call, for a reader in a hurry: three lines that head it, and one line for each event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from compliance.events import Event, Fact, Kind


@dataclass(frozen=True, slots=True)
class Line:
    """`offset`: seconds since the first event; `who`: caller, agent, model, carrier, call or a gate."""

    offset: float
    who: str
    text: str
    kind: Kind


# Who an event is shown under; the five gates by their names, what must never be said by its own.
WHO: Final = {
    Kind.CALL_ANNOUNCED: "call",
    Kind.CALL_PLACED: "call",
    Kind.ANSWERED_BY: "carrier",
    Kind.SESSION_STARTED: "call",
    Kind.PROMPT: "caller",
    Kind.PROMPT_QUEUED: "caller",
    Kind.KEYS: "caller",
    Kind.INTERRUPT: "caller",
    Kind.TURN_STARTED: "call",
    Kind.CRM_ASKED: "context",
    Kind.CRM_ANSWERED: "context",
    Kind.CONTEXT_RULED: "context",
    Kind.CONTEXT_USED: "context",
    Kind.INTENT_RULED: "context",
    Kind.UNDERSTANDING_RULED: "conversation",
    Kind.RECOVERY_RULED: "conversation",
    Kind.LANGUAGE_RULED: "conversation",
    Kind.HANDOFF_RULED: "handoff",
    Kind.GUARD_RULED: "never say",
    Kind.DISCLOSURE_SENT: "compliance",
    Kind.DISCLOSURE_RULED: "compliance",
    Kind.ORDERED: "handoff",
    Kind.BRIEF_ANSWERED: "handoff",
    Kind.FOLLOW_UP: "handoff",
    Kind.HANDOFF_OFFERED: "handoff",
    Kind.HANDOFF_REFUSED: "handoff",
    Kind.HANDOFF_ENDED: "handoff",
    Kind.MODEL_ASKED: "model",
    Kind.MODEL_ANSWERED: "model",
    Kind.MODEL_FAILED: "model",
    Kind.TOOL_CALLED: "model",
    Kind.SAID: "agent",
    Kind.HEARD: "agent",
    Kind.WIRE_ERROR: "carrier",
    Kind.SESSION_ENDED: "call",
    Kind.ACTION: "carrier",
    Kind.CALL_SUMMARISED: "compliance",
    Kind.WRITE_BACK: "context",
    Kind.SIDE_EFFECT: "model",
    Kind.CALL_ENDED: "call",
    Kind.EVENTS_LOST: "compliance",
}


def three_lines(events: Sequence[Event]) -> tuple[str, str, str]:
    """What context entered and what was withheld; why the agent stopped; who owns the follow-up, by when."""
    return _context(events), _stopped(events), _follow_up(events)


def timeline(events: Sequence[Event]) -> list[Line]:
    """One line for each event, in the order of the record."""
    if not events:
        return []
    start = events[0].at
    return [Line(event.at - start, WHO[event.kind], _text(event), event.kind) for event in events]


def _context(events: Iterable[Event]) -> str:
    rulings = [event.facts for event in events if event.kind is Kind.CONTEXT_RULED]
    if not rulings:
        return "Context: none was asked for, so nothing entered and nothing was withheld"
    entered = _names(ruling.get("entered") for ruling in rulings)
    withheld = _names(ruling.get("withheld") for ruling in rulings)
    return f"Context: entered {entered}; withheld {withheld}"


def _stopped(events: Iterable[Event]) -> str:
    ended = _end(events)
    if ended is None:
        return "Agent stopped: not yet, the call has no end in the record"
    why, outcome = ended.facts.get("stopped", "reason not recorded"), ended.facts.get("outcome", "unknown")
    return f"Agent stopped: {why}; outcome {outcome}"


def _follow_up(events: Sequence[Event]) -> str:
    ended = _end(events)
    if ended is None:
        return "Follow-up: not decided yet"
    action = ended.facts.get("next_action", "unverified")
    left = [event.facts for event in events if event.kind is Kind.FOLLOW_UP]
    if left:
        each = [
            f"{facts.get('what')} owned by {facts.get('owner', 'nobody')}{_by(facts.get('due_at'))}"
            for facts in left
        ]
        return f"Follow-up: {'; '.join(each)}; next_action {action}"
    if action in ("not_required", "correct"):
        return f"Follow-up: nobody, nothing was left to do; next_action {action}"
    return f"Follow-up: nobody owns it yet; next_action {action}"


def _by(due_at: Fact) -> str:
    if not isinstance(due_at, int | float):
        return ""
    return f" by {datetime.fromtimestamp(due_at, UTC):%Y-%m-%d %H:%M} UTC"


def _end(events: Iterable[Event]) -> Event | None:
    return next((event for event in events if event.kind is Kind.CALL_ENDED), None)


def _names(lists: Iterable[Fact]) -> str:
    """The names in all the lists, each once, in the order they came."""
    names = dict.fromkeys(name for found in lists if isinstance(found, list) for name in found)
    return ", ".join(names) or "nothing"


def _text(event: Event) -> str:  # one branch for each kind of event: a table that needs code
    facts = event.facts
    match event.kind:
        case Kind.CALL_ANNOUNCED | Kind.SESSION_STARTED | Kind.SESSION_ENDED | Kind.ACTION | Kind.CALL_ENDED:
            return _course(event)
        case Kind.CALL_PLACED:
            return f"placed for {facts.get('agent', 'an agent')}; consent: {facts.get('consent', 'none')}"
        case Kind.ANSWERED_BY:
            return f"answered by {facts.get('answered_by', 'unknown')}"
        case Kind.PROMPT | Kind.PROMPT_QUEUED | Kind.KEYS | Kind.INTERRUPT:
            return _from_caller(event)
        case Kind.MODEL_ASKED | Kind.MODEL_ANSWERED | Kind.MODEL_FAILED:
            return _from_model(event)
        case Kind.SAID:
            return f"says ({facts.get('purpose', 'reply')}): {_quoted(event)}"
        case Kind.HEARD:
            return f"was heard {'in full' if facts.get('whole') else 'only as far as'}: {_quoted(event)}"
        case Kind.TURN_STARTED:
            joined = ", joined to the one before" if facts.get("merged") else ""
            return f"turn {event.turn}{joined}: {_quoted(event)}"
        case Kind.CRM_ASKED | Kind.CRM_ANSWERED | Kind.CONTEXT_RULED | Kind.CONTEXT_USED | Kind.INTENT_RULED:
            return _context_line(event)
        case Kind.CALL_SUMMARISED:
            return f"kept for the next call ({facts.get('retention', 'facts')}): {_quoted(event)}"
        case Kind.WRITE_BACK | Kind.SIDE_EFFECT:
            return _write_back(event)
        case Kind.TOOL_CALLED:
            return f"called {facts.get('tool', 'a tool')}: {facts.get('says', 'no result')}"
        case Kind.UNDERSTANDING_RULED:
            return f"understood with {facts.get('score', 1)}: {_names([facts.get('signals')])}"
        case Kind.RECOVERY_RULED:
            rung = f", rung {facts['rung']}" if facts.get("rung") else ""
            return f"recovery from {facts.get('lane', 'trouble')}{rung}: {facts.get('move', 'nothing')}"
        case Kind.LANGUAGE_RULED:
            return f"goes on in {facts.get('language', 'another language')}"
        case Kind.HANDOFF_RULED | Kind.HANDOFF_OFFERED | Kind.HANDOFF_REFUSED | Kind.HANDOFF_ENDED:
            return _handoff(event)
        case Kind.GUARD_RULED:
            return _guard(event)
        case Kind.BRIEF_ANSWERED:
            answer = "yes" if facts.get("yes") else "no"
            return f"the person says of {facts.get('question', 'the brief')}: {answer}"
        case Kind.ORDERED:
            what, by = facts.get("what", "something"), facts.get("by", "somebody")
            return f"ordered by {by}: {what}" + (f", {facts['reason']}" if facts.get("reason") else "")
        case Kind.FOLLOW_UP:
            owner = f", owned by {facts['owner']}" if facts.get("owner") else ""
            return f"follow-up {facts.get('state', 'open')}: {facts.get('what', 'something')}{owner}"
        case Kind.DISCLOSURE_SENT:
            return f"disclosure sent: {_quoted(event)}"
        case Kind.DISCLOSURE_RULED:
            return f"disclosure proven with grade {facts.get('grade', 'D')}"
        case Kind.WIRE_ERROR:
            return f"{facts.get('what', 'error on the wire')}: {facts.get('detail', 'no detail')}"
        case Kind.EVENTS_LOST:
            return f"{facts.get('count', 'some')} events of this call were lost before they could be recorded"


def _course(event: Event) -> str:
    facts = event.facts
    match event.kind:
        case Kind.CALL_ANNOUNCED:
            rehearsal = ", a rehearsal" if facts.get("rehearsal") else ""
            agent = f"{facts.get('agent', 'an unnamed agent')} {facts.get('agent_version', '')}".rstrip()
            way = f"from {facts.get('from') or 'unknown'} to {facts.get('to') or 'unknown'}"
            return f"{facts.get('direction', 'inbound')} call {way}, answered by {agent}{rehearsal}"
        case Kind.SESSION_STARTED:
            return f"session {event.session} {'resumed the call' if facts.get('resumed') else 'opened'}"
        case Kind.SESSION_ENDED:
            known = [f"{name} {facts[name]}" for name in ("cause", "close_code") if facts.get(name)]
            return ", ".join([f"session {event.session} closed", *known])
        case Kind.ACTION:
            error = f", error {facts['error_code']}" if facts.get("error_code") else ""
            answer = f"; answered {facts['answer']}" if facts.get("answer") else ""
            return f"reports the session {facts.get('session_status', 'over')}{error}{answer}"
        case _:
            return f"ended: {facts.get('stopped', 'reason not recorded')}; " + ", ".join(
                f"{name} {facts.get(name, 'unknown')}" for name in ("outcome", "next_action")
            )


def _from_caller(event: Event) -> str:
    match event.kind:
        case Kind.KEYS:
            return f"presses {event.facts.get('text', 'keys')}"
        case Kind.INTERRUPT:
            heard = event.facts.get("heard")
            return f"interrupts after hearing “{heard}”" if heard else "interrupts"
        case _:
            queued = event.kind is Kind.PROMPT_QUEUED or event.facts.get("queued")
            return f"says{' (answered after the disclosure)' if queued else ''}: {_quoted(event)}"


def _from_model(event: Event) -> str:
    facts = event.facts
    model = facts.get("model", "the model")
    match event.kind:
        case Kind.MODEL_ASKED:
            after = f", {facts['after_ms']} ms after the caller's words" if "after_ms" in facts else ""
            return f"{model} was asked{after}"
        case Kind.MODEL_FAILED:
            detail = f" ({facts['detail']})" if facts.get("detail") else ""
            return f"{model} failed: {facts.get('failure', 'unknown')}{detail}"
        case _:
            words = [f"{model} answered"]
            if facts.get("finish") == "abandoned":
                words = [f"{model} was cut off, the reply was no longer wanted"]
            if "first_token_ms" in facts:
                words.append(f"first word after {facts['first_token_ms']} ms")
            if "total_ms" in facts:
                words.append(f"{facts['total_ms']} ms in all")
            return ", ".join(words)


def _context_line(event: Event) -> str:
    facts = event.facts
    match event.kind:
        case Kind.CRM_ASKED:
            return f"asks {facts.get('adapter', 'the CRM')} for {_names([facts.get('fields')])}"
        case Kind.CRM_ANSWERED:
            detail = f" ({facts['detail']})" if facts.get("detail") else ""
            took = f", {facts['took_ms']} ms" if "took_ms" in facts else ""
            return f"the caller in the CRM: {facts.get('finding', 'unknown')}{detail}{took}"
        case Kind.CONTEXT_USED:
            used, unused = _names([facts.get("used")]), _names([facts.get("unused")])
            return f"of what entered, used {used}; never used {unused}"
        case Kind.INTENT_RULED:
            return f"the caller's intent: {facts.get('intent', 'other')}"
        case _:
            why = facts.get("why")
            reasons = f" ({'; '.join(why)})" if isinstance(why, list) and why else ""
            entered, withheld = _names([facts.get("entered")]), _names([facts.get("withheld")])
            return f"entered {entered}; withheld {withheld}{reasons}"


def _write_back(event: Event) -> str:
    facts = event.facts
    reason = f" ({facts['reason']})" if facts.get("reason") else ""
    done = "side effect" if event.kind is Kind.SIDE_EFFECT else "write-back"
    return f"{done} of {facts.get('what', 'a record')}: {facts.get('state', 'unknown')}{reason}" + (
        f"; next_action {facts['next_action']}" if facts.get("next_action") else ""
    )


def _handoff(event: Event) -> str:
    facts = event.facts
    where = facts.get("destination", "somebody")
    match event.kind:
        case Kind.HANDOFF_OFFERED:
            within = f", within {facts['sla_s']} s" if "sla_s" in facts else ""
            return f"offered to {where} for {facts.get('reason', 'a reason not recorded')}{within}"
        case Kind.HANDOFF_REFUSED:
            return f"not offered to {where}: {facts.get('reason', 'reason not recorded')}"
        case Kind.HANDOFF_ENDED:
            met = "met" if facts.get("sla_met") else "missed"
            waited = (
                f" after {facts['wait_s']} s, SLA of {facts.get('sla_s')} s {met}"
                if "wait_s" in facts
                else ""
            )
            return f"{where}: {facts.get('outcome', 'outcome not recorded')}{waited}"
    decision = str(event.facts.get("decision", "go_on"))
    if decision == "go_on":
        return "no reason to hand off: the agent goes on"
    reason = event.facts.get("reason")
    return f"hands off: {decision}" + (f", {reason}" if reason else "")


def _guard(event: Event) -> str:
    facts = event.facts
    if facts.get("decision", "allow") == "allow":
        return "nothing prohibited in the reply"
    planned = f"; planned: “{facts['planned']}”" if facts.get("planned") else ""
    spoken = f"; spoken: “{facts['spoken']}”" if facts.get("spoken") else ""
    return f"{facts['decision']} by rule {facts.get('rule', 'unknown')}{planned}{spoken}"


def _quoted(event: Event) -> str:
    return f"“{event.facts.get('text', '')}”"


def _listed(event: Event) -> str:
    return ", ".join(f"{name} {value}" for name, value in event.facts.items())
