"""A call on its way to a person: what is known of it, kept for whichever process the next webhook reaches."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from handoff.attempt import Attempt
from handoff.port import Case
from policies.vocabulary import EscalationReason
from relay.remembered import Remembered
from relay.state import SessionStore, StoreUnavailable

KEPT: Final = 6 * 3600.0  # seconds: longer than any call
HANDING: Final = "handing"
ATTEMPT: Final = "attempt"
CALL: Final = "handing_of_call"

log = structlog.get_logger()


class Handing(msgspec.Struct, frozen=True, kw_only=True):
    """One reference: who is handed over, why, and where they have been offered already.

    `ref` names the attempt; `brief` the brief, which all attempts of a handoff share.
    """

    ref: str
    brief_ref: str
    call_sid: str
    account_sid: str
    session: int
    agent: str
    reason: EscalationReason
    intent: str
    tier: str
    language: str
    caller: str
    ours: str
    spoken: str = ""  # the brief, as the person hears it
    next_step: str = ""
    attributes: dict[str, str] = {}
    destination: str = ""
    tried: tuple[str, ...] = ()
    rehearsal: bool = False

    def case(self, brief_url: str) -> Case:
        return Case(
            call_sid=self.call_sid,
            account_sid=self.account_sid,
            ref=self.ref,
            reason=self.reason,
            intent=self.intent,
            tier=self.tier,
            language=self.language,
            next_step=self.next_step,
            caller=self.caller,
            ours=self.ours,
            brief=self.spoken,
            brief_url=brief_url,
            attributes=self.attributes,
        )


@dataclass(frozen=True, slots=True)
class Handings:
    """Kept in memory and, where it answers, in the shared store: a webhook may come to another process."""

    store: SessionStore
    _mine: Remembered[Handing] = field(default_factory=Remembered)
    _of_call: Remembered[str] = field(default_factory=Remembered)

    async def keep(self, handing: Handing) -> None:
        self._mine.put(handing.ref, handing)
        self._of_call.put(handing.call_sid, handing.ref)
        written = msgspec.json.encode(handing).decode()
        with contextlib.suppress(StoreUnavailable):
            await self._put(handing.ref, HANDING, written)
            await self._put(handing.call_sid, CALL, handing.ref)

    async def load(self, ref: str) -> Handing | None:
        if mine := self._mine.get(ref):
            return mine
        try:
            written = await self.store.read(ref, HANDING)
        except StoreUnavailable:
            return None
        return msgspec.json.decode(written, type=Handing) if written else None

    async def of_call(self, call_sid: str) -> Handing | None:
        """The newest handing of a call."""
        ref = self._of_call.get(call_sid)
        if ref is None:
            with contextlib.suppress(StoreUnavailable):
                ref = await self.store.read(call_sid, CALL)
        return await self.load(ref) if ref else None

    async def _put(self, subject: str, name: str, value: str) -> None:
        before = await self.store.read(subject, name)
        await self.store.exchange(subject, name, before, value, KEPT)


@dataclass(frozen=True, slots=True)
class SlotAttempts:
    """Attempts in the shared store. While it is away, this process goes on with what it knows."""

    store: SessionStore
    _mine: Remembered[Attempt] = field(default_factory=Remembered)

    async def load(self, ref: str) -> Attempt | None:
        try:
            written = await self.store.read(ref, ATTEMPT)
        except StoreUnavailable:
            return self._mine.get(ref)
        return Attempt.decode(written.encode()) if written else self._mine.get(ref)

    async def save(self, before: Attempt | None, after: Attempt) -> bool:
        expected = before.encode().decode() if before else None
        try:
            saved = await self.store.exchange(after.ref, ATTEMPT, expected, after.encode().decode(), KEPT)
        except StoreUnavailable:
            log.warning("the state of a handoff is kept in memory only: the store does not answer")
            saved = self._mine.get(after.ref) in (None, before)
        if saved:
            self._mine.put(after.ref, after)
        return saved


def facts_of(attempt: Attempt) -> Mapping[str, str | int | float | bool]:
    """What the record says of an attempt that is over."""
    return {
        "destination": attempt.destination,
        "outcome": attempt.outcome.value if attempt.outcome else "open",
        "wait_s": round(attempt.wait or 0.0, 1),
        "sla_s": attempt.sla,
        "sla_met": bool(attempt.sla_met),
    }
