"""Twilio's HTTP requests: a call comes in, a session has ended, a call has changed its state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec
import structlog
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from compliance.events import Event, Fact, Kind
from handoff.hours import Hours
from policies.lines import lines
from policies.outcome import Stopped
from policies.routes import route
from policies.vocabulary import EscalationReason
from relay import announcement, twiml
from relay.addresses import Addresses
from relay.forms import Form, Forms, Refused, required
from relay.handings import Handing
from relay.places import CALLBACK
from relay.remembered import Remembered
from relay.state import Snapshot
from relay.switchboard import Agent, Switchboard, ref
from relay.transfers import Answer, Back, GoesOn, Over, Transfers, nobody

MOST_RESUMES = 2  # sessions of one call after the first, when sessions are lost
REHEARSAL = "x-fivegates-rehearsal"  # sent by the phone

MAX_LENGTH_REACHED = "64104"
OVER = frozenset({"completed", "failed", "canceled", "busy", "no-answer"})
PROVIDER_FAILED = frozenset({"64101", "64106", "64114"})  # the same TwiML would fail again

ESCALATIONS = frozenset(EscalationReason)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Webhooks:
    calls: Switchboard
    addresses: Addresses
    forms: Forms
    transfers: Transfers
    _answers: Remembered[str] = field(default_factory=Remembered)
    _answering: Remembered[asyncio.Lock] = field(default_factory=Remembered)  # by call

    async def voice(self, request: Request) -> Response:
        """`POST /twilio/voice`: TwiML that connects the call to our socket, at once."""
        try:
            form = await self.forms.read(request)
            account_sid, call_sid = required(form, "AccountSid"), required(form, "CallSid")
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        outbound = form.get("Direction", "").startswith("outbound")
        agent = self.calls.agent_for(form.get("From" if outbound else "To", ""))
        if agent is None:
            return _xml(twiml.goodbye(lines("en").apology, "en-US"))
        language = agent.file.language
        if not self.calls.live.accepting or len(self.calls.live) >= self.calls.settings.max_calls:
            return _xml(twiml.goodbye(lines(language).apology, language))
        rehearsal = request.headers.get(REHEARSAL) == "1"
        facts: dict[str, Fact] = {
            "direction": form.get("Direction", ""),
            "from": form.get("From", ""),
            "to": form.get("To", ""),
            "agent": agent.file.agent.name,
            "agent_version": agent.file.version,
            "agent_hash": agent.file.hash,
            "rehearsal": rehearsal,
        }
        self.calls.journal.record(Event(call_sid, self.calls.clock(), Kind.CALL_ANNOUNCED, facts=facts))
        theirs = form.get("To" if outbound else "From", "")
        to = self.calls.control.bypass(agent.file, call_sid)
        if to is not None:  # a repeated request gets the same answer: nobody rings twice
            straight = partial(self._straight, request, form, agent, account_sid, call_sid, to)
            return _xml(await self.once(call_sid, "voice", partial(straight, rehearsal=rehearsal)))
        self.calls.meet(call_sid, agent, theirs, stir=form.get("StirVerstat", ""))
        return _xml(self._connect(request, agent, account_sid, call_sid, 1, rehearsal=rehearsal))

    async def _straight(
        self,
        request: Request,
        form: Form,
        agent: Agent,
        account_sid: str,
        call_sid: str,
        to: str,
        *,
        rehearsal: bool,
    ) -> str:
        """To people at once: the agent is paused, or answers only a share of the calls."""
        seen = replace(self.unseen(form, call_sid), rehearsal=rehearsal)
        self.calls.remember(seen)
        new = self.new_handing(agent, seen, account_sid, EscalationReason.OUT_OF_SCOPE, ref())
        name = self.destination(agent, replace(new, destination=to))
        return await self.carry_out(request, await self.transfers.begin(new, name), call_sid)

    async def action(self, request: Request) -> Response:
        """`POST /twilio/action`: the session has ended; what happens to the call now?"""
        try:
            form = await self.forms.read(request)
            account_sid, call_sid = required(form, "AccountSid"), required(form, "CallSid")
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        name = f"action-{form.get('SessionId', '')}-{form.get('SessionStatus', '')}"
        return _xml(
            await self.once(call_sid, name, lambda: self._answer(request, form, account_sid, call_sid))
        )

    async def once(self, call_sid: str, name: str, answer: Callable[[], Awaitable[str]]) -> str:
        """A repeated request waits for the first one's answer, and gets the same, wherever it comes in."""
        key = f"{call_sid} {name}"
        async with self._answering.first(call_sid, asyncio.Lock()):
            known = self._answers.get(key)
            if known is None:
                known = await self.calls.same_answer(call_sid, name, await answer())
                self._answers.put(key, known)
        return known

    async def status(self, request: Request) -> Response:
        """`POST /twilio/status`: the call's own progress; the last word when no session will say it."""
        try:
            form = await self.forms.read(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        call_sid = form.get("CallSid", "")
        if call_sid and form.get("CallStatus", "") in OVER:
            if await self.transfers.hung_up(call_sid):
                return Response(status_code=204)
            snapshot = await self.calls.snapshot(call_sid)
            if snapshot or self.calls.known(call_sid):  # the number also rings for calls that are not ours
                self.calls.finalise(call_sid, Stopped.CALLER_HUNG_UP, snapshot)
        return Response(status_code=204)

    async def fallback(self, request: Request) -> Response:
        """`POST /twilio/fallback`: our voice webhook has failed; nobody is left with a busy tone."""
        try:
            form = await self.forms.read(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        log.error("the voice webhook failed", code=form.get("ErrorCode", ""))
        agent = self.calls.agent_for(form.get("To", ""))
        language = agent.file.language if agent else "en-US"
        return _xml(twiml.goodbye(lines(language).apology, language))

    async def _answer(self, request: Request, form: Form, account_sid: str, call_sid: str) -> str:
        snapshot = await self.calls.snapshot(call_sid)
        status, error = form.get("SessionStatus", ""), form.get("ErrorCode", "")
        alive = form.get("CallStatus", "") not in OVER
        handoff_data = form.get("HandoffData", "")
        reason = field_of(handoff_data, "reason")
        snapshot = snapshot or self.unseen(form, call_sid)
        agent = self.calls.agent_for(snapshot.caller if snapshot.outbound else snapshot.called)
        language = agent.file.language if agent else "en-US"
        lost = status == "failed" or (status == "ended" and reason == "resume")
        if alive and agent and status == "ended" and reason in ESCALATIONS:
            handing = await self.transfers.handings.load(ref_of(handoff_data)) or self.new_handing(
                agent, snapshot, account_sid, EscalationReason(reason), ref_of(handoff_data)
            )
            self.tell_action(call_sid, status, error, reason)
            name = self.destination(agent, handing)
            return await self.carry_out(request, await self.transfers.begin(handing, name), call_sid)
        if not alive or status == "completed":
            stopped, answer = Stopped.CALLER_HUNG_UP, twiml.nothing()
        elif error == MAX_LENGTH_REACHED:
            stopped, answer = Stopped.CARRIER_FAILED, twiml.hang_up()
        elif lost and agent and snapshot.resumes < MOST_RESUMES and error not in PROVIDER_FAILED:
            self.tell_action(call_sid, status, error, "resume")
            # Raised here, not when the socket opens: one that never opens counts too, and an older session
            # that is still alive somewhere is refused from now on.
            number = snapshot.session + 1
            self.calls.remember(replace(snapshot, session=number, resumes=snapshot.resumes + 1))
            return self._connect(request, agent, account_sid, call_sid, number, rehearsal=snapshot.rehearsal)
        elif status == "ended" and reason in ("", "goodbye"):
            stopped, answer = Stopped.AGENT_ENDED, twiml.hang_up()
        else:
            stopped, answer = Stopped.SESSION_LOST, twiml.goodbye(lines(language).apology, language)
        self.tell_action(call_sid, status, error, stopped)
        self.calls.finalise(call_sid, stopped, snapshot)
        return answer

    async def carry_out(self, request: Request, answer: Answer, call_sid: str) -> str:
        """The TwiML for a call on its way to a person, or back from there."""
        match answer:
            case GoesOn(text):
                return text
            case Over(text, stopped):
                self.calls.finalise(call_sid, stopped, await self.calls.snapshot(call_sid))
                return text
            case Back(handing):
                snapshot = await self.calls.snapshot(call_sid)
                agent = self.calls.agent_named(handing.agent)
                if snapshot is None or agent is None:
                    self.calls.finalise(call_sid, Stopped.NOBODY_TOOK_IT, snapshot)
                    return nobody(handing.language)
                number = snapshot.session + 1
                again = replace(snapshot, session=number, nobody_free=True)
                self.calls.remember(again)
                return self._connect(
                    request, agent, handing.account_sid, call_sid, number, rehearsal=snapshot.rehearsal
                )

    def destination(self, agent: Agent, handing: Handing) -> str:
        """Where this call goes first: where somebody sends it, else by the agent file's routes."""
        if handing.destination in agent.choices:
            return handing.destination
        hours = agent.file.handoff.hours
        waits = handing.reason is not EscalationReason.EMERGENCY
        if hours and waits and not Hours.of(hours).is_open(self.calls.clock()).open:
            return hours.closed
        when = handing.reason.value, handing.intent, handing.tier, handing.language
        return route(agent.file.handoff.routes, *when) or CALLBACK

    def new_handing(
        self, agent: Agent, snapshot: Snapshot, account_sid: str, reason: EscalationReason, ref: str
    ) -> Handing:
        """What can be said of a call whose session left nothing else behind."""
        return Handing(
            ref=ref,
            brief_ref=ref,
            call_sid=snapshot.call_sid,
            account_sid=account_sid,
            session=snapshot.session,
            agent=agent.file.agent.name,
            reason=reason,
            intent="other",
            tier="",
            language=agent.file.language,
            caller=snapshot.called if snapshot.outbound else snapshot.caller,
            ours=snapshot.caller if snapshot.outbound else snapshot.called,
            rehearsal=snapshot.rehearsal,
        )

    def unseen(self, form: Form, call_sid: str) -> Snapshot:
        """The state of a call of which no session was ever saved."""
        return Snapshot(
            call_sid=call_sid,
            session=1,
            turn=0,
            agent="",
            agent_hash="",
            caller=form.get("From", ""),
            called=form.get("To", ""),
            outbound=form.get("Direction", "").startswith("outbound"),
            updated_at=self.calls.clock(),
        )

    def tell_action(self, call_sid: str, status: str, error: str, answer: str) -> None:
        self.calls.tell(call_sid, Kind.ACTION, session_status=status, error_code=error, answer=answer)

    def _connect(
        self,
        request: Request,
        agent: Agent,
        account_sid: str,
        call_sid: str,
        number: int,
        *,
        rehearsal: bool,
    ) -> str:
        token = self.calls.announce(account_sid, call_sid, number, rehearsal=rehearsal)
        return twiml.connect(
            agent.file.voice,
            agent.file.language,
            socket=self.addresses.socket(request),
            action=self.addresses.webhook(request, "/twilio/action"),
            parameters={announcement.PARAMETER: token},
            greeted=number > 1,
        )


def ref_of(handoff_data: str) -> str:
    """The reference of our own handoff data; a fresh one where it is not ours."""
    return field_of(handoff_data, "ref") or ref()


def field_of(handoff_data: str, name: str) -> str:
    """Of our own handoff data; blank for none, and for what is not ours."""
    if not handoff_data:
        return ""
    try:
        data = msgspec.json.decode(handoff_data, type=dict[str, object])
    except msgspec.MsgspecError:
        return "unreadable" if name == "reason" else ""
    return str(data.get(name, ""))


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml")
