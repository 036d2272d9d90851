"""Flex: TaskRouter with the attributes that an agent's desktop and its reports read; Flex accepts by itself.

"The Flex UI accepts reservations itself; don't also answer with an instruction there." Reports read the
object `conversations`; the task's title is `name`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from handoff.attributes import Value, attributes
from handoff.port import Case, DestinationUnavailable, Hold, Urls
from handoff.pressure import Pressure
from handoff.taskrouter import TaskRouter, enqueue
from handoff.twilio_rest import TwilioRest
from policies.agent_destinations import Flex as Config

LONGEST_TITLE: Final = 100


@dataclass(frozen=True, slots=True)
class Flex:
    queue: TaskRouter

    async def accept(self, case: Case, urls: Urls) -> str:
        pressure = self.queue.pressure
        if pressure and (fault := await pressure.fault(self.queue.sla)):
            raise DestinationUnavailable(fault)
        text = attributes(case, preset(case))
        return enqueue(case, urls, self.queue.workflow_sid, self.queue.sla, text)

    async def wait(self, case: Case, urls: Urls, hold: Hold) -> str:
        return await self.queue.wait(case, urls, hold)

    def rejoin(self, case: Case, urls: Urls) -> str:
        return self.queue.rejoin(case, urls)

    async def abandon(self, case: Case) -> None:
        await self.queue.abandon(case)

    async def finish(self, case: Case) -> None:
        """Flex ends its task itself, when the agent has wrapped up."""


def connect(config: Config, rest: TwilioRest | None, clock: Callable[[], float]) -> Flex:
    pressure = Pressure(rest, config.workflow_sid, clock) if rest else None
    return Flex(TaskRouter(config.workflow_sid, config.sla, rest, pressure))


def preset(case: Case) -> Mapping[str, Value]:
    """Reason, tier, language and next step are in the title, visible without a click."""
    about = [case.tier, case.reason.value.replace("_", " "), case.language]
    title = ", ".join(filter(None, about)) + (f": {case.next_step}" if case.next_step else "")
    return {
        "name": title[:LONGEST_TITLE],
        "type": "inbound",
        "conversations": {
            "conversation_id": case.call_sid,
            "communication_channel": "Call",
            "initiated_by": "Customer",
            "ivr_path": "ai",
            "language": case.language,
            "content": case.reason.value,
        },
    }
