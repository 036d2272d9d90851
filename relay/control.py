"""The stop button at work: new calls of a paused agent go to people, live ones are taken from it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from compliance.controls import Controls, ControlStore, Order
from compliance.database import DatabaseUnavailable
from compliance.events import Kind
from policies.agent_file import AgentFile
from relay.live import LiveCalls
from relay.places import CALLBACK
from relay.tell import TellsOfCall

LOOK: Final = 0.8  # seconds between two looks: a command reaches every worker within 2 s
FRESH: Final = 3600.0  # seconds in which an order that nobody took is still looked at

log = structlog.get_logger()


@dataclass(slots=True)
class Control:
    button: ControlStore
    live: LiveCalls
    tell: TellsOfCall
    clock: Callable[[], float]
    pressed: Controls = field(default_factory=Controls)
    process: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    async def run(self) -> None:
        """Until cancelled. While the database is away, what was paused stays paused."""
        away = False
        while True:
            try:
                await self.look()
                away = False
            except DatabaseUnavailable as error:
                if not away:
                    log.warning("the stop button cannot be read now", fault=str(error))
                away = True
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Once. Raises `DatabaseUnavailable`."""
        self.pressed = await asyncio.to_thread(self.button.read, self.clock() - FRESH)
        for order in self.pressed.orders:
            await self._obey(order)

    def bypass(self, file: AgentFile, call_sid: str) -> str | None:
        """Where a new call goes instead (blank: by the routes); None: the agent answers it."""
        if pause := self.pressed.pause_of(file.agent.name):
            return pause.to or ""
        rollout = file.evaluation.rollout
        if _lot(call_sid) >= rollout.share:
            return rollout.otherwise or CALLBACK
        return None

    async def _obey(self, order: Order) -> None:
        """Only the process that has the call, and only once."""
        call = self.live.find(order.call_sid)
        if call is None:
            return
        if not await asyncio.to_thread(self.button.take, order.id, self.process, self.clock()):
            return
        what = "end" if order.end else f"to {order.to or 'a person'}"
        facts = {"what": what, "by": order.by, "reason": order.reason}
        self.tell(order.call_sid, Kind.ORDERED, 0, call.number, **facts)
        await call.obey(order.to or "", order.end)


def _lot(call_sid: str) -> float:
    """From 0 to 1, the same for a call wherever it is asked."""
    return int.from_bytes(hashlib.sha256(call_sid.encode()).digest()[:4], "big") / 2**32
