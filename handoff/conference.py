"""A warm transfer by conference: the caller waits in a room while we ring people; who takes the call joins.

The brief is heard on the person's own leg, before the room: "muted still hears everyone: never use mute to
hide a briefing from the caller". A conference's hold has no `<Leave/>` and no keys, so the SLA moves the call
by REST.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from handoff import documents
from handoff.port import (
    Case,
    DestinationUnavailable,
    Hold,
    Joined,
    Leg,
    NotJoined,
    Taken,
    Unavailable,
    Urls,
    Webhook,
    WhyNot,
)
from handoff.sayings import sayings
from handoff.taskrouter import hang_up, move_to_result, wait_for_person
from handoff.twilio_rest import TwilioRefused, TwilioRest, TwilioUnavailable
from policies.agent_destinations import Conference as Config

SHORTEST_RING, LONGEST_RING = 5, 120
RING_REQUEST_SECONDS: Final = 2.0
RINGING_AT_ONCE: Final = 10
LAST_WORDS_SECONDS: Final = 8.0  # of hold while the caller is moved away

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Conference:
    numbers: tuple[str, ...]
    sla: float
    rest: TwilioRest | None

    async def accept(self, case: Case, urls: Urls) -> str:
        """Ring everybody, from our own number; the room starts when one of them takes the call."""
        if self.rest is None:
            raise DestinationUnavailable(Unavailable.FAILED)
        rest, numbers = self.rest, self.numbers[:RINGING_AT_ONCE]
        rung = await asyncio.gather(*(self._ring(rest, case, urls, number) for number in numbers))
        if not any(rung):
            raise DestinationUnavailable(Unavailable.FAILED)
        return documents.caller_in_room(case, urls, room_of(case), starts=False)

    async def wait(self, case: Case, urls: Urls, hold: Hold) -> str:
        """At the SLA the call is moved to the result's address, which answers with the fallback."""
        if hold.since_taken is not None:
            return await wait_for_person(self.rest, case, urls, hold.since_taken)
        texts = sayings(case.language)
        if not hold.over and hold.waited < self.sla:
            return documents.hold_in_room(case.language, texts.hold, self.sla - hold.waited)
        await move_to_result(self.rest, case, urls, documents.TIMED_OUT)
        return documents.hold_in_room(case.language, texts.nobody, LAST_WORDS_SECONDS)

    def rejoin(self, case: Case, urls: Urls) -> str:
        return documents.caller_in_room(case, urls, room_of(case), starts=True)

    def whisper(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.whisper(case, urls, leg)

    async def take(self, case: Case, urls: Urls, leg: Leg) -> Taken:
        """The caller is in the room already; the others need not ring any more."""
        if self.rest is None:
            words = sayings(case.persons_language).too_late
            return NotJoined(documents.last_words(words, case.persons_language), WhyNot.FAILED)
        await hang_up(self.rest, case, set(case.legs) - {leg.call_sid})
        return Joined(self.room(case, urls, leg))

    def room(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.person_in_room(case, urls, room_of(case))

    async def pass_on(self, case: Case, leg: Leg) -> str:
        return documents.last_words(sayings(case.persons_language).passed_on, case.persons_language)

    async def abandon(self, case: Case) -> None:
        if self.rest is not None:
            await hang_up(self.rest, case, set(case.legs))

    async def _ring(self, rest: TwilioRest, case: Case, urls: Urls, number: str) -> bool:
        """False: not rung in time for a caller who hears nothing meanwhile."""
        try:
            async with asyncio.timeout(RING_REQUEST_SECONDS):
                await rest.call(
                    number,
                    case.ours,
                    urls.action(Webhook.WHISPER, ref=case.ref),
                    progress=urls.action(Webhook.LEG, ref=case.ref),
                    ring_seconds=max(SHORTEST_RING, min(LONGEST_RING, int(self.sla))),
                )
        except (TwilioRefused, TwilioUnavailable, TimeoutError) as error:
            log.warning("person not rung", call_sid=case.call_sid, error=str(error) or "too slow")
            return False
        return True


def connect(config: Config, rest: TwilioRest | None) -> Conference:
    return Conference(config.numbers, config.sla, rest)


def room_of(case: Case) -> str:
    return f"fivegates-{case.call_sid}"
