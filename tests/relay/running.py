"""A real server on loopback, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import State

from evaluation.phone import Account, Phone, Target
from policies.agent_file import AgentFile, parse
from relay.app import Relay
from relay.server import Server, config
from relay.settings import Settings
from tests.relay.fakes import Told

TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "0" * 32
PUBLIC = "https://voice.example.com"
ECHO = """
agent: {name: echo, organisation: Acme}
llm:
  - {provider: echo}
"""


@dataclass
class Running:
    base: str  # http://127.0.0.1:PORT
    relay: Relay
    server: Server
    told: Told
    serving: asyncio.Task[None]
    state: State

    def relay_state(self) -> State:
        """What the application holds while it serves."""
        return self.state

    def phone(self, **options: object) -> Phone:
        """Calls through the public address, signed, though it connects to loopback."""
        target = Target(webhook=f"{PUBLIC}/twilio/voice", via=self.base)
        return Phone(target, Account(ACCOUNT, TOKEN), **options)  # type: ignore[arg-type]


def public(data: Path, **more: object) -> Settings:
    settings = {"public_url": PUBLIC, "auth_token": TOKEN, "account_sid": ACCOUNT, "data": data}
    return Settings(**{**settings, **more})  # type: ignore[arg-type]


@asynccontextmanager
async def running(settings: Settings, files: Sequence[AgentFile] | str = ECHO) -> AsyncIterator[Running]:
    if isinstance(files, str):
        files = [parse(files)]
    told = Told()
    ready = asyncio.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        relay = Relay(settings, files, base, watcher=told)
        app = relay.app()
        server = Server(config(app), relay.drain, ready.set)
        serving = asyncio.create_task(server.serve([listening]))
        await ready.wait()
        try:
            yield Running(base, relay, server, told, serving, app.state)
        finally:
            server.stop()
            await serving
