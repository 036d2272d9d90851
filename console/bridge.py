"""The browser phone's other half: the browser asks; a phone on this side, which can sign, makes the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from compliance.events import Kind
from compliance.record import JournalUnreadable, NoJournal, StoredEvent
from compliance.rulings import Ruling, Rulings
from console.reader import Reader
from evaluation.phone import (
    AgentSpeaking,
    Call,
    CallOver,
    CallRefused,
    Connected,
    Dialled,
    FrameIn,
    HungUp,
    Interrupted,
    NotHeard,
    Phone,
    Played,
    Seen,
)

Dial = Callable[[Callable[[Seen], None]], Phone]
"""Gives a phone that tells the given observer everything it sees."""

MOST_CALLS: Final = 10
LONGEST_CALL: Final = 3600.0  # seconds
LARGEST_ORDER: Final = 4096  # characters of JSON
MOST_WAITING: Final = 50  # orders the caller has not come to yet
POLL_EVERY: Final = 0.15
LAST_EVENTS: Final = 3.0  # seconds after the end in which the record may still close
SEND_DEADLINE: Final = 5.0

Told = Mapping[str, object]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text` is the number for `call`, the words for `say`, keys for `press`; `lang` the tongue of the words.

    `partial`: the caller has begun to speak, which interrupts; the words follow with `say`.
    """

    do: Literal["call", "say", "press", "partial", "hang_up"]
    text: str = ""
    lang: str = "en-US"


class BadOrder(Exception):
    """The browser sent what no page of ours sends; the text says what is wrong."""


def order(raw: str | bytes) -> Order:
    """Raises BadOrder."""
    try:
        asked = msgspec.json.decode(raw, type=Order)
    except msgspec.DecodeError as error:
        raise BadOrder("This message is not understood.") from error
    if asked.do == "say" and not asked.text.strip():
        raise BadOrder("There is nothing to say.")
    if asked.do == "press" and (not asked.text or asked.text.strip("0123456789*#") or len(asked.text) > 32):
        raise BadOrder("Only the keys 0 to 9, * and # can be pressed.")
    return asked


