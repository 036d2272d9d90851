"""A call goes to a person: routed, offered within the SLA, and brought back when nobody takes it.

Twilio's requests are answered here one by one; `handoff.steps` and `handoff.attempt` decide what they mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from compliance.events import Kind
from handoff import destinations as known
from handoff import documents, reports
from handoff.attempt import Attempt, AttemptOutcome
from handoff.callback import Callback
from handoff.port import Asks, Case, DestinationUnavailable, Urls, Waits
from handoff.sayings import sayings
from handoff.steps import Attempts, AttemptUnknown, Steps
from handoff.studio import Studio
from handoff.taskrouter import TaskRouter
from handoff.told import LedOn, Recorded
from handoff.voicemail import Voicemail
from policies.agent_destinations import BACK_TO_US
from policies.outcome import Stopped
from relay.forms import Form
from relay.handings import Handing, Handings, facts_of
from relay.places import CALLBACK, Choice
from relay.tell import TellsOfCall

SETTLE_SECONDS: Final = 10.0  # for reports that are still on their way when a call is over
SETTLED: Final = "settled"  # what led the call on, where no request of the caller's did

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Back:
    """Nobody took the call: it goes back to the agent, with its memory."""

    handing: Handing


@dataclass(frozen=True, slots=True)
class Over:
    """The call ends with this answer; `stopped` says how."""

    twiml: str
    stopped: Stopped


@dataclass(frozen=True, slots=True)
class GoesOn:
    """The call is at a destination, or on its way."""

    twiml: str


Answer = Back | Over | GoesOn


class LeftToDo(Protocol):
    """Keeps what a call leaves to do; it never fails, and a second word on the same is one follow-up."""

    async def callback(self, handing: Handing) -> None: ...

    async def missed(self, handing: Handing, attempt: Attempt) -> None: ...

    async def voicemail(self, handing: Handing, recording: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Transfers:
    """`choices` gives an agent's destinations by name; `brief_url` a link that opens a brief and expires."""

    handings: Handings
    attempts: Attempts
    urls: Urls
    clock: Callable[[], float]
    choices: Callable[[str], Mapping[str, Choice]]
    brief_url: Callable[[str], str]
    left_to_do: LeftToDo
    tell: TellsOfCall
    ended: Callable[[str, Stopped], Awaitable[None]]
    _settling: dict[str, asyncio.Task[None]] = field(default_factory=dict)  # by reference

    @property
    def _steps(self) -> Steps:
        return Steps(self.attempts, self.urls, self.clock)

    # -- from the action request on ----------------------------------------------------------------------

    async def begin(self, handing: Handing, name: str) -> Answer:
        """Offer the call to a destination, or to what comes after it."""
        while True:
            if name == BACK_TO_US and BACK_TO_US not in handing.tried:
                await self.handings.taken_back(handing.call_sid)
                return Back(replace(handing, tried=(*handing.tried, name)))
            if name in handing.tried:
                name = CALLBACK
            number = len(handing.tried) + 1
            ref = handing.brief_ref if number == 1 else f"{handing.brief_ref}.{number}"
            handing = replace(handing, ref=ref, destination=name, tried=(*handing.tried, name))
            choice = self._choice(handing)
            await self.handings.keep(handing)
            case = self._case(handing)
            attempt = known.begin(name, choice.config, case, self.clock())
            try:
                if attempt is None:  # the answer itself is all there is to it
                    answer = await choice.to.accept(case, self.urls)
                else:
                    answer = await self._steps.offer(attempt, case, choice.to)
            except DestinationUnavailable as unavailable:
                self.tell(
                    handing.call_sid,
                    Kind.HANDOFF_REFUSED,
                    session=handing.session,
                    destination=name,
                    reason=str(unavailable),
                )
                if attempt:
                    await self._report(handing)
                name = choice.on_timeout
                continue
            self.tell(
                handing.call_sid,
                Kind.HANDOFF_OFFERED,
                session=handing.session,
                destination=name,
                reason=handing.reason,
                sla_s=choice.config.sla,
            )
            return await self._offered(handing, choice, answer)

    async def _offered(self, handing: Handing, choice: Choice, answer: str) -> Answer:
        """Some destinations are reached with the answer itself."""
        match choice.to:
            case Callback():
                await self.left_to_do.callback(handing)
                return Over(answer, Stopped.CALLBACK)
            case Studio():
                return Over(answer, Stopped.HANDED_OVER)
            case _:
                return GoesOn(answer)

    async def result(self, ref: str, form: Form, query: Form) -> Answer:
        """`POST /twilio/handoff/result`: the caller's verb is over. Raises `AttemptUnknown`."""
        handing, choice = await self._found(ref)
        if isinstance(choice.to, Voicemail):
            if not form.get("RecordingSid"):
                return Over(documents.nothing(), Stopped.LEFT_WAITING)
            await self.left_to_do.voicemail(handing, form["RecordingSid"])
            return Over(choice.to.kept(self._case(handing)), Stopped.VOICEMAIL)
        answer = await self._steps.result(self._case(handing), choice.to, form, query)
        if answer is not None:
            return GoesOn(answer)
        attempt = await self._report(handing)
        if not await self._leads_on(ref, form, query):
            return GoesOn(documents.nothing())
        if attempt.outcome is AttemptOutcome.ACCEPTED:
            return Over(documents.nothing(), Stopped.HANDED_OVER)
        if attempt.outcome is AttemptOutcome.CALLER_LEFT or form.get("CallStatus") in reports.CALL_OVER:
            return Over(documents.nothing(), Stopped.LEFT_WAITING)
        return await self.begin(handing, choice.on_timeout)

    # -- while the caller waits --------------------------------------------------------------------------

    async def wait(self, ref: str, form: Form) -> str:
        """`POST /twilio/handoff/wait`. Raises `AttemptUnknown`."""
        handing, choice = await self._found(ref)
        if not isinstance(choice.to, Waits):
            raise AttemptUnknown
        return await self._steps.wait(self._case(handing), choice.to, form)

    async def whisper(self, ref: str, form: Form, query: Form) -> str:
        """`POST /twilio/handoff/whisper`: a person has picked up. Raises `AttemptUnknown`."""
        handing, choice = await self._found(ref)
        if not isinstance(choice.to, Asks):
            raise AttemptUnknown
        return await self._steps.whisper(self._case(handing), choice.to, reports.leg(form, query))

    async def choice(self, ref: str, form: Form, query: Form) -> str:
        """`POST /twilio/handoff/choice`: a person has pressed a key, or none. Raises `AttemptUnknown`."""
        handing, choice = await self._found(ref)
        if not isinstance(choice.to, Asks):
            raise AttemptUnknown
        leg = reports.leg(form, query)
        answer = await self._steps.choice(self._case(handing), choice.to, leg, form)
        await self._report(handing)
        return answer

    async def leg(self, ref: str, form: Form, query: Form) -> None:
        """`POST /twilio/handoff/leg`: how a person's leg is doing. Raises `AttemptUnknown`."""
        handing, choice = await self._found(ref)
        await self._steps.leg(self._case(handing), choice.to, reports.leg(form, query), form)
        await self._report(handing)

    async def room(self, ref: str, form: Form) -> None:
        """`POST /twilio/handoff/room`. Raises `AttemptUnknown`."""
        handing, _ = await self._found(ref)
        await self._steps.room(self._case(handing), form)
        await self._report(handing)

    async def assignment(self, form: Form) -> dict[str, str]:
        """`POST /twilio/handoff/assignment`, due in 5 s. A task that is not ours is nobody's here."""
        offered = reports.assignment(form)
        try:
            handing, choice = await self._found(offered.ref)
            if not isinstance(choice.to, TaskRouter):
                return {}
            return await self._steps.assign(self._case(handing), choice.to, offered)
        except AttemptUnknown:
            return {"instruction": "reject"}

    async def event(self, form: Form) -> None:
        """`POST /twilio/taskrouter`: the workspace's events; those of other tasks are nothing to us."""
        try:
            handing, choice = await self._found(reports.event_ref(form))
            await self._steps.event(self._case(handing), choice.to, form)
            await self._report(handing)
        except AttemptUnknown:
            return

    async def recording(self, ref: str, form: Form) -> None:
        """`POST /twilio/recording`: a voicemail is there. Raises `AttemptUnknown`."""
        handing, _ = await self._found(ref)
        if form.get("RecordingStatus", "completed") == "completed" and form.get("RecordingSid"):
            await self.left_to_do.voicemail(handing, form["RecordingSid"])
            await self.ended(handing.call_sid, Stopped.VOICEMAIL)

    async def hung_up(self, call_sid: str) -> bool:
        """The call is over. False when it was not on its way to a person."""
        handing = await self.handings.of_call(call_sid)
        if handing is None:
            return False
        choice = self._choice(handing)
        if not isinstance(choice.to, Voicemail):
            try:
                await self._steps.hung_up(self._case(handing), choice.to)
            except AttemptUnknown:
                return False
        if handing.ref not in self._settling:
            task = self._settling[handing.ref] = asyncio.create_task(self._settle(handing))
            task.add_done_callback(lambda _: self._settling.pop(handing.ref, None))
        return True

    async def close(self) -> None:
        """What is still to be reported is settled now."""
        settling = list(self._settling.values())
        for task in settling:
            task.cancel()
        if settling:
            await asyncio.wait(settling)

    async def _settle(self, handing: Handing) -> None:
        """A message that was left is told of by then."""
        try:
            await asyncio.sleep(SETTLE_SECONDS)
        finally:
            if (stopped := await self._how_it_ended(handing)) is not None:
                await self.ended(handing.call_sid, stopped)

    async def _how_it_ended(self, handing: Handing) -> Stopped | None:
        """None where the caller's own request has said so, in whatever process that was."""
        try:
            await self._steps.settle(self._case(handing))
            attempt = await self._report(handing)
            before, _ = await self._steps.change(handing.ref, LedOn(SETTLED))
        except AttemptUnknown:
            return Stopped.LEFT_WAITING
        if before.led_on not in ("", SETTLED):
            return None
        return Stopped.HANDED_OVER if attempt.outcome is AttemptOutcome.ACCEPTED else Stopped.LEFT_WAITING

    # -- inside ------------------------------------------------------------------------------------------

    async def _found(self, ref: str) -> tuple[Handing, Choice]:
        handing = await self.handings.load(ref) if ref else None
        if handing is None:
            raise AttemptUnknown
        return handing, self._choice(handing)

    def _choice(self, handing: Handing) -> Choice:
        """A destination whose agent file was changed meanwhile is a callback: somebody still calls back."""
        choices = self.choices(handing.agent)
        return choices.get(handing.destination) or choices[CALLBACK]

    def _case(self, handing: Handing) -> Case:
        return handing.case(self.brief_url(handing.brief_ref))

    async def _report(self, handing: Handing) -> Attempt:
        """Tell the record of an attempt that has its outcome, once. Raises `AttemptUnknown`."""
        before, attempt = await self._steps.change(handing.ref, Recorded())
        if before.recorded == attempt.recorded:
            return attempt
        facts = facts_of(attempt)
        self.tell(handing.call_sid, Kind.HANDOFF_ENDED, 0, handing.session, **facts)
        if not attempt.sla_met:
            await self.left_to_do.missed(handing, attempt)
        return attempt

    async def _leads_on(self, ref: str, form: Form, query: Form) -> bool:
        """The first request after the end leads the caller on; one of another kind comes too late."""
        said = form.get("QueueResult", ""), form.get("DialCallStatus", ""), query.get("why", "")
        by = ".".join(filter(None, said)) or "nothing"
        attempt = await self._steps.tell(ref, LedOn(by))
        return attempt.led_on == by


def nobody(language: str) -> str:
    """The last words when nothing else is left."""
    return documents.last_words(sayings(language).nobody, language)
