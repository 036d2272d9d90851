"""The conferences of `tests.carrier`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from tests.carrier import Carrier
    from tests.carrier_calls import Leg

IN_ROOM: Final = frozenset({"Play", "Say", "Pause", "Redirect"})  # "anything else is error 13238"


class Room:
    """It starts when a participant who starts it is not alone; "only the first participant's status callback
    counts"."""

    def __init__(self, network: Carrier, name: str, progress: str) -> None:
        self.started = asyncio.Event()
        self._network = network
        self._name = name
        self._progress = progress
        self._members: dict[Leg, ET.Element] = {}
        self._gone: dict[Leg, asyncio.Event] = {}

    async def stay(self, leg: Leg, noun: ET.Element) -> None:
        """Until the room ends; cancelled when the leg leaves it first."""
        self._members[leg], self._gone[leg] = noun, asyncio.Event()
        gone = self._gone[leg]
        self._tell(leg, "participant-join")
        starts = any(each.get("startConferenceOnEnter") == "true" for each in self._members.values())
        if starts and len(self._members) > 1 and not self.started.is_set():
            self._tell(leg, "conference-start")
            self.started.set()
        try:
            if wait_url := noun.get("waitUrl"):
                await first_of(self._wait(leg, wait_url), self.started.wait(), gone.wait())
            await gone.wait()
        finally:
            self._leave(leg)

    async def _wait(self, leg: Leg, url: str) -> None:
        while True:
            await leg.hold(await leg.ask(url), IN_ROOM)

    def _leave(self, leg: Leg) -> None:
        noun = self._members.pop(leg)
        self._tell(leg, "participant-leave")
        if noun.get("endConferenceOnExit") == "true" or not self._members:
            self._tell(leg, "conference-end")
            self._network.rooms.pop(self._name, None)
            for gone in self._gone.values():
                gone.set()

    def _tell(self, leg: Leg, event: str) -> None:
        form = {"ConferenceSid": "CF" + "0" * 32, "FriendlyName": self._name, "StatusCallbackEvent": event}
        self._network.tell(self._progress, {**form, "CallSid": leg.sid, "AccountSid": self._network.account})


async def first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Until one of them is done; the others are left."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()
