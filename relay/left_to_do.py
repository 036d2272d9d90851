"""What a call leaves to do, told to the record."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.events import Kind
from handoff.attempt import Attempt
from relay.handings import Handing
from relay.tell import TellsOfCall


@dataclass(frozen=True, slots=True)
class Recorded:
    tell: TellsOfCall

    async def callback(self, handing: Handing) -> None:
        self._tell(handing, "callback")

    async def missed(self, handing: Handing, attempt: Attempt) -> None:
        self._tell(handing, "missed_sla")

    async def voicemail(self, handing: Handing, recording: str) -> None:
        self._tell(handing, "voicemail")

    def _tell(self, handing: Handing, what: str) -> None:
        self.tell(handing.call_sid, Kind.FOLLOW_UP, 0, handing.session, what=what, state="open")
