"""Is anybody there to take a task now? Asked before the caller is queued, and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from handoff.port import Unavailable
from handoff.twilio_rest import QueueNow, TwilioRefused, TwilioRest, TwilioUnavailable

ASK_SECONDS: Final = 1.0
FRESH_SECONDS: Final = 5.0
MOST_QUEUES: Final = 8  # of one workflow: more would be asked for longer than anybody waits


@dataclass(slots=True)
class Pressure:
    """The task queues of one workflow, seen at most every few seconds.

    A question that is not answered in time goes on in the background, so that the next call has its answer.
    """

    rest: TwilioRest
    workflow_sid: str
    clock: Callable[[], float]
    workspace_sid: str = ""
    _queues: tuple[str, ...] = ()
    _seen: tuple[QueueNow, ...] = ()
    _seen_at: float = float("-inf")
    _asking: asyncio.Task[None] | None = field(default=None, repr=False)

    async def workspace(self) -> str:
        if not self.workspace_sid:
            self.workspace_sid = await self.rest.workspace_of(self.workflow_sid)
        return self.workspace_sid

    async def fault(self, sla: float) -> Unavailable | None:
        """Why nobody can take a task within the SLA; None when somebody may, or when it is not known."""
        if self.clock() - self._seen_at > FRESH_SECONDS and not await self._asked():
            return None
        if not self._seen:
            return None
        if not any(queue.eligible and queue.available for queue in self._seen):
            return Unavailable.NOBODY_THERE
        staffed = [queue for queue in self._seen if queue.available]
        if all(queue.longest_wait > sla for queue in staffed):
            return Unavailable.WAIT_TOO_LONG
        return None

    async def _asked(self) -> bool:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await asyncio.shield(self._asking)
        except TimeoutError:
            return False
        return self.clock() - self._seen_at <= FRESH_SECONDS

    async def _ask(self) -> None:
        """Leaves what was seen before when Twilio does not answer: its age tells."""
        try:
            workspace = await self.workspace()
            if not self._queues:
                self._queues = (await self.rest.queues_of(workspace, self.workflow_sid))[:MOST_QUEUES]
            seen = await asyncio.gather(*(self.rest.queue_now(workspace, each) for each in self._queues))
        except (TwilioUnavailable, TwilioRefused):
            return
        self._seen, self._seen_at = tuple(seen), self.clock()
