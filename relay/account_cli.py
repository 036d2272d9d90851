"""`fivegates twilio connect` and `doctor`: the account from the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from relay import agents
from relay.account import AccountFault, Alert, Change, TwilioAccount
from relay.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Answer = TypeVar("Answer")

NumbersArgument = Annotated[
    list[str] | None, typer.Argument(help="Numbers (E.164); those of the agent files when none is named.")
]


def connect(
    settings: Settings, files: Sequence[Path], numbers: Sequence[str], fallback: str | None, *, undo: bool
) -> None:
    """Point numbers at this server, or put them back."""

    async def work(account: TwilioAccount) -> list[Change]:
        if undo:
            return await account.undo()
        named = numbers or [number for file in agents.load(files) for number in file.agent.numbers]
        return await account.connect(named, fallback)

    changes = _asked(settings, work)
    for change in changes:
        before = escape(change.before or "nothing")
        out.print(f"{change.number}  {change.name}: {before} → {escape(change.after or 'nothing')}")
    if not changes:
        out.print("Nothing had to be changed: the numbers point here already.")
    elif not undo:
        out.print("Checked by reading it back. `fivegates twilio connect --undo` puts all of it back.")


def doctor(settings: Settings, hours: float) -> None:
    """What went wrong on the account, explained."""

    async def work(account: TwilioAccount) -> list[Alert]:
        return await account.alerts(hours)

    alerts = _asked(settings, work)
    for alert in alerts:
        at = alert.at.strftime("%Y-%m-%d %H:%M") if alert.at else "at an unknown time"
        about = f" ({alert.about})" if alert.about else ""
        out.print(f"{at}  [red]{alert.code}[/]{about}: {alert.explained}")
    if not alerts:
        out.print(f"[green]✓[/] no errors or warnings in the last {hours:g} hours")


def _asked(settings: Settings, work: Callable[[TwilioAccount], Awaitable[Answer]]) -> Answer:
    async def ask() -> Answer:
        async with httpx.AsyncClient() as http:
            return await work(TwilioAccount(settings, http))

    try:
        return asyncio.run(ask())
    except (AccountFault, agents.AgentsInvalid) as fault:
        err.print(f"[red]✗[/] {escape(str(fault))}")
        raise typer.Exit(1) from None
