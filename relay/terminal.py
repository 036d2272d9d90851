"""A call as it happens, on a terminal: who spoke, what was heard, what each gate decided."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from compliance.events import Event, Kind
from compliance.summary import line
from evaluation.call import Call
from evaluation.phone import Phone
from evaluation.seen import CallerSaid, Connected, Dialled, HungUp, Interrupted, Played, Seen

TALK_LIMIT = 4 * 3600.0  # seconds; a call is never longer
COLOURS = {
    "caller": "bold cyan",
    "agent": "bold green",
    "phone": "dim",
}


@dataclass(slots=True)
class Terminal:
    """Watches one call from both ends: the phone's ear, and the events of the server."""

    console: Console
    call_sid: str = ""
    _began: float | None = field(default=None, init=False)
    _recorded: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _ended: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def see(self, seen: Seen) -> None:
        """What the phone saw."""
        match seen:
            case Dialled(caller, called, call_sid, at):
                self.call_sid = call_sid
                self._print(at, "phone", f"{caller} calls {called}")
            case Connected(number=number, at=at):
                self._print(at, "phone", f"connected, session {number}")
            case CallerSaid(text, at):
                self._print(at, "caller", f"“{text}”")
            case Played(text, at):
                self._print(at, "agent", f"“{text.strip()}”")
            case Interrupted(heard, at):
                self._print(at, "caller", f"cuts in after “{heard.strip()}”")
            case HungUp(at=at):
                self._print(at, "phone", "the call has ended")
            case _:
                pass

    def record(self, event: Event) -> None:
        """What the server recorded; what was said and heard is the phone's to tell."""
        if self._began is None:
            self._began = event.at
        if event.kind is Kind.CALL_ENDED:
            self._ended.set()
        told = line(event, self._began)
        if told.gate is not None:
            self._print(told.at, told.gate, told.text)

    async def until_recorded(self) -> None:
        """Until the server has recorded the end of the call."""
        async with asyncio.timeout(10):
            await self._ended.wait()

    def _print(self, at: float, who: str, text: str) -> None:
        self.console.print(
            Text.assemble((f"{at:7.2f}  ", "dim"), (f"{who:>12}  ", COLOURS.get(who, "magenta")), text)
        )


async def talk(phone: Phone, terminal: Terminal) -> bool:
    """One call by hand, a line of standard input at a time; False when it could not be heard to its end."""
    terminal.console.print(
        "Type what you say. /press 12# presses keys, /drop cuts the line, /bye hangs up.\n"
    )
    async with phone.call() as call:
        typed = asyncio.create_task(_typed(call))
        ended = asyncio.create_task(call.wait_ended(TALK_LIMIT))
        await asyncio.wait((typed, ended), return_when=asyncio.FIRST_COMPLETED)
        for task in (typed, ended):
            task.cancel()
        await asyncio.gather(typed, ended, return_exceptions=True)
    return True


async def _typed(call: Call) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while text := (await lines.readline()).decode(errors="replace"):
        match text.split():
            case []:
                continue
            case ["/bye"]:
                return
            case ["/drop"]:
                await call.drop()
            case ["/press", keys]:
                await call.press(keys)
            case words:
                await call.say(" ".join(words))
    await call.quiet()
