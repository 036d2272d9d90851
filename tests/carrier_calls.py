"""The calls of `tests.carrier`: each follows its documents, verb by verb, as Twilio would."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tests.carrier_room import first_of
from tests.relay.running import PUBLIC

if TYPE_CHECKING:
    from tests.carrier import Carrier

OURS, CALLER = "+15550100001", "+15550100002"
LETTERS_A_SECOND: Final = 14
IN_QUEUE: Final = frozenset({"Play", "Say", "Pause", "Hangup", "Redirect", "Leave", "Gather"})
QUEUE: Final = "QU" + "0" * 32

Form = Mapping[str, str]


class Does(StrEnum):
    """What a person does when our call rings."""

    TAKES = "takes"
    REFUSES = "refuses"
    PRESSES_NOTHING = "presses nothing"  # a machine
    HANGS_UP = "hangs up"  # while the brief is read
    IS_LOST = "is lost"  # the leg breaks after the key
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    FAILS = "failed"


@dataclass(eq=False)
class Person:
    """Seconds: until they pick up, until they press a key, and of the conversation."""

    number: str
    does: Does = Does.TAKES
    answers_after: float = 4.0
    talks: float = 60.0
    legs: list[Leg] = field(default_factory=list)

    @property
    def heard(self) -> str:
        return " ".join(text for leg in self.legs for text in leg.heard)


class Leg:
    """One call, the caller's or a person's, and the documents it goes through."""

    def __init__(self, network: Carrier, sid: str, to: str, *, progress: str = "") -> None:
        self.network = network
        self.sid = sid
        self.heard: list[str] = []
        self.back: asyncio.Future[str] = asyncio.get_running_loop().create_future()  # TwiML of a new session
        self.over = asyncio.Event()
        self.person = network.person(to)
        self.taken = False  # bridged, or in Flex's own room
        self._to = to
        self._progress = progress
        self._life: asyncio.Task[None] | None = None
        self._moving = False
        self._recorded = False
        self._from_queue: asyncio.Future[float] | None = None

    @property
    def status(self) -> str:
        return self.network.api.calls[self.sid]

    def form(self) -> dict[str, str]:
        theirs, ours = (OURS, self._to) if self.person else (CALLER, OURS)
        direction = "outbound-api" if self.person else "inbound"
        fields = {"CallSid": self.sid, "AccountSid": self.network.account, "ApiVersion": "2010-04-01"}
        return {**fields, "From": theirs, "To": ours, "Direction": direction, "CallStatus": self.status}

    async def ask(self, url: str, **more: str) -> str:
        return await self.network.ask(url, {**self.form(), **more})

    def begin(self, first: Coroutine[Any, Any, str]) -> None:
        """The call goes on with this document, whatever it was doing."""
        before, self._moving = self._life, self._life is not None
        if before:
            before.cancel()
        self._life = self.network.spawn(self._live(before, first))

    async def _live(self, before: asyncio.Task[None] | None, first: Coroutine[Any, Any, str]) -> None:
        if before:
            await asyncio.wait([before])
        self._moving = False
        document: str | None = await first
        while document is not None:
            document = await self._follow(document)
        if not self.back.done():
            self.end()

    def end(self, status: str = "completed") -> None:
        """Whoever ended it: what the call was doing is told first, then that it is over."""
        if self.over.is_set():
            return
        self.network.api.calls[self.sid] = status
        self.over.set()
        doing = self._life if self._life is not asyncio.current_task() else None
        if doing:
            doing.cancel()
        if self.person:
            self.progress(status)
        else:
            self.network.spawn(self._tell_end(doing))

    async def _tell_end(self, doing: asyncio.Task[None] | None) -> None:
        if doing:
            await asyncio.wait([doing])
        self.network.tell(f"{PUBLIC}/twilio/status", {**self.form(), "CallDuration": "60"})

    def progress(self, status: str) -> None:
        self.network.api.calls[self.sid] = status
        if self._progress:
            self.network.tell(self._progress, self.form())

    # -- documents ---------------------------------------------------------------------------------------

    async def _follow(self, document: str) -> str | None:
        """The next document; None when the call ends with this one."""
        for verb in _root(document):
            match verb.tag:
                case "Say":
                    await self._listen(verb)
                case "Pause":
                    await asyncio.sleep(float(verb.get("length", "1")))
                case "Hangup":
                    return None
                case "Redirect":
                    return await self._redirect(verb)
                case "Gather":
                    return await self._gather(verb)
                case "Enqueue":
                    return await self._enqueue(verb)
                case "Dial":
                    return await self._dial(verb)
                case "Record":
                    if self.person is None and (answer := await self._record(verb)) is not None:
                        return answer
                case "Connect":
                    self.back.set_result(document)
                    return None
                case other:
                    self.network.faults.append(f"the verb {other}")
        return None

    async def _listen(self, verb: ET.Element) -> None:
        text = " ".join("".join(verb.itertext()).split())
        self.heard.append(text)
        await asyncio.sleep(len(text) / LETTERS_A_SECOND)

    async def _redirect(self, verb: ET.Element) -> str | None:
        url = (verb.text or "").strip()
        if url.startswith("https://webhooks.twilio.com/"):
            self.network.flows.append(url)
            return None
        return await self.ask(url)

    async def _gather(self, verb: ET.Element) -> str | None:
        """Our only keys are a person's, asked for while the brief is read."""
        does = self.person.does if self.person else Does.PRESSES_NOTHING
        for inner in verb:
            await self._listen(inner)
            if does is Does.HANGS_UP:
                return None
        keys = {Does.TAKES: "1", Does.IS_LOST: "1", Does.REFUSES: "2"}.get(does, "")
        # Twilio waits for a key as long as the verb says, on the test's virtual clock.
        await asyncio.sleep(1.0 if keys else float(verb.get("timeout", "5")))
        answer = await self.ask(verb.get("action", ""), Digits=keys)
        return None if does is Does.IS_LOST else answer

    async def hold(self, document: str, allowed: frozenset[str]) -> bool:
        """One piece of hold; True when it said `<Leave/>`."""
        for verb in _root(document):
            if verb.tag not in allowed:
                self.network.faults.append(f"<{verb.tag}> while waiting")
            match verb.tag:
                case "Say":
                    await self._listen(verb)
                case "Pause":
                    await asyncio.sleep(float(verb.get("length", "1")))
                case "Leave":
                    return True
        return False

    async def _enqueue(self, verb: ET.Element) -> str:
        action, begun = verb.get("action", ""), self.network.now()
        if workflow := verb.get("workflowSid"):
            self.network.enqueued(self, workflow, verb.find("Task"))
        waiting = f"QU{'0' * 32}"
        self._from_queue = asyncio.get_running_loop().create_future()

        def told(result: str) -> dict[str, str]:
            return {"QueueResult": result, "QueueSid": waiting, "QueueTime": str(int(since()))}

        def since() -> float:
            return self.network.now() - begun

        async def wait() -> None:
            while True:
                position = {"QueuePosition": "1", "CurrentQueueSize": "1", "AvgQueueTime": "90"}
                asked = {**position, "QueueTime": str(int(since())), "QueueSid": waiting}
                if await self.hold(await self.ask(verb.get("waitUrl", ""), **asked), IN_QUEUE):
                    return

        try:
            if self.network.queue_fails:
                return await self.ask(action, QueueResult=self.network.queue_fails)
            await first_of(wait(), _result(self._from_queue))
            if self._from_queue.done():
                bridged = told("bridged")
                await asyncio.sleep(self._from_queue.result())
                return await self.ask(action, **bridged)
            return await self.ask(action, **told("leave"))
        except asyncio.CancelledError:
            if self._from_queue.done():
                self.network.tell(action, {**self.form(), **told("bridged")})
            else:
                result = "redirected" if self._moving else "hangup"
                self.network.tell(action, {**self.form(), **told(result)})
            raise

    def take_from_queue(self, seconds: float) -> None:
        """Somebody's `<Dial><Queue>` has the caller, for so long."""
        assert self._from_queue is not None
        self._from_queue.set_result(seconds)

    async def _dial(self, verb: ET.Element) -> str | None:
        noun, action = verb[0], verb.get("action", "")
        if noun.tag != "Conference":
            return await self._ring(verb, action)
        try:
            room = self.network.room((noun.text or "").strip(), noun.get("statusCallback", ""))
            if self.person:
                await first_of(room.stay(self, noun), asyncio.sleep(self.person.talks))
                return None
            await room.stay(self, noun)
        except asyncio.CancelledError:
            if action and not self._moving:
                self.network.tell(action, {**self.form(), "DialCallStatus": "completed"})
            raise
        return await self.ask(action, DialCallStatus="completed", DialCallDuration="60")

    async def _ring(self, verb: ET.Element, action: str) -> str:
        """Numbers ring at once; who answers first hears the whisper, and the others stop ringing."""
        legs = [self.network.leg((noun.text or "").strip(), noun.get("statusCallback", "")) for noun in verb]
        timeout = float(verb.get("timeout", "30"))
        ringing = {asyncio.ensure_future(leg.rung(timeout)): leg for leg in legs}
        answered: Leg | None = None
        how = "no-answer"
        talked = False
        try:
            while ringing and answered is None:
                done, _ = await asyncio.wait(ringing, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    leg, how = ringing.pop(each), each.result()
                    answered = leg if how == "in-progress" else answered
            for each, leg in ringing.items():
                each.cancel()
                leg.end("canceled")
            if answered:
                whisper = verb[legs.index(answered)].get("url", "")
                talked = await answered.whispered(whisper)
                how = "completed" if talked else "no-answer"
                if talked:
                    await asyncio.sleep(answered.person.talks if answered.person else 0)
                answered.end()
        except asyncio.CancelledError:
            for each, leg in ringing.items():
                each.cancel()
                leg.end("canceled")
            if answered:
                answered.end()
            gone = "completed" if talked else "canceled"
            self.network.tell(action, {**self.form(), "DialCallStatus": gone})
            raise
        seconds = str(int(answered.person.talks)) if talked and answered and answered.person else "0"
        return await self.ask(action, DialCallStatus=how, DialCallDuration=seconds)

    async def rung(self, timeout: float) -> str:  # noqa: ASYNC109
        """How a person's leg was answered: `in-progress`, or over."""
        assert self.person is not None
        self.progress("initiated")
        self.progress("ringing")
        match self.person.does:
            case Does.NO_ANSWER:
                await asyncio.sleep(timeout)
            case Does.BUSY | Does.FAILS:
                await asyncio.sleep(1.0)  # the network's answer is not instant
            case _:
                await asyncio.sleep(self.person.answers_after)
                self.progress("in-progress")
                return "in-progress"
        self.end(self.person.does.value)
        return self.person.does.value

    async def whispered(self, url: str) -> bool:
        """False when the person's document hangs up: they are not joined."""
        document = await self.ask(url) if url else "<Response/>"
        while True:
            root = _root(document)
            gather = root.find("Gather")
            if gather is None:
                for verb in root.findall("Say"):
                    await self._listen(verb)
                return root.find("Hangup") is None
            answer = await self._gather(gather)
            if answer is None:
                return False
            document = answer

    def place(self, url: str, timeout: float) -> None:
        """A call placed by REST or by TaskRouter, from the first ring to its end."""
        self.begin(self._picked_up(url, timeout))

    async def _picked_up(self, url: str, timeout: float) -> str:  # noqa: ASYNC109
        return await self.ask(url) if await self.rung(timeout) == "in-progress" else "<Response/>"

    async def _record(self, verb: ET.Element) -> str | None:
        """None when nothing was recorded: "the call goes on with the next verb"."""
        seconds, self._recorded = self.network.message_seconds, True
        try:
            await asyncio.sleep(seconds or float(verb.get("timeout", "5")))
        except asyncio.CancelledError:
            self._tell_recording(verb, "hangup")
            raise
        if not seconds:
            return None
        return await self.ask(verb.get("action", ""), **self._tell_recording(verb, "#"))

    def _tell_recording(self, verb: ET.Element, digits: str) -> dict[str, str]:
        recording = {"RecordingSid": "RE" + "5" * 32, "RecordingDuration": "9", "Digits": digits}
        told = {**self.form(), **recording, "RecordingStatus": "completed"}
        self.network.tell(verb.get("recordingStatusCallback", ""), told)
        if digits == "hangup":
            self.network.tell(verb.get("action", ""), {**self.form(), **recording})
        return recording


def _root(document: str) -> ET.Element:
    root = ET.fromstring(document)
    assert root.tag == "Response", document
    return root


async def _result(future: asyncio.Future[float]) -> None:
    await asyncio.shield(future)
