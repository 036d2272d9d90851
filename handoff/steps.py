"""A handoff from webhook to webhook: each step tells the attempt, keeps it, and answers Twilio.

The routes find the attempt by the reference in the address; nothing of it is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from handoff import documents, reports
from handoff.attempt import Attempt, AttemptOutcome, tell
from handoff.flex import Flex
from handoff.port import (
    Asks,
    Case,
    Destination,
    DestinationUnavailable,
    Finishes,
    Joined,
    Leg,
    Urls,
    Waits,
    WhyNot,
)
from handoff.reports import Assignment, Form
from handoff.sayings import sayings
from handoff.taskrouter import TaskRouter
from handoff.told import (
    Accepted,
    AgentAnswered,
    AgentRinging,
    CallerHungUp,
    NotOffered,
    NotTogether,
    QueueResult,
    Released,
    Settled,
    TaskKnown,
    Told,
    Waiting,
)
from handoff.voicemail import Voicemail


class AttemptUnknown(Exception):
    """The reference names no attempt that is kept: answer with an apology, or with nothing."""


class Attempts(Protocol):
    """Where attempts are kept, for every process of ours."""

    async def load(self, ref: str) -> Attempt | None: ...

    async def save(self, before: Attempt | None, after: Attempt) -> bool:
        """False when another process has written since `before` was loaded."""


@dataclass(frozen=True, slots=True)
class Steps:
    attempts: Attempts
    urls: Urls
    clock: Callable[[], float]

    async def offer(self, attempt: Attempt | None, case: Case, to: Destination) -> str:
        """The caller's TwiML. Raises `DestinationUnavailable`; the attempt then has its outcome.

        `attempt` is new, or None where no person is asked to answer now.
        """
        if attempt is not None:
            await self.attempts.save(None, attempt)
        try:
            return await to.accept(case, self.urls)
        except DestinationUnavailable as unavailable:
            if attempt is not None:
                await self.tell(case.ref, NotOffered(self.clock(), unavailable.reason))
            raise

    async def wait(self, case: Case, to: Waits, form: Form) -> str:
        now = self.clock()
        hold = reports.hold(form)
        attempt = await self.tell(case.ref, Waiting(now, hold.waited))
        over = attempt.outcome not in (None, AttemptOutcome.ACCEPTED)
        taken_at = None if over else attempt.taken_at
        hold = replace(
            hold,
            waited=attempt.waited_at(now),
            since_taken=None if taken_at is None else now - taken_at,
            over=over or (attempt.nobody_is_offered and not attempt.taken),
        )
        return await to.wait(traced(case, attempt), self.urls, hold)

    async def assign(self, case: Case, to: TaskRouter, offered: Assignment) -> dict[str, str]:
        """The assignment callback's JSON. A caller who is gone is offered to nobody."""
        leg, now = offered.leg, self.clock()
        attempt = await self.tell(
            case.ref, TaskKnown(now, leg.workspace_sid, leg.task_sid), AgentRinging(now, leg.id)
        )
        if not _open(attempt):
            await to.abandon(traced(case, attempt))
            return {"instruction": "reject"}
        return to.assign(case, self.urls, offered, attempt.sla - attempt.waited_at(now))

    async def whisper(self, case: Case, to: Asks, leg: Leg) -> str:
        """The person answered: the brief, unless the caller is gone or somebody else was faster."""
        attempt = await self.tell(case.ref, AgentAnswered(self.clock(), leg.id, leg.call_sid))
        if not _open(attempt) or attempt.taken_by not in ("", leg.id):
            return _too_late(case)
        return to.whisper(case, self.urls, leg)

    async def choice(self, case: Case, to: Asks, leg: Leg, form: Form) -> str:
        """The person pressed a key, or none. A key twice, or another after it, changes nothing."""
        if not reports.takes(form):
            attempt = await self.tell(case.ref, reports.not_taken(form, leg, self.clock()))
            if attempt.taken_by != leg.id:
                return await to.pass_on(traced(case, attempt), leg)
        before, attempt = await self.change(case.ref, Accepted(self.clock(), leg.id))
        if not attempt.granted(leg.id):
            return _too_late(case)
        if before.taken:
            return to.room(case, self.urls, leg)
        taken = await to.take(traced(case, attempt), self.urls, leg)
        if isinstance(taken, Joined):
            return taken.twiml
        if taken.why is WhyNot.OFFER_OVER:
            await self.tell(case.ref, Released(self.clock(), leg.id))
        else:
            gone = taken.why is WhyNot.CALLER_GONE
            await self.tell(case.ref, NotTogether(self.clock(), caller_gone=gone))
        return taken.twiml

    async def result(self, case: Case, to: Destination, form: Form, query: Form) -> str | None:
        """The caller's verb is over. None: what comes next is the fallback's, by the attempt's outcome.

        `accepted` with a live caller: the person hung up first. A queue may report late that we moved the
        caller: they are talking then, and nothing is ended.
        """
        if isinstance(to, Voicemail):
            return to.kept(case)
        report = reports.result(form, query, self.clock())
        attempt = await self.tell(case.ref, *([report] if report else []))
        case = traced(case, attempt)
        left = form.get("QueueResult") == QueueResult.LEAVE or query.get("why") == documents.TIMED_OUT
        has_person = attempt.taken and attempt.outcome in (None, AttemptOutcome.ACCEPTED)
        if left and has_person and isinstance(to, Waits):
            return to.rejoin(case, self.urls)
        if attempt.outcome is None or form.get("QueueResult") in reports.MOVED:
            return documents.nothing()
        if attempt.taken and isinstance(to, Finishes):
            await to.finish(case)
        else:
            await to.abandon(case)
        return None

    async def leg(self, case: Case, to: Destination, leg: Leg, form: Form) -> None:
        """A worker who cannot be reached gives the reservation back: it would run on for minutes."""
        if (report := reports.progress(form, leg, self.clock())) is None:
            return
        before, attempt = await self.change(case.ref, report)
        if isinstance(to, TaskRouter) and before.over != attempt.over:
            await to.pass_on(traced(case, attempt), leg)

    async def room(self, case: Case, form: Form) -> None:
        if report := reports.room(form, self.clock()):
            await self.tell(case.ref, report)

    async def event(self, case: Case, to: Destination, form: Form) -> None:
        """TaskRouter's event callback. A task that appears when the attempt is over is ended."""
        told = reports.event(form, self.clock(), decides=isinstance(to, Flex))
        attempt = await self.tell(case.ref, *told)
        if form.get("EventType") in reports.OFFERS and not _open(attempt) and not attempt.taken:
            await to.abandon(reports.with_task(traced(case, attempt), form))

    async def hung_up(self, case: Case, to: Destination) -> Attempt:
        """The caller's call is over: nobody is offered it. `settle` follows, when reports have had time."""
        attempt = await self.tell(case.ref, CallerHungUp(self.clock()))
        if attempt.taken and isinstance(to, Finishes):
            await to.finish(traced(case, attempt))
        elif not attempt.taken:
            await to.abandon(traced(case, attempt))
        return attempt

    async def settle(self, case: Case) -> Attempt:
        """Some seconds after the call's end: whatever was not reported, the attempt has an outcome."""
        return await self.tell(case.ref, Settled(self.clock()))

    async def tell(self, ref: str, *told: Told) -> Attempt:
        """The attempt after these reports, kept. Raises `AttemptUnknown`."""
        return (await self.change(ref, *told))[1]

    async def change(self, ref: str, *told: Told) -> tuple[Attempt, Attempt]:
        """The same, before and after: of two requests at once, one alone changes it."""
        while True:
            before = after = await self._attempt(ref)
            for each in told:
                after = tell(after, each)
            if after == before or await self.attempts.save(before, after):
                return before, after

    async def _attempt(self, ref: str) -> Attempt:
        if (attempt := await self.attempts.load(ref)) is None:
            raise AttemptUnknown
        return attempt


def traced(case: Case, attempt: Attempt) -> Case:
    """The case with what the attempt has learnt."""
    return replace(case, workspace_sid=attempt.workspace_sid, task_sid=attempt.task_sid, legs=attempt.legs)


def _open(attempt: Attempt) -> bool:
    return attempt.outcome is None and attempt.caller_gone_at is None


def _too_late(case: Case) -> str:
    return documents.last_words(sayings(case.persons_language).too_late, case.persons_language)