@dataclass(slots=True)
class Booths:
    """How many browser phones are off the hook."""

    most: int = MOST_CALLS
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Bridge:
    """One browser, one call: it begins with the order `call` and ends with the socket, or the other way."""

    socket: WebSocket
    dial: Dial
    reader: Reader
    booths: Booths
    _outbox: asyncio.Queue[Told | None] = field(default_factory=asyncio.Queue)
    _orders: asyncio.Queue[Order] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    async def serve(self) -> None:
        """Until the call is over and told, or the browser is gone."""
        await self.socket.accept()
        if self.booths.taken >= self.booths.most:
            self._error("All browser phones are in use. Try again in a moment.")
            self._outbox.put_nowait(None)
            await self._write()
            return
        self.booths.taken += 1
        try:
            await self._connect()
        finally:
            self.booths.taken -= 1

    async def _connect(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write())
            reading = tasks.create_task(self._read())
            calling = tasks.create_task(self._call())
            await asyncio.wait((writing, reading, calling), return_when=asyncio.FIRST_COMPLETED)
            calling.cancel()
            self._outbox.put_nowait(None)
            await asyncio.wait((calling, writing))
            reading.cancel()

    # -- the socket ----------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Until the browser closes the socket, or sends more than any page of ours does."""
        while (message := await self.socket.receive())["type"] == "websocket.receive":
            raw: str | bytes = message.get("text") or message.get("bytes") or b""
            if len(raw) > LARGEST_ORDER:
                self._error("This message is too long.")
                return
            self._take(raw)

    def _take(self, raw: str | bytes) -> None:
        try:
            self._orders.put_nowait(order(raw))
        except BadOrder as error:
            self._error(str(error))
        except asyncio.QueueFull:
            self._error("Not so fast: the caller is still busy with what came before.")

    async def _write(self) -> None:
        """The only writer. A browser that reads nothing for a while is gone."""
        try:
            while (told := await self._outbox.get()) is not None:
                async with asyncio.timeout(SEND_DEADLINE):
                    await self.socket.send_text(msgspec.json.encode(told).decode())
            await self.socket.close()
        except (WebSocketDisconnect, TimeoutError):
            return

    def _error(self, says: str) -> None:
        self._outbox.put_nowait({"is": "error", "says": says})

    # -- the call ------------------------------------------------------------------------------------------

    async def _call(self) -> None:
        number = await self._number()
        phone = self.dial(self._seen)
        try:
            async with phone.call(called=number) as call, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(call))
                obeying = tasks.create_task(self._obey(call))
                await self._until_ended(call)
                obeying.cancel()
        except CallRefused as refused:
            self._error(f"The call was refused: {refused}.")

    async def _number(self) -> str | None:
        while (asked := await self._orders.get()).do != "call":
            self._error("There is no call yet.")
        return asked.text or None

    async def _until_ended(self, call: Call) -> None:
        try:
            await call.wait_ended(LONGEST_CALL)
        except NotHeard:
            self._error("The call has lasted an hour and is ended here.")
            await call.hang_up()

    async def _obey(self, call: Call) -> None:
        try:
            while True:
                await self._do(call, await self._orders.get())
        except CallOver:
            return

    async def _do(self, call: Call, asked: Order) -> None:
        match asked.do:
            case "say":
                await self._say(call, asked)
            case "press":
                await call.press(asked.text)
            case "partial":
                await call.noise()
            case "hang_up":
                await call.hang_up()
            case "call":
                self._error("This call is already running.")

    async def _say(self, call: Call, asked: Order) -> None:
        """The words are said at once: the person at the browser has taken their time to say or to type them.

        As with any speech, the first sound cuts what is playing, if it may be cut.
        """
        self._outbox.put_nowait({"is": "caller", "text": asked.text})
        await call.noise()
        prompt = {"type": "prompt", "voicePrompt": asked.text, "lang": asked.lang, "last": True}
        await call.send_raw(msgspec.json.encode(prompt).decode())

    async def _follow(self, call: Call) -> None:
        """What the record says of the call, as it is written, until it is closed."""
        rulings, last, over = Rulings(), 0, False
        patience = LAST_EVENTS
        while not over and patience > 0:
            for line in await asyncio.to_thread(self._read_record, call.call_sid, last):
                last, over = line.id, over or line.event.kind is Kind.CALL_ENDED
                for ruling in rulings.read(line.event):
                    self._outbox.put_nowait({"is": "event", **_fields(ruling)})
            if call.ended is not None:
                patience -= POLL_EVERY
            await asyncio.sleep(POLL_EVERY)

    def _read_record(self, call_sid: str, after: int) -> Sequence[StoredEvent]:
        """A record that cannot be read now is asked again at the next round: the call goes on without it."""
        try:
            return self.reader.events(call_sid, after)
        except (NoJournal, JournalUnreadable):
            return ()

    def _seen(self, seen: Seen) -> None:
        if (told := _told(seen)) is not None:
            self._outbox.put_nowait(told)


def _fields(ruling: Ruling) -> Told:
    return {"turn": ruling.turn, "gate": ruling.gate, "says": ruling.says, "tone": ruling.tone}


def _told(seen: Seen) -> Told | None:
    """What the browser needs to know of what the phone saw."""
    match seen:
        case Dialled(call_sid=call_sid):
            return {"is": "dialled", "call_sid": call_sid}
        case Connected(number=number):
            return {"is": "connected", "session": number}
        case FrameIn(frame={"type": "text", "token": str(token), **rest}):
            return {"is": "sent", "text": token, "last": rest.get("last") is True}
        case AgentSpeaking(on=on):
            return {"is": "speaking", "on": on}
        case Played(text=text):
            return {"is": "played", "text": text}
        case Interrupted(heard=heard):
            return {"is": "interrupted", "heard": heard}
        case HungUp(ended=ended):
            return {"is": "ended", "status": ended.status, "verb": ended.verb}
        case _:
            return None
