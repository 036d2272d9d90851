"""Looking a caller up: begun at the voice webhook, beside the call, one attempt within its deadline.

No turn waits for it. Whatever goes wrong, the call goes on without facts, and the record says what happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from compliance.events import Kind
from compliance.past_calls import PastCall, PastCalls, PastCallsUnavailable
from crm_adapters.breaker import Breaker
from crm_adapters.phones import lookup_number
from crm_adapters.port import Ambiguous, CrmAdapter, CrmUnavailable, Found, LookupResult, NobodyFound
from policies.agent_context import PREVIOUS
from policies.context import ContextRules, to_fetch
from policies.facts import Fact, Trust
from policies.guard.canaries import arm
from relay.caller import Caller, Finding, Known
from relay.clock import Clock
from relay.remembered import Remembered
from relay.tell import Tell

PAST_DEADLINE = 1.0  # seconds for our own record


@dataclass(frozen=True, slots=True)
class Crm:
    """The CRM of one agent file. `fields` are our names that it maps; `deadline` is in seconds."""

    adapter: CrmAdapter
    fields: frozenset[str]
    deadline: float
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the callers of one agent are looked up. `region` is the line's own (ISO 3166)."""

    agent: str
    rules: ContextRules
    dialled: Mapping[str, Mapping[str, str]]  # facts by the number that was dialled
    parameters: tuple[str, ...]  # names that a Studio flow may pass
    request: tuple[str, ...]  # and those of `POST /calls`
    crm: Crm | None
    past: PastCalls
    region: str
    clock: Clock

    @property
    def channel(self) -> str | None:
        """The CRM's name in the outbox; None where there is no CRM."""
        return f"crm:{self.agent}" if self.crm else None

    def given(
        self, called: str, parameters: Mapping[str, str], requested: Mapping[str, str]
    ) -> tuple[Fact, ...]:
        """Facts that need no look-up: of the dialled number (E.164), of the flow before us, and of the
        request that had us place the call."""
        ours = [
            Fact(*each, "the dialled number", Trust.OURS) for each in self.dialled.get(called, {}).items()
        ]
        passed = [
            Fact(name, parameters[name], "the flow", Trust.PARAMETER)
            for name in self.parameters
            if name in parameters
        ]
        asked = [
            Fact(name, requested[name], "the request", Trust.REQUEST)
            for name in self.request
            if name in requested
        ]
        return (*ours, *passed, *asked)

    async def find(self, caller: str, stir: str, tell: Tell) -> Known:
        """Never raises, save for cancellation. `caller` is Twilio's `From`, `stir` its `StirVerstat`."""
        number = lookup_number(caller, self.region)
        if number is None:
            tell(Kind.CRM_ANSWERED, finding=Finding.SKIPPED, detail="no number to look for")
            return Known(Finding.SKIPPED)
        began = self.clock()
        past, (finding, answer, detail) = await asyncio.gather(
            self._before(number), self._ask(number, stir, tell)
        )
        known, not_armed = self._known(finding, answer, past)
        tell(
            Kind.CRM_ANSWERED,
            finding=finding,
            detail=detail,
            fields=[fact.name for fact in known.facts],
            not_armed=list(not_armed),
            returning=known.returning,
            took_ms=round((self.clock() - began) * 1000),
        )
        return known

    async def _before(self, number: str) -> PastCall | None:
        try:
            async with asyncio.timeout(PAST_DEADLINE):
                return await asyncio.to_thread(self.past.latest, self.agent, number)
        except (PastCallsUnavailable, TimeoutError):
            return None

    async def _ask(self, number: str, stir: str, tell: Tell) -> tuple[Finding, LookupResult, str]:
        if self.crm is None:
            return Finding.SKIPPED, NobodyFound(), "no CRM is configured"
        fields = [name for name in to_fetch(self.rules) if name in self.crm.fields]
        tell(Kind.CRM_ASKED, adapter=self.crm.adapter.name, fields=fields, stir=stir)
        if not self.crm.breaker.allows(self.clock()):
            return Finding.UNAVAILABLE, NobodyFound(), "not asked: it failed a moment ago"
        try:
            async with asyncio.timeout(self.crm.deadline):
                answer = await self.crm.adapter.find(number, fields)
        except asyncio.CancelledError:
            self.crm.breaker.abandoned()
            raise
        except TimeoutError:
            self.crm.breaker.failed(self.clock())
            return Finding.UNAVAILABLE, NobodyFound(), f"no answer within {self.crm.deadline:g} s"
        except CrmUnavailable as error:
            self.crm.breaker.failed(self.clock(), error.retry_after)
            return Finding.UNAVAILABLE, NobodyFound(), error.reason
        self.crm.breaker.succeeded()
        match answer:
            case Found():
                return Finding.FOUND, answer, ""
            case Ambiguous(count):
                return Finding.AMBIGUOUS, answer, f"{count} contacts have this number"
            case _:
                return Finding.NONE, answer, ""

    def _known(
        self, finding: Finding, answer: LookupResult, past: PastCall | None
    ) -> tuple[Known, tuple[str, ...]]:
        found = answer if isinstance(answer, Found) else Found("", {}, returning=False)
        fields: Mapping[str, str] = {name: value for name, value in found.fields.items() if value.strip()}
        secret = {name: value for name, value in fields.items() if name in self.rules.canaries}
        facts = [
            Fact(name, value, self.crm.adapter.name if self.crm else "", Trust.CRM)
            for name, value in fields.items()
            if name not in secret
        ]
        if past and past.summary and PREVIOUS not in fields:
            facts.append(Fact(PREVIOUS, past.summary, "our record", Trust.OURS))
        canaries, not_armed = arm(secret, [fact.value for fact in facts]) if secret else (None, ())
        known_before = past is not None or found.returning
        sure = known_before or finding in (Finding.FOUND, Finding.NONE)
        return Known(
            finding=finding,
            facts=tuple(facts),
            canaries=canaries,
            secrets=secret,
            contact_id=found.contact_id or None,
            returning=known_before if sure else None,
        ), not_armed


@dataclass(slots=True)
class Lookups:
    """The look-ups of this process that are under way. A call is looked up once, whoever asks first."""

    _known: Remembered[Caller] = field(default_factory=Remembered)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def caller(self, call_sid: str) -> Caller | None:
        """What this process knows of the call's caller."""
        return self._known.get(call_sid)

    def begin(self, call_sid: str, desk: Desk, number: str, stir: str, tell: Tell) -> Caller:
        """Start looking the caller up, unless that was begun before; answers at once."""
        if known := self._known.get(call_sid):
            return known
        caller = Caller()
        self._known.put(call_sid, caller)
        task = asyncio.create_task(self._look_up(caller, desk, number, stir, tell))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return caller

    async def _look_up(self, caller: Caller, desk: Desk, number: str, stir: str, tell: Tell) -> None:
        caller.known = await desk.find(number, stir, tell)

    async def close(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
