"""`POST /calls`: a call is placed once law and agent file allow it; a machine that answers is not talked to.

curl -H "Authorization: Bearer $FIVEGATES_API_TOKEN" -d '{"to": "+12125550100", "agent": "acme-sales",
    "consent": {"basis": "asked for a call on the website", "given_at": "2026-11-20T09:00:00Z"}}' …/calls
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import phonenumbers
import structlog
from phonenumbers import timezone
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from compliance.database import DatabaseUnavailable
from compliance.events import Kind
from handoff.twilio_rest import Amd, TwilioRefused, TwilioUnavailable
from policies import calling_hours
from policies.lines import lines
from policies.outcome import Stopped
from relay import twiml
from relay.forms import Forms, Refused
from relay.switchboard import Agent, Switchboard

BODY_LIMIT: Final = 16 * 1024
UNKNOWN_ZONE: Final = "Etc/Unknown"
MACHINE: Final = (
    "machine"  # AnsweredBy: machine_start, machine_end_beep, machine_end_silence, machine_end_other
)

log = structlog.get_logger()


class Consent(msgspec.Struct, forbid_unknown_fields=True):
    """Why this person may be rung, and since when."""

    basis: str
    given_at: datetime


class Order(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """What is asked for. `facts` pass the context filter (`context.sources.request`)."""

    to: str
    consent: Consent
    agent: str = ""
    from_: str = ""
    timezone: str = ""
    facts: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Outbound:
    calls: Switchboard
    forms: Forms
    public_url: str | None
    api_token: str | None = field(repr=False)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def place(self, request: Request) -> Response:
        """202 and the call's SID, or why not, in words."""
        try:
            self._authorised(request)
            order = await _order(request)
            agent = self._agent(order)
            ours = order.from_ or next(iter(agent.file.agent.numbers), "")
            await self._allowed(order, agent, ours)
            call_sid = await self._ring(order, ours)
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        self.calls.tell(
            call_sid,
            Kind.CALL_PLACED,
            agent=agent.file.agent.name,
            consent=order.consent.basis[:200],
            given_at=order.consent.given_at.isoformat(),
        )
        await self.calls.requested(call_sid, order.facts)
        return JSONResponse({"call_sid": call_sid}, 202)

    async def answered_by(self, request: Request) -> Response:
        """`POST /twilio/amd`: who picked up. A machine hears a short message and nothing else."""
        try:
            form = await self.forms.read(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        call_sid, answered_by = form.get("CallSid", ""), form.get("AnsweredBy", "")
        self.calls.tell(call_sid, Kind.ANSWERED_BY, answered_by=answered_by[:32])
        if not answered_by.startswith(MACHINE):
            return Response(status_code=204)
        agent = self.calls.agent_for(form.get("From", ""))
        language = agent.file.language if agent else "en-US"
        organisation = agent.file.agent.organisation if agent else ""
        message = lines(language).for_machine(organisation)
        snapshot = await self.calls.snapshot(call_sid)
        self.calls.finalise(call_sid, Stopped.MACHINE, snapshot)
        if self.calls.rest:
            try:
                await self.calls.rest.move_call(call_sid, twiml=twiml.goodbye(message, language))
            except (TwilioUnavailable, TwilioRefused) as error:
                log.warning("an answering machine could not be left", fault=str(error))
        return Response(status_code=204)

    def _authorised(self, request: Request) -> None:
        if not self.api_token:
            raise Refused(403, "calls are placed only when FIVEGATES_API_TOKEN is set")
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.api_token}".encode()):
            raise Refused(401, "send `Authorization: Bearer` and FIVEGATES_API_TOKEN")

    def _agent(self, order: Order) -> Agent:
        named = [agent for agent in self.calls.agents if order.agent in ("", agent.file.agent.name)]
        if len(named) != 1:
            raise Refused(422, f"no agent is named {order.agent!r}" if order.agent else "name an agent")
        return named[0]

    async def _allowed(self, order: Order, agent: Agent, ours: str) -> None:
        """The checks, the cheapest first. Raises `Refused`."""
        if not ours:
            raise Refused(422, "name a number to call from (`from`), or `agent.numbers` in the agent file")
        if order.consent.given_at.tzinfo is None or order.consent.given_at > self.now():
            raise Refused(422, "consent.given_at must be a moment in the past, with its offset from UTC")
        if not order.consent.basis.strip():
            raise Refused(422, "consent.basis must say how the person agreed to be called")
        if refused := calling_hours.check(self.now(), _zones(order)):
            raise Refused(403, f"not now: {refused}")
        if reasons := self.calls.not_ready():
            raise Refused(503, "; ".join(reasons))
        if self.calls.control.pressed.pause_of(agent.file.agent.name):
            raise Refused(409, "the agent is paused")
        try:
            if await asyncio.to_thread(self.calls.do_not_call.forbids, order.to):
                raise Refused(403, "this person asked not to be called")
        except DatabaseUnavailable:
            raise Refused(503, "it cannot be told now whether this person may be called") from None

    async def _ring(self, order: Order, ours: str) -> str:
        if self.calls.rest is None or not self.public_url:
            raise Refused(503, "placing calls needs PUBLIC_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
        base = self.public_url
        try:
            return await self.calls.rest.call(
                order.to,
                ours,
                f"{base}/twilio/voice",
                progress=f"{base}/twilio/status",
                amd=Amd(f"{base}/twilio/amd", until_end_of_greeting=True),
            )
        except TwilioUnavailable as error:
            raise Refused(503, f"Twilio does not answer: {error}") from None
        except TwilioRefused as error:
            raise Refused(422, f"Twilio refuses: {error}") from None


async def _order(request: Request) -> Order:
    """Raises `Refused`, with the place that is wrong and never a value."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                raise Refused(413, f"the body is larger than {BODY_LIMIT} bytes")
        order = msgspec.json.decode(body, type=Order)
        number = phonenumbers.parse(order.to)
    except ClientDisconnect:
        raise Refused(400, "the body did not arrive") from None
    except msgspec.MsgspecError as error:
        raise Refused(422, str(error)) from None
    except phonenumbers.NumberParseException:
        raise Refused(422, "`to` must be a number in E.164: +12125550100") from None
    if order.to != phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164):
        raise Refused(422, "`to` must be a number in E.164: +12125550100")
    return order


def _zones(order: Order) -> list[str]:
    """Where the called person's clock may be. Raises `Refused` where that cannot be told."""
    if order.timezone:
        try:
            return [ZoneInfo(order.timezone).key]
        except (ZoneInfoNotFoundError, ValueError):
            raise Refused(422, "`timezone` must be an IANA zone: America/New_York") from None
    zones = [
        zone for zone in timezone.time_zones_for_number(phonenumbers.parse(order.to)) if zone != UNKNOWN_ZONE
    ]
    if not zones:
        raise Refused(422, "the number does not tell its time zone: send `timezone`")
    return zones
