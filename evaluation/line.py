"""One relay session as Twilio holds it: the socket, the speech queue, and the caller's voice and keys.

What is decided is decided between two awaits and handed to one writer, so that frames leave in the order
of the recordings.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from math import ceil
from typing import Final

import msgspec
from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from evaluation.playback import (
    ChunkPlayed,
    Cut,
    Playback,
    Signal,
    SpeakingChanged,
    speech_seconds,
    spoken_part,
)
from evaluation.seen import (
    AgentSpeaking,
    CallerPartial,
    CallerPressed,
    CallerSaid,
    Frame,
    FrameIn,
    FrameOut,
    Interrupted,
    Played,
    Seen,
)
from evaluation.twiml import Relay
from evaluation.wire import (
    CLOSE_MALFORMED,
    CLOSE_NORMAL,
    Config,
    End,
    Hints,
    Input,
    Judge,
    Language,
    Malformed,
    Play,
    SendDigits,
    ServerFrame,
    Text,
)

PARTIAL_EVERY: Final = 0.25
FINAL_AFTER: Final = 0.35
KEY_EVERY: Final = 0.38
NOISE_SECONDS: Final = 0.3
END_LATENCY: Final = 0.09
LONGEST_CLOSING_SPEECH: Final = 120.0


class By(Enum):
    """Who ended the session."""

    CALLER = auto()
    SERVER_END = auto()
    MALFORMED = auto()
    NETWORK = auto()
    SERVER_CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Closing:
    by: By
    code: int
    handoff_data: str | None = None


class Bell:
    """Wakes whoever waits for something to become true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def until(self, true: Callable[[], bool], seconds: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not true():
                waiting = asyncio.get_running_loop().create_future()
                self._waiting.add(waiting)
                await waiting


class Line:
    """`run` carries the session to its end; `say`, `press` and `noise` are what the caller does meanwhile."""

    def __init__(
        self,
        socket: ClientConnection,
        relay: Relay,
        *,
        tell: Callable[[Seen], None],
        since_dialled: Callable[[], float],
        bell: Bell,
        end_waits: bool,
    ) -> None:
        self.playback = Playback(relay.interruptible, preemptible=relay.preemptible)
        self._socket = socket
        self._relay = relay
        self._language = relay.prompt_language
        self._tell = tell
        self._now = since_dialled
        self._bell = bell
        self._end_waits = end_waits
        self._judge = Judge()
        self._outbox: asyncio.Queue[str | tuple[int, str]] = asyncio.Queue()
        self._rescheduled = asyncio.Event()
        self._closing_by: By | None = None
        self._handoff_data: str | None = None
        self._partial = ""

    async def run(self, setup: Frame) -> Closing:
        """From `setup` to the closed socket."""
        self.post(setup)
        if self._relay.greeting:
            self.playback.greet(self._relay.greeting, self._relay.greeting_interruptible, self._now())
        async with self._socket, asyncio.TaskGroup() as tasks:
            speech = tasks.create_task(self._speak())
            writer = tasks.create_task(self._write())
            await self._read()
            speech.cancel()
            writer.cancel()
        self._closing_by = self._closing_by or By.SERVER_CLOSE
        return Closing(self._closing_by, self._socket.close_code or 1006, self._handoff_data)

    async def say(self, parts: Sequence[str], gap: float) -> None:
        """One utterance, finalised as one prompt per part, `gap` seconds apart."""
        seconds = speech_seconds(" ".join(parts))
        self._caller_speaking(True)
        for number in range(ceil(seconds / PARTIAL_EVERY)):
            elapsed = number * PARTIAL_EVERY
            self._sound(spoken_part(parts[0], elapsed or PARTIAL_EVERY / 2))
            await asyncio.sleep(min(PARTIAL_EVERY, seconds - elapsed))
        self._sound(parts[0])
        await asyncio.sleep(FINAL_AFTER)
        self._caller_speaking(False)
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(gap)
                self._barge_in(Input.SPEECH)
            self._tell(CallerSaid(part, self._now()))
            self._prompt(part, last=True)
            self._emit(self.playback.advance(self._now()))

    async def press(self, keys: str) -> None:
        for number, key in enumerate(keys):
            if number:
                await asyncio.sleep(KEY_EVERY)
            self._tell(CallerPressed(key, self._now()))
            cut = self.playback.barge_in(Input.DTMF, self._now())
            if self._relay.dtmf_detection and self._delivers(Input.DTMF):
                self.post({"type": "dtmf", "digit": key})
            self._emit(cut)
            self._emit(self.playback.advance(self._now()))

    async def noise(self) -> None:
        self._caller_speaking(True)
        self._barge_in(Input.SPEECH)
        self._emit(self.playback.advance(self._now()))
        await asyncio.sleep(NOISE_SECONDS)
        self._caller_speaking(False)

    def post(self, frame: Frame) -> None:
        self.post_raw(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))

    def post_raw(self, text: str) -> None:
        """What is said into a line that is being closed goes nowhere."""
        if self._closing_by is None:
            self._tell(FrameOut(_shown(text), self._now()))
            self._outbox.put_nowait(text)

    def hang_up(self) -> None:
        self._close(By.CALLER, CLOSE_NORMAL)

    def drop(self) -> None:
        """The connection dies without a close frame."""
        self._closing_by = self._closing_by or By.NETWORK
        self._socket.transport.abort()

    def _close(self, by: By, code_and_reason: tuple[int, str]) -> None:
        if self._closing_by is None:
            self._closing_by = by
            self._outbox.put_nowait(code_and_reason)

    async def _write(self) -> None:
        try:
            while True:
                match await self._outbox.get():
                    case str(text):
                        await self._socket.send(text)
                    case (code, reason):
                        await self._socket.close(code, reason)
        except ConnectionClosed:
            return

    async def _speak(self) -> None:
        """Play what is queued, in its time."""
        loop = asyncio.get_running_loop()
        while True:
            due = self.playback.due()
            deadline = None if due is None else loop.time() + due - self._now()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._rescheduled.wait()
            except TimeoutError:
                self._emit(self.playback.advance(max(self._now(), due or 0.0)))
            self._rescheduled.clear()

    async def _read(self) -> None:
        try:
            async for raw in self._socket:
                self._tell(FrameIn(_shown(raw), self._now()))
                if self._closing_by is None:
                    await self._receive(self._judge.judge(raw))
        except ConnectionClosed:
            return

    async def _receive(self, frame: ServerFrame | Malformed) -> None:
        match frame:
            case Text() | Play() | SendDigits():
                self._emit(self.playback.feed(frame, self._now()))
            case Language(transcription_language=language):
                if language is not UNSET:
                    self._language = language
                self.post({"type": "configUpdated"})
            case Config() | Hints():
                self.post({"type": "configUpdated"})
            case End(handoff_data=data):
                await self._end(None if data is UNSET else data)
            case Malformed(description=description, fatal=fatal):
                self.post({"type": "error", "description": description})
                if fatal:
                    self._close(By.MALFORMED, CLOSE_MALFORMED)

    async def _end(self, handoff_data: str | None) -> None:
        """The recordings let queued speech finish before the session closes; no document promises it."""
        if self._end_waits:
            with suppress(TimeoutError):
                await self._bell.until(
                    lambda: self.playback.silent or self._closing_by is not None, LONGEST_CLOSING_SPEECH
                )
        await asyncio.sleep(END_LATENCY)
        if self._closing_by is None:
            self._handoff_data = handoff_data
        self._close(By.SERVER_END, CLOSE_NORMAL)

    def _sound(self, partial: str) -> None:
        """The caller is being heard: every sound cuts what may be cut, then shows what was understood."""
        self._barge_in(Input.SPEECH)
        if self._relay.partial_prompts and partial != self._partial and self._prompt(partial, last=False):
            self._partial = partial
            self._tell(CallerPartial(partial, self._now()))
        self._emit(self.playback.advance(self._now()))

    def _barge_in(self, by: Input) -> None:
        self._emit(self.playback.barge_in(by, self._now()))

    def _prompt(self, text: str, *, last: bool) -> bool:
        if not self._delivers(Input.SPEECH):
            return False
        self.post({"type": "prompt", "voicePrompt": text, "lang": self._language, "last": last})
        return True

    def _delivers(self, by: Input) -> bool:
        """While the agent can be heard, only what the session reports; `interruptible` is another matter."""
        return not self.playback.playing or self._relay.report_during_speech.admit(by)

    def _caller_speaking(self, on: bool) -> None:
        self._partial = ""
        if "speaker-events" in self._relay.events:
            self.post(_info("clientSpeaking", "on" if on else "off"))

    def _emit(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            match signal:
                case SpeakingChanged(on=on):
                    if "speaker-events" in self._relay.events:
                        self.post(_info("agentSpeaking", "on" if on else "off"))
                    self._tell(AgentSpeaking(on, self._now()))
                case ChunkPlayed(text=text):
                    if "tokens-played" in self._relay.events:
                        self.post(_info("tokensPlayed", text))
                    self._tell(Played(text, self._now()))
                case Cut(heard=heard, after=after):
                    milliseconds = round(after * 1000)
                    self.post(
                        {
                            "type": "interrupt",
                            "utteranceUntilInterrupt": heard,
                            "durationUntilInterruptMs": milliseconds,
                        }
                    )
                    self._tell(Interrupted(heard, self._now()))
        self._rescheduled.set()
        self._bell.ring()


def _info(name: str, value: str) -> Frame:
    return {"type": "info", "name": name, "value": value}


def _shown(raw: str | bytes) -> Frame:
    if isinstance(raw, bytes):
        return {"raw": f"<{len(raw)} bytes>"}
    try:
        frame: dict[str, object] = msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {"raw": raw}
    return frame
