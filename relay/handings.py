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

    def __repr__(self) -> str:
        """Without the brief and the numbers."""
        return f"Handing(ref={self.ref!r}, destination={self.destination!r})"

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
        """One that was offered somewhere stays as it is; before that, another process may have offered it."""
        mine = self._mine.get(ref)
        if mine and mine.tried:
            return mine
        written = None
        with contextlib.suppress(StoreUnavailable):
            written = await self.store.read(ref, HANDING)
        return msgspec.json.decode(written, type=Handing) if written else mine

    async def of_call(self, call_sid: str) -> Handing | None:
        """The newest handing of a call that is not ours again."""
        ref = self._of_call.get(call_sid)
        with contextlib.suppress(StoreUnavailable):
            written = await self.store.read(call_sid, CALL)
            ref = ref if written is None else written
        return await self.load(ref) if ref else None

    async def taken_back(self, call_sid: str) -> None:
        """The call is with the agent again, and on its way to nobody."""
        self._of_call.put(call_sid, "")
        with contextlib.suppress(StoreUnavailable):
            await self._put(call_sid, CALL, "")

    async def _put(self, subject: str, name: str, value: str) -> None:
        before = await self.store.read(subject, name)
        await self.store.exchange(subject, name, before, value, KEPT)


@dataclass(frozen=True, slots=True)
class SlotAttempts:
    """Attempts in the shared store. While it is away, this process goes on with what it knows, and puts that
    in the place of what the store held before, when it is back."""

    store: SessionStore
    _mine: Remembered[Attempt] = field(default_factory=Remembered)
    _behind: Remembered[tuple[Attempt | None]] = field(default_factory=Remembered)  # what the store held then

    async def load(self, ref: str) -> Attempt | None:
        mine, behind = self._mine.get(ref), self._behind.get(ref)
        try:
            if mine and behind:
                await self._put(behind[0], mine)  # False: another process was first
                self._behind.forget(ref)
            written = await self._read(ref)
            if mine and written is None:  # the store has lost what it held
                await self._put(None, mine)
        except StoreUnavailable:
            return mine
        return _read(written) or mine

    async def save(self, before: Attempt | None, after: Attempt) -> bool:
        try:
            saved = await self._put(before, after)
        except StoreUnavailable:
            log.warning("the state of a handoff is kept in memory only: the store does not answer")
            saved = self._mine.get(after.ref) in (None, before)
            if saved:
                self._behind.first(after.ref, (before,))
        if saved:
            self._mine.put(after.ref, after)
        return saved

    async def _put(self, before: Attempt | None, after: Attempt) -> bool:
        """Compared as read, not as written: another version of this program may write more, or less."""
        written = await self._read(after.ref)
        if _read(written) != before:
            return False
        return await self.store.exchange(after.ref, ATTEMPT, written, after.encode().decode(), KEPT)

    async def _read(self, ref: str) -> str | None:
        return await self.store.read(ref, ATTEMPT)


def _read(written: str | None) -> Attempt | None:
    return Attempt.decode(written.encode()) if written else None


def facts_of(attempt: Attempt) -> Mapping[str, str | int | float | bool]:
    """What the record says of an attempt that is over."""
    return {
        "destination": attempt.destination,
        "outcome": attempt.outcome.value if attempt.outcome else "open",
        "wait_s": round(attempt.wait or 0.0, 1),
        "sla_s": attempt.sla,
        "sla_met": bool(attempt.sla_met),
    }
