"""`pause`, `resume`, `follow-up`, and live calls sent elsewhere: what people do, from the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from compliance.controls import EVERY_AGENT, ControlStore
from compliance.database import Database, DatabaseUnavailable
from compliance.follow_ups import FollowUp, FollowUps, FollowUpState, NoSuchFollowUp
from compliance.journal import journal_url
from relay.settings import Settings

WAIT: Final = 4.0  # seconds for a server to take an order
LOOK: Final = 0.2

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
Answer = TypeVar("Answer")


def pause(settings: Settings, agent: str, to: str, by: str, reason: str) -> None:
    _with(settings, lambda database: ControlStore(database).pause(agent, to or None, by, reason, time.time()))
    out.print(
        f"{_named(agent)} is paused: new calls go to {to or 'people, by the routes'}. Live calls go on."
    )


def resume(settings: Settings, agent: str, by: str, reason: str) -> None:
    _with(settings, lambda database: ControlStore(database).resume(agent, by, reason, time.time()))
    out.print(f"{_named(agent)} answers again.")


def order(settings: Settings, call_sid: str, *, ends: bool, to: str, by: str, reason: str) -> None:
    """Send a live call to a person, or end it, and wait until a server has done so."""

    def work(database: Database) -> bool:
        button = ControlStore(database)
        number = button.order(call_sid, to or None, end=ends, by=by, reason=reason, at=time.time())
        until = time.monotonic() + WAIT
        while not (taken := button.taken(number)) and time.monotonic() < until:
            time.sleep(LOOK)
        return taken

    if not _with(settings, work):
        err.print(f"[red]✗[/] no server of this data folder has the call {escape(call_sid)} now")
        raise typer.Exit(1)
    out.print(f"{escape(call_sid)} " + ("ends." if ends else f"goes to {escape(to) or 'a person'}."))


def follow_ups(settings: Settings, owner: str, *, everything: bool) -> None:
    found = _with(
        settings, lambda db: FollowUps(db).list(None if everything else FollowUpState.OPEN, owner or None)
    )
    if not found:
        out.print("Nothing is left to do.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "due", "owner", "what", "reason", "call", "state"):
        table.add_column(name)
    for each in found:
        table.add_row(
            str(each.id), _at(each.due_at), each.owner, each.kind, each.reason, each.call_sid, _state(each)
        )
    out.print(table)


def assign(settings: Settings, number: int, owner: str) -> None:
    changed = _with(settings, lambda database: FollowUps(database).assign(number, owner))
    out.print(f"Follow-up {changed.id} is now {escape(changed.owner)}'s.")


def done(settings: Settings, number: int, by: str) -> None:
    changed = _with(settings, lambda database: FollowUps(database).done(number, by, time.time()))
    out.print(f"Follow-up {changed.id} is done.")


def _with(settings: Settings, work: Callable[[Database], Answer]) -> Answer:
    with _opened(settings) as database:
        try:
            return work(database)
        except NoSuchFollowUp as error:
            err.print(f"[red]✗[/] {error}")
        except DatabaseUnavailable as error:
            err.print(f"[red]✗[/] the database in {settings.data} cannot be used now ({error})")
        raise typer.Exit(1)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(journal_url(settings.data))
    try:
        yield database
    finally:
        database.close()


def _named(agent: str) -> str:
    return "Every agent" if agent == EVERY_AGENT else escape(agent)


def _state(each: FollowUp) -> str:
    if not each.open:
        return f"done by {each.done_by}"
    return "[red]overdue[/]" if time.time() > each.due_at else "open"


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
