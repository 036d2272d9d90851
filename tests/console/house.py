"""The pages on a real server with the demo's agent behind them, on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette

from compliance.events import Event
from compliance.journal import journal_url
from compliance.record import CallLine, NoJournal, Record, StoredEvent
from console.access import Access
from console.bridge import MOST_CALLS, Booths
from console.pages import Answering, Console, routes
from evaluation.phone import Phone, Seen, Target
from relay.agents import load
from relay.app import Relay
from relay.server import Server, config
from relay.settings import Settings

DEMO = Path(__file__).parents[2] / "agents" / "demo.yaml"
AGENTS = (Answering("demo"),)


@dataclass
class Shelf:
    """A record held in memory."""

    record: dict[str, list[Event]] = field(default_factory=dict)
    listed: list[CallLine] = field(default_factory=list)

    def events(self, call_sid: str, after: int = 0) -> Sequence[StoredEvent]:
        stored = [StoredEvent(number, event) for number, event in enumerate(self.record.get(call_sid, []), 1)]
        return stored[after:]

    def calls(self, limit: int = 50) -> Sequence[CallLine]:
        return self.listed[:limit]


@dataclass(frozen=True)
class Folder:
    """The record in a data folder, which the server may still be making."""

    data: Path

    def events(self, call_sid: str, after: int = 0) -> Sequence[StoredEvent]:
        with Record(journal_url(self.data)) as record:
            return record.events(call_sid, after)

    def calls(self, limit: int = 50) -> Sequence[CallLine]:
        with Record(journal_url(self.data)) as record:
            return record.calls(limit)


@dataclass(frozen=True)
class Nothing:
    """The record before the first call."""

    def events(self, call_sid: str, after: int = 0) -> Sequence[StoredEvent]:
        raise NoJournal

    def calls(self, limit: int = 50) -> Sequence[CallLine]:
        raise NoJournal


def unused(observe: Callable[[Seen], None]) -> Phone:
    """For tests in which nobody calls."""
    return Phone(Target(socket="ws://127.0.0.1:1/"), observe=observe)


def pages(reader: Shelf | Folder | Nothing, access: Access | None = None) -> Starlette:
    return Starlette(routes=routes(Console(reader, access or Access(), unused, AGENTS, "0.1.0")))


@asynccontextmanager
async def open_house(
    data: Path, webhook: str = "/twilio/voice", phones: int = MOST_CALLS
) -> AsyncIterator[str]:
    """The whole server; gives its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        relay = Relay(Settings(data=data), load([DEMO]), base)
        app = relay.app()

        def dial(observe: Callable[[Seen], None]) -> Phone:
            return Phone(Target(webhook=base + webhook), observe=observe)

        console = Console(Folder(data), Access(), dial, AGENTS, "0.1.0", Booths(phones))
        app.router.routes[:0] = routes(console)  # in front of the server's own
        ready = asyncio.Event()
        server = Server(config(app), relay.drain, ready.set)
        serving = asyncio.create_task(server.serve([listening]))
        await ready.wait()
        try:
            yield base
        finally:
            server.stop()
            await serving
