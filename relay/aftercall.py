"""When a call has ended: what it leaves for the next one is kept, its outcome goes to the CRM's outbox.

Begun once a call; nothing that answers Twilio waits for it. A rehearsal leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from compliance.delivery import Delivery, Refused, Retry
from compliance.events import Kind
from compliance.outbox import Entry, Intent, State
from compliance.past_calls import PastCall, PastCalls, PastCallsUnavailable
from compliance.spool import SpoolUnavailable
from crm_adapters.phones import lookup_number
from crm_adapters.port import CrmAdapter, CrmRefused, CrmUnavailable, CrmWrite, WriteKind
from policies import usage
from policies.call_summary import CallFacts, summarise
from policies.redaction import redact
from policies.tokens import estimate
from policies.vocabulary import NextAction, Outcome
from relay.caller import Caller
from relay.tell import Tell

RETENTION = "facts"  # the class of `compliance.retention` that a summary lives by

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ended:
    """One call, as it ended. `at` is seconds since 1970; `channel` is its CRM's in the outbox."""

    call_sid: str
    session: int
    agent: str
    language: str
    region: str
    number: str = field(repr=False)  # as Twilio gave it
    outcome: Outcome
    next_action: NextAction
    turns: int
    at: float
    channel: str | None
    rehearsal: bool


@dataclass(slots=True)
class Aftercall:
    """`past` and `delivery` are this process's own."""

    past: PastCalls
    delivery: Delivery
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, ended: Ended, caller: Caller, tell: Tell) -> None:
        """Tell at once what the record of the call needs, and keep the rest in the background."""
        facts = {name: entry.fact.value for name, entry in caller.entered.items()}
        if facts:
            used = usage.used(facts, caller.said)
            tell(Kind.CONTEXT_USED, used=list(used), unused=[name for name in facts if name not in used])
        call = CallFacts(caller.intents, caller.heard[:1], ended.outcome, ended.next_action)
        summary = summarise(call, ended.language, redact)
        number = lookup_number(ended.number, ended.region)
        if summary:
            tell(Kind.CALL_SUMMARISED, text=summary, tokens=estimate(summary), retention=RETENTION)
        if ended.rehearsal or number is None or not summary:
            return
        task = asyncio.create_task(self._keep(ended, number, summary, caller.known.contact_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for what was begun; each step of it is short."""
        if self._running:
            await asyncio.wait(list(self._running))

    async def _keep(self, ended: Ended, number: str, summary: str, contact_id: str | None) -> None:
        past = PastCall(ended.call_sid, ended.agent, number, ended.at, summary, RETENTION)
        try:
            await asyncio.to_thread(self.past.keep, past)
        except PastCallsUnavailable as error:
            log.error("summary not kept", fault=str(error))  # noqa: TRY400
        if ended.channel is None:
            return
        facts = {
            "summary": summary,
            "outcome": ended.outcome.value,
            "next_action": ended.next_action.value,
            "agent": ended.agent,
            "turns": str(ended.turns),
        }
        left = ended.next_action not in (NextAction.NOT_REQUIRED, NextAction.CORRECT)
        for kind in (WriteKind.OUTCOME, WriteKind.FOLLOW_UP) if left else (WriteKind.OUTCOME,):
            payload = {**facts, "contact_id": contact_id or "", "phone": number}
            intent = Intent(
                ended.call_sid, kind, 1, ended.channel, ended.agent, payload, ended.at, ended.session
            )
            try:
                await self.delivery.intend(intent)
            except SpoolUnavailable as error:
                log.error("write-back lost: neither database nor spool takes it", fault=str(error))  # noqa: TRY400


@dataclass(frozen=True, slots=True)
class CrmSender:
    """Carries entries of the outbox to a CRM."""

    crm: CrmAdapter

    async def send(self, entry: Entry) -> str:
        try:
            return await self.crm.write(_write(entry))
        except CrmUnavailable as error:
            raise Retry(error.reason, error.retry_after, unsent=error.retry_after is not None) from error
        except CrmRefused as error:
            raise Refused(error.reason) from error

    async def read_back(self, entry: Entry) -> bool | None:
        try:
            return await self.crm.read_back(_write(entry), entry.record_id)
        except CrmUnavailable as error:
            raise Retry(error.reason, error.retry_after) from error


def told(entry: Entry, state: State, reason: str) -> Mapping[str, str]:
    """What the record says of an entry's progress."""
    said = {"what": entry.kind, "state": state.value, "reason": reason}
    if state is State.CONFIRMED:
        said["next_action"] = entry.verification.value
    return said


def _write(entry: Entry) -> CrmWrite:
    payload = {name: str(value) for name, value in entry.payload.items()}
    return CrmWrite(
        call_sid=entry.call_sid,
        kind=WriteKind(entry.kind),
        number=entry.number,
        contact_id=payload.pop("contact_id", "") or None,
        phone=payload.pop("phone", ""),
        at=entry.created_at,
        facts=payload,
    )
