"""A call inside a Studio flow: `POST /twilio/studio` takes it, `POST /twilio/studio/action` gives it back.

Twilio, "TwiML Redirect widget": the flow prints a `<Redirect>` to us, so that our request is an ordinary
voice webhook; our last answer redirects to the flow with `FlowEvent=return`. The flow says what comes next;
the caller of a call that we cannot take, or have lost, goes back to it as well, never to a busy tone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from compliance.events import Event, Fact, Kind
from handoff.studio import back
from policies.agent_destinations import Studio
from policies.agent_voice import PARAMETER_LIMIT
from policies.outcome import Stopped, outcome
from policies.vocabulary import EscalationReason, Outcome
from relay import announcement, twiml
from relay.forms import Form, Refused, required
from relay.state import Snapshot
from relay.switchboard import STUDIO_PARAMETER, Agent, ref
from relay.webhooks import (
    ESCALATIONS,
    MAX_LENGTH_REACHED,
    MOST_RESUMES,
    OVER,
    PROVIDER_FAILED,
    REHEARSAL,
    Webhooks,
    field_of,
    ref_of,
)

ACTION: Final = "/twilio/studio/action"
FLOW: Final = "flow"
GOODBYE: Final = "goodbye"
UNNAMED: Final = "studio"  # the destination, where FIVEGATES_STUDIO_FLOWS alone names the flow
LONGEST_QUERY: Final = 1500  # characters of our action's query; what does not fit is not passed on
OURS: Final = frozenset({FLOW, announcement.PARAMETER, STUDIO_PARAMETER})


@dataclass(frozen=True, slots=True)
class Visit:
    """One believed request of a flow that may send us calls."""

    webhooks: Webhooks
    request: Request = field(repr=False)
    form: Form = field(repr=False)
    account_sid: str
    call_sid: str
    flow: str
    agent: Agent | None

    @property
    def outbound(self) -> bool:
        return self.form.get("Direction", "").startswith("outbound")

    @property
    def rehearsal(self) -> bool:
        return self.request.headers.get(REHEARSAL) == "1"

    def facts(self) -> Mapping[str, str]:
        """What the flow says of the caller, as far as the agent file admits it."""
        said = {**self.form, **self.request.query_params}
        names = self.agent.desk.parameters if self.agent else ()
        return {
            name: said[name]
            for name in names
            if name not in OURS and said.get(name) and len(name) + len(said[name]) < PARAMETER_LIMIT
        }

    def connect(self, agent: Agent, number: int, *, rehearsal: bool) -> str:
        """Session `number` of this call. Its action brings the facts again, for the session after it."""
        facts, addresses = self.facts(), self.webhooks.addresses
        token = self.webhooks.calls.announce(self.account_sid, self.call_sid, number, rehearsal=rehearsal)
        return twiml.connect(
            agent.file.voice,
            agent.file.language,
            socket=addresses.socket(self.request),
            action=f"{addresses.webhook(self.request, ACTION)}?{_query(self.flow, facts)}",
            parameters={**facts, announcement.PARAMETER: token},
            greeted=number > 1,
        )

    def back(self, reason: str, how: Outcome, reference: str) -> str:
        return back(self.account_sid, self.flow, ref=reference, reason=reason, outcome=how)


@dataclass(frozen=True, slots=True)
class StudioRoutes:
    """`webhooks` gives what is alive while the process serves: it is opened after the routes are made."""

    webhooks: Callable[[Request], Webhooks]

    def routes(self) -> list[Route]:
        return [
            Route("/twilio/studio", self.voice, methods=["POST"]),
            Route(ACTION, self.action, methods=["POST"]),
        ]

    async def voice(self, request: Request) -> Response:
        """TwiML that connects the call to our socket; the flow has the call back at once where it cannot."""
        try:
            visit = await self._visit(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        if visit.agent is None or visit.webhooks.calls.not_ready():
            return _xml(visit.back(EscalationReason.SYSTEM_FAILURE, Outcome.FAILED_BY_SYSTEM, ref()))
        return _xml(await _arrived(visit, visit.agent))

    async def action(self, request: Request) -> Response:
        """The session has ended: the call goes back to the flow, or to us again when the session was lost."""
        try:
            visit = await self._visit(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        name = f"studio-{visit.form.get('SessionId', '')}-{visit.form.get('SessionStatus', '')}"
        return _xml(await visit.webhooks.once(visit.call_sid, name, lambda: _ended(visit)))

    async def _visit(self, request: Request) -> Visit:
        """Raises `Refused`."""
        webhooks = self.webhooks(request)
        form = await webhooks.forms.read(request)
        outbound = form.get("Direction", "").startswith("outbound")
        agent = webhooks.calls.agent_for(form.get("From" if outbound else "To", ""))
        return Visit(
            webhooks=webhooks,
            request=request,
            form=form,
            account_sid=required(form, "AccountSid"),
            call_sid=required(form, "CallSid"),
            flow=_flow(request, webhooks.calls.settings.studio_flows, agent),
            agent=agent,
        )


def _flow(request: Request, configured: frozenset[str], agent: Agent | None) -> str:
    """The flow that the request names, where it is one of ours. Raises `Refused`."""
    destinations = agent.file.handoff.destinations.values() if agent else ()
    allowed = configured | {each.flow_sid for each in destinations if isinstance(each, Studio)}
    named = request.query_params.get(FLOW) or (next(iter(allowed)) if len(allowed) == 1 else "")
    if named not in allowed:
        raise Refused(403, "no such flow in FIVEGATES_STUDIO_FLOWS or the agent's studio destinations")
    return named


async def _arrived(visit: Visit, agent: Agent) -> str:
    """The first time, or again: a flow may send a call back to us for which nobody was free."""
    calls, form = visit.webhooks.calls, visit.form
    before = await calls.snapshot(visit.call_sid)
    if before is not None:
        handed = await visit.webhooks.transfers.handings.of_call(visit.call_sid) is not None
        again = replace(before, session=before.session + 1, nobody_free=handed)
        calls.remember(again)
        return visit.connect(agent, again.session, rehearsal=again.rehearsal)
    facts: dict[str, Fact] = {
        "direction": form.get("Direction", ""),
        "from": form.get("From", ""),
        "to": form.get("To", ""),
        "agent": agent.file.agent.name,
        "agent_version": agent.file.version,
        "agent_hash": agent.file.hash,
        "rehearsal": visit.rehearsal,
        "flow": visit.flow,
    }
    calls.journal.record(Event(visit.call_sid, calls.clock(), Kind.CALL_ANNOUNCED, facts=facts))
    theirs = form.get("To" if visit.outbound else "From", "")
    calls.meet(visit.call_sid, agent, theirs, stir=form.get("StirVerstat", ""))
    return visit.connect(agent, 1, rehearsal=visit.rehearsal)


async def _ended(visit: Visit) -> str:
    """As `Webhooks` decides it, save that the flow takes every call that is still alive and not resumed."""
    webhooks, form = visit.webhooks, visit.form
    snapshot = await webhooks.calls.snapshot(visit.call_sid) or webhooks.unseen(form, visit.call_sid)
    status, error = form.get("SessionStatus", ""), form.get("ErrorCode", "")
    handoff_data = form.get("HandoffData", "")
    reason, reference = field_of(handoff_data, "reason"), ref_of(handoff_data)
    lost = status == "failed" or (status == "ended" and reason == "resume")
    if form.get("CallStatus", "") in OVER or status == "completed":
        return _over(visit, snapshot, Stopped.CALLER_HUNG_UP, twiml.nothing())
    if error == MAX_LENGTH_REACHED:
        return _over(visit, snapshot, Stopped.CARRIER_FAILED, twiml.hang_up())
    if status == "ended" and reason in ESCALATIONS:
        await _handed(visit, snapshot, EscalationReason(reason), reference)
        return _back(visit, snapshot, Stopped.HANDED_OVER, reason, reference)
    if lost and visit.agent and snapshot.resumes < MOST_RESUMES and error not in PROVIDER_FAILED:
        webhooks.tell_action(visit.call_sid, status, error, "resume")
        number = snapshot.session + 1
        webhooks.calls.remember(replace(snapshot, session=number, resumes=snapshot.resumes + 1))
        return visit.connect(visit.agent, number, rehearsal=snapshot.rehearsal)
    if status == "ended" and reason in ("", GOODBYE):
        return _back(visit, snapshot, Stopped.AGENT_ENDED, GOODBYE, reference)
    return _back(visit, snapshot, Stopped.SESSION_LOST, EscalationReason.SYSTEM_FAILURE, reference)


async def _handed(visit: Visit, snapshot: Snapshot, reason: EscalationReason, reference: str) -> None:
    """The flow is the destination; what is known of the call stays under the reference it is given."""
    webhooks = visit.webhooks
    if visit.agent is None:
        return
    handings = webhooks.transfers.handings
    handing = await handings.load(reference) or webhooks.new_handing(
        visit.agent, snapshot, visit.account_sid, reason, reference
    )
    destinations = visit.agent.file.handoff.destinations.items()
    ours = [
        (name, to.sla) for name, to in destinations if isinstance(to, Studio) and to.flow_sid == visit.flow
    ]
    destination, sla = ours[0] if ours else (UNNAMED, 0.0)
    await handings.keep(replace(handing, destination=destination, tried=(*handing.tried, destination)))
    webhooks.calls.tell(
        visit.call_sid,
        Kind.HANDOFF_OFFERED,
        session=snapshot.session,
        destination=destination,
        reason=reason,
        sla_s=sla,
    )


def _back(visit: Visit, snapshot: Snapshot, stopped: Stopped, reason: str, reference: str) -> str:
    how = outcome(stopped, turns=snapshot.turn, unanswered=snapshot.unanswered)
    return _over(visit, snapshot, stopped, visit.back(reason, how, reference))


def _over(visit: Visit, snapshot: Snapshot, stopped: Stopped, answer: str) -> str:
    form = visit.form
    status, error = form.get("SessionStatus", ""), form.get("ErrorCode", "")
    visit.webhooks.tell_action(visit.call_sid, status, error, stopped)
    visit.webhooks.calls.finalise(visit.call_sid, stopped, snapshot)
    return answer


def _query(flow: str, facts: Mapping[str, str]) -> str:
    """The facts that fit, in the agent file's order."""
    kept = {FLOW: flow}
    for name, value in facts.items():
        if len(urlencode({**kept, name: value})) <= LONGEST_QUERY:
            kept[name] = value
    return urlencode(kept)


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml")
