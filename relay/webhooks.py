"""Twilio's HTTP requests: a call comes in, a session has ended, a call has changed its state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import msgspec
import structlog
from msgspec.structs import replace
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from compliance.events import Event, Fact, Kind
from policies.lines import lines
from policies.outcome import Stopped
from policies.vocabulary import EscalationReason
from relay import announcement, twiml
from relay.addresses import Addresses
from relay.remembered import Remembered
from relay.signature import Form, genuine
from relay.state import Snapshot
from relay.switchboard import Agent, Switchboard

BODY_LIMIT = 64 * 1024  # bytes; Twilio's forms have about 2 KB
MOST_RESUMES = 2  # sessions of one call after the first, when sessions are lost
REHEARSAL = "x-fivegates-rehearsal"  # sent by the phone

MAX_LENGTH_REACHED = "64104"
OVER = frozenset({"completed", "failed", "canceled", "busy", "no-answer"})
PROVIDER_FAILED = frozenset({"64101", "64106", "64114"})  # the same TwiML would fail again

ESCALATIONS = frozenset(EscalationReason)

log = structlog.get_logger()


class Refused(Exception):
    """Answer with this status and sentence; nothing of the request is acted on."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status


@dataclass(frozen=True, slots=True)
class Webhooks:
    calls: Switchboard
    addresses: Addresses
    _answers: Remembered[str] = field(default_factory=Remembered)
    _answering: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def voice(self, request: Request) -> Response:
        """`POST /twilio/voice`: TwiML that connects the call to our socket, at once."""
        try:
            form = await self._form(request)
            account_sid, call_sid = _required(form, "AccountSid"), _required(form, "CallSid")
            self._ours(account_sid)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        outbound = _first(form, "Direction").startswith("outbound")
        agent = self.calls.agent_for(_first(form, "From" if outbound else "To"))
        if agent is None:
            return _xml(twiml.goodbye(lines("en").apology, "en-US"))
        language = agent.file.language
        if not self.calls.live.accepting or len(self.calls.live) >= self.calls.settings.max_calls:
            return _xml(twiml.goodbye(lines(language).apology, language))
        rehearsal = request.headers.get(REHEARSAL) == "1"
        facts: dict[str, Fact] = {
            "direction": _first(form, "Direction"),
            "from": _first(form, "From"),
            "to": _first(form, "To"),
            "agent": agent.file.agent.name,
            "agent_version": agent.file.version,
            "agent_hash": agent.file.hash,
            "rehearsal": rehearsal,
        }
        self.calls.journal.record(Event(call_sid, self.calls.clock(), Kind.CALL_ANNOUNCED, facts=facts))
        theirs = _first(form, "To" if outbound else "From")
        self.calls.meet(call_sid, agent, theirs, stir=_first(form, "StirVerstat"))
        return _xml(self._connect(request, agent, account_sid, call_sid, 1, rehearsal=rehearsal))

    async def action(self, request: Request) -> Response:
        """`POST /twilio/action`: the session has ended; what happens to the call now?"""
        try:
            form = await self._form(request)
            account_sid, call_sid = _required(form, "AccountSid"), _required(form, "CallSid")
            self._ours(account_sid)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        name = f"action-{_first(form, 'SessionId')}-{_first(form, 'SessionStatus')}"
        key = f"{call_sid} {name}"
        async with self._answering:  # a repeated request waits for the first one's answer
            answer = self._answers.get(key)
            if answer is None:
                answer = await self._answer(request, form, account_sid, call_sid)
                answer = await self.calls.same_answer(call_sid, name, answer)
                self._answers.put(key, answer)
        return _xml(answer)

    async def status(self, request: Request) -> Response:
        """`POST /twilio/status`: the call's own progress; the last word when no session will say it."""
        try:
            form = await self._form(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        call_sid = _first(form, "CallSid")
        if call_sid and _first(form, "CallStatus") in OVER:
            snapshot = await self.calls.snapshot(call_sid)
            if snapshot or self.calls.known(call_sid):  # the number also rings for calls that are not ours
                self.calls.finalise(call_sid, Stopped.CALLER_HUNG_UP, snapshot)
        return Response(status_code=204)

    async def fallback(self, request: Request) -> Response:
        """`POST /twilio/fallback`: our voice webhook has failed; nobody is left with a busy tone."""
        try:
            form = await self._form(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        log.error("the voice webhook failed", code=_first(form, "ErrorCode"))
        agent = self.calls.agent_for(_first(form, "To"))
        language = agent.file.language if agent else "en-US"
        return _xml(twiml.goodbye(lines(language).apology, language))

    async def _answer(self, request: Request, form: Form, account_sid: str, call_sid: str) -> str:
        snapshot = await self.calls.snapshot(call_sid)
        status, error = _first(form, "SessionStatus"), _first(form, "ErrorCode")
        alive = _first(form, "CallStatus") not in OVER
        reason = _reason(_first(form, "HandoffData"))
        snapshot = snapshot or self._unseen(form, call_sid)
        agent = self.calls.agent_for(snapshot.caller if snapshot.outbound else snapshot.called)
        language = agent.file.language if agent else "en-US"
        lost = status == "failed" or (status == "ended" and reason == "resume")
        if not alive or status == "completed":
            stopped, answer = Stopped.CALLER_HUNG_UP, twiml.nothing()
        elif error == MAX_LENGTH_REACHED:
            stopped, answer = Stopped.CARRIER_FAILED, twiml.hang_up()
        elif lost and agent and snapshot.resumes < MOST_RESUMES and error not in PROVIDER_FAILED:
            self._tell_action(call_sid, status, error, "resume")
            # Raised here, not when the socket opens: one that never opens counts too, and an older session
            # that is still alive somewhere is refused from now on.
            number = snapshot.session + 1
            self.calls.remember(replace(snapshot, session=number, resumes=snapshot.resumes + 1))
            return self._connect(request, agent, account_sid, call_sid, number, rehearsal=snapshot.rehearsal)
        elif status == "ended" and reason in ("", "goodbye"):
            stopped, answer = Stopped.AGENT_ENDED, twiml.hang_up()
        elif status == "ended" and reason in ESCALATIONS:
            stopped, answer = Stopped.NOBODY_TOOK_IT, twiml.goodbye(lines(language).apology, language)
        else:
            stopped, answer = Stopped.SESSION_LOST, twiml.goodbye(lines(language).apology, language)
        self._tell_action(call_sid, status, error, stopped)
        self.calls.finalise(call_sid, stopped, snapshot)
        return answer

    def _unseen(self, form: Form, call_sid: str) -> Snapshot:
        """The state of a call of which no session was ever saved."""
        return Snapshot(
            call_sid=call_sid,
            session=1,
            turn=0,
            agent="",
            agent_hash="",
            caller=_first(form, "From"),
            called=_first(form, "To"),
            outbound=_first(form, "Direction").startswith("outbound"),
            updated_at=self.calls.clock(),
        )

    def _tell_action(self, call_sid: str, status: str, error: str, answer: str) -> None:
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

    def _ours(self, account_sid: str) -> None:
        if self.calls.settings.account_sid not in (None, account_sid):
            raise Refused(403, "this call belongs to another account")

    async def _form(self, request: Request) -> Form:
        """The request's fields, blank ones kept, once its signature is found genuine. Raises `Refused`."""
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT:
                    raise Refused(413, "the form is larger than any of Twilio's")
            form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=500)
        except (ClientDisconnect, ValueError) as error:
            raise Refused(400, "the body is no form") from error
        if self.addresses.keys is None:
            if not self.addresses.local(request):
                raise Refused(403, "without TWILIO_AUTH_TOKEN and PUBLIC_URL only this machine may call")
        elif not genuine(self.addresses.keys, self.addresses.requested(request), request.headers, form):
            log.warning("webhook refused: wrong signature", path=request.url.path)
            raise Refused(403, "the signature is not Twilio's for this address: check PUBLIC_URL")
        return form


def _first(form: Form, name: str) -> str:
    return form.get(name, ("",))[0]


def _required(form: Form, name: str) -> str:
    if not (value := _first(form, name)):
        raise Refused(400, f"the field {name} is missing")
    return value


def _reason(handoff_data: str) -> str:
    """The `reason` of our own handoff data; blank for none and for what is not ours."""
    if not handoff_data:
        return ""
    try:
        data = msgspec.json.decode(handoff_data, type=Mapping[str, object])
    except msgspec.DecodeError:
        return "unreadable"
    return str(data.get("reason", ""))


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml")
