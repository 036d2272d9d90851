"""What a call leaves to do: kept with an owner and a time, told to the record, and written to the CRM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from compliance.database import DatabaseUnavailable
from compliance.events import Kind
from compliance.follow_ups import FollowUp, FollowUpKind, FollowUps
from handoff.attempt import Attempt
from policies.agent_handoff import FollowUp as Config
from relay.handings import Handing
from relay.tell import TellsOfCall

NOBODY: Final = "unassigned"
DAY: Final = 86_400.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LeftToDo:
    """`config` gives an agent's `handoff.follow_up` by the agent's name."""

    store: FollowUps
    tell: TellsOfCall
    clock: Callable[[], float]
    config: Callable[[str], Config | None]

    async def callback(self, handing: Handing) -> None:
        await self._keep(handing, FollowUpKind.CALLBACK, handing.spoken)

    async def missed(self, handing: Handing, attempt: Attempt) -> None:
        how = attempt.outcome.value if attempt.outcome else "open"
        await self._keep(handing, FollowUpKind.MISSED_SLA, f"{attempt.destination}: {how}")

    async def voicemail(self, handing: Handing, recording: str) -> None:
        await self._keep(handing, FollowUpKind.VOICEMAIL, f"recording {recording}")

    async def _keep(self, handing: Handing, kind: FollowUpKind, note: str) -> None:
        config, now = self.config(handing.agent), self.clock()
        wanted = FollowUp(
            id=0,
            call_sid=handing.call_sid,
            agent=handing.agent,
            kind=kind,
            reason=handing.reason.value,
            owner=config.owner if config else NOBODY,
            language=handing.language,
            number=handing.caller,
            note=note,
            created_at=now,
            due_at=now + (config.due if config else DAY),
        )
        state = "open"
        try:
            await asyncio.to_thread(self.store.open, wanted)
        except DatabaseUnavailable as error:
            log.error("a follow-up was not kept", fault=str(error), kind=kind.value)  # noqa: TRY400
            state = "lost"
        facts = {"what": kind.value, "state": state, "owner": wanted.owner, "due_at": wanted.due_at}
        self.tell(handing.call_sid, Kind.FOLLOW_UP, 0, handing.session, **facts)
