"""Twilio's side of a handoff, over HTTP and signed: it asks our webhooks and does what their TwiML says.

It keeps the calls of `tests.twilio_api`, so that a caller whom we move by REST is moved here. A verb that
Twilio does not allow in a document is a fault, as is every answer that is not a 2xx: told at the end.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
from twilio.request_validator import RequestValidator

from tests.carrier_calls import OURS, Form, Leg, Person
from tests.carrier_room import Room
from tests.relay.running import ACCOUNT, PUBLIC, TOKEN
from tests.twilio_api import Asked, TwilioApi

DECIDES: Final = ("/twilio/action", "/twilio/handoff/result", "/twilio/handoff/choice")
OVER: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


class Carrier:
    """Everything between our webhooks and the people. `bases` are the processes that answer, in turn.

    `seed`: callbacks are late and some come twice, so in any order. `twice`: what decides is asked twice at
    once, and has to be answered the same.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        api: TwilioApi,
        bases: tuple[str, ...],
        people: tuple[Person, ...],
        *,
        seed: int | None = None,
        twice: bool = False,
    ) -> None:
        self.api = api
        self.account = ACCOUNT
        self.people = people
        self.rooms: dict[str, Room] = {}
        self.flows: list[str] = []  # where calls were sent back into Studio
        self.faults: list[str] = []
        self.queue_fails = ""  # a QueueResult
        self.message_seconds = 9.0  # of a voicemail
        self.enqueued: Callable[[Leg, str, ET.Element | None], None] = self._no_router
        self.decided: Callable[[], None] = lambda: None
        self._http = http
        self._bases = itertools.cycle(bases)
        self._random = random.Random(seed) if seed is not None else None
        self._twice = twice
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._closed = False
        self._legs: dict[str, Leg] = {}
        api.network = self

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- our webhooks ------------------------------------------------------------------------------------

    async def post(
        self, url: str, form: Form, *, token: str = TOKEN, signed: bool = True, signed_url: str = ""
    ) -> httpx.Response:
        """One request of Twilio's, as it is signed and answered."""
        assert url.startswith(PUBLIC), url
        signature = RequestValidator(token).compute_signature(signed_url or url, dict(form))
        headers = {"X-Twilio-Signature": signature} if signed else {}
        address = next(self._bases) + url.removeprefix(PUBLIC)
        return await self._http.post(address, data=dict(form), headers=headers)

    async def ask(self, url: str, form: Form) -> str:
        """The TwiML that the call goes on with."""
        answers = [self._text(url, form)]
        if self._twice and urlsplit(url).path in DECIDES:
            answers.append(self._text(url, form))
        first, *others = await asyncio.gather(*answers)
        if others and others != [first]:
            self.faults.append(f"{urlsplit(url).path} was answered in two ways")
        return first

    async def _text(self, url: str, form: Form) -> str:
        answer = await self.post(url, form)
        if answer.status_code != 200 or "xml" not in answer.headers.get("content-type", ""):
            self.faults.append(f"{urlsplit(url).path} answered {answer.status_code}")
            return "<Response/>"
        return answer.text

    def tell(self, url: str, form: Form) -> None:
        """A callback: nobody waits for its answer."""
        if self._closed:
            return
        times = 1
        if self._random and self._random.random() < 0.3:
            times = 2
        for _ in range(times):
            task = self.spawn(self._deliver(url, form, self._random.uniform(0, 3) if self._random else 0.0))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _deliver(self, url: str, form: Form, late: float) -> None:
        if late:
            await asyncio.sleep(late)
        answer = await self.post(url, form)
        if not answer.is_success:
            self.faults.append(f"{urlsplit(url).path} answered {answer.status_code}")

    # -- calls -------------------------------------------------------------------------------------------

    def caller(self, sid: str) -> Leg:
        """The caller's call, which has left our socket."""
        self.api.calls[sid] = "in-progress"
        self._legs[sid] = Leg(self, sid, OURS)
        return self._legs[sid]

    def leg(self, to: str, progress: str, sid: str = "") -> Leg:
        sid = sid or f"CA{len(self.api.calls) + 0xE000:032x}"
        self.api.calls[sid] = "queued"
        made = Leg(self, sid, to, progress=progress)
        assert made.person is not None, to
        made.person.legs.append(made)
        self._legs[sid] = made
        return made

    def person(self, to: str) -> Person | None:
        """Whose number or address it is; a SIP address may have our reference behind it."""
        return next((each for each in self.people if to.partition("?")[0] == each.number), None)

    def room(self, name: str, progress: str) -> Room:
        return self.rooms.setdefault(name, Room(self, name, progress))

    def ring(self, call_sid: str, asked: Asked) -> None:
        leg = self.leg(asked["To"], asked["StatusCallback"], call_sid)
        leg.place(asked["Url"], float(asked["Timeout"]))

    def move(self, call_sid: str, asked: Asked) -> None:
        leg = self._legs[call_sid]
        if "Status" in asked.form:
            leg.end("canceled" if not leg.heard and leg.person else "completed")
        elif "Url" in asked.form:
            leg.begin(leg.ask(asked["Url"]))
        else:
            leg.begin(_ready(asked["Twiml"]))

    def decide(self) -> None:
        self.decided()

    def left_ringing(self) -> list[str]:
        """People's legs that are not over: nobody may ring for a caller who is gone."""
        return [sid for sid, leg in self._legs.items() if leg.person and self.api.calls[sid] not in OVER]

    # -- time --------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.faults.append(f"{type(error).__name__}: {error}")

    async def told(self) -> None:
        """Until every callback has been delivered."""
        while self._telling:
            await asyncio.wait(list(self._telling))

    async def close(self) -> None:
        await self.told()
        self._closed = True
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        self.api.network = None

    def _no_router(self, leg: Leg, workflow: str, task: ET.Element | None) -> None:
        self.faults.append("there is no TaskRouter")


@asynccontextmanager
async def carrying(
    api: TwilioApi, *bases: str, people: tuple[Person, ...] = (), seed: int | None = None, twice: bool = False
) -> AsyncIterator[Carrier]:
    """The network, until its callbacks are delivered; then nothing may have been wrong."""
    async with httpx.AsyncClient(timeout=15.0, trust_env=False) as http:
        network = Carrier(http, api, bases, people, seed=seed, twice=twice)
        try:
            yield network
        finally:
            await network.close()
    assert network.faults == []
    assert api.refused == []  # by Twilio's own OpenAPI files


async def _ready(document: str) -> str:
    return document
