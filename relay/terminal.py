"""A call as it happens, on a terminal: who spoke, what was heard, what each gate decided."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compliance.events import Event, Kind
from compliance.rulings import Rulings
from evaluation.call import Call
from evaluation.phone import Phone
from evaluation.seen import CallerSaid, Connected, Dialled, HungUp, Interrupted, Played, Seen

TALK_LIMIT = 4 * 3600.0  # seconds; a call is never longer
COLOURS = {
    "caller": "bold cyan",
    "agent": "bold green",
    "phone": "dim",
    "call": "dim",
    "carrier": "dim",
}


@dataclass(slots=True)
class Terminal:
    """Watches one call from both ends: the phone's ear, and the events of the server."""

    console: Console
    call_sid: str = ""
    _rulings: Rulings = field(default_factory=Rulings, init=False)
    _began: float | None = field(default=None, init=False)
    _ended: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def see(self, seen: Seen) -> None:
        """What the phone saw."""
        match seen:
            case Dialled(caller, called, call_sid):
                self.call_sid = call_sid
                self._print("phone", f"{caller} calls {called}")
            case Connected(number=number):
                self._print("phone", f"connected, session {number}")
            case CallerSaid(text):
                self._print("caller", f"“{text}”")
            case Played(text):
                self._print("agent", f"“{text.strip()}”")
            case Interrupted(heard):
                self._print("caller", f"cuts in after “{heard.strip()}”")
            case HungUp():
                self._print("phone", "the call has ended")
            case _:
                pass

    def record(self, event: Event) -> None:
        """What the server recorded; what was said and heard is the phone's to tell."""
        if event.call_sid != self.call_sid:
            return
        if event.kind is Kind.CALL_ENDED:
            self._ended.set()
        for ruling in self._rulings.read(event):
            self._print(ruling.gate, ruling.says)

    async def until_recorded(self) -> None:
        """Until the server has recorded the end of the call."""
        async with asyncio.timeout(10):
            await self._ended.wait()

    def _print(self, who: str, text: str) -> None:
        """With the time since the first line: both ends are seen on this terminal's clock."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        self.console.print(row(now - self._began, who, text))


def row(offset: float, who: str, text: str) -> Table:
    """One line of a call; what is too long goes on under its own column. `offset` in seconds."""
    line = Table.grid(padding=(0, 2), expand=False)
    line.add_column(width=7, justify="right", style="dim")
    line.add_column(width=12, justify="right", style=COLOURS.get(who, "magenta"))
    line.add_column(style=COLOURS.get(who, ""))
    line.add_row(f"{offset:.2f}", who, Text(text))
    return line


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
