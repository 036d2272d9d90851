"""uvicorn, run so that SIGTERM lets the live calls end instead of cutting them.

uvicorn closes every websocket with 1012 within a tenth of a second of SIGTERM, whatever its graceful time-out
says; so the signal first drains, and only then lets uvicorn shut down.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

CUT_AFTER = 3  # seconds that a peer which never closes can hold up the end


def config(app: ASGIApp) -> uvicorn.Config:
    """No compression (Twilio offers none), no access log (it would name callers' calls), our own signals."""
    return uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=CUT_AFTER,
    )


class Server(uvicorn.Server):
    """`drain` is awaited after the first signal; a second signal does not wait for it."""

    def __init__(
        self,
        settings: uvicorn.Config,
        drain: Callable[[], Coroutine[Any, Any, None]],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(settings)
        self._drain = drain
        self._ready = ready
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def main_loop(self) -> None:
        ticking = asyncio.create_task(super().main_loop())  # uvicorn's Date header
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((ticking, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not self.should_exit:
            draining = asyncio.create_task(self._drain())
            await asyncio.wait((ticking, draining), return_when=asyncio.FIRST_COMPLETED)
            draining.cancel()
        self.should_exit = True
        stopping.cancel()
        await ticking

    def stop(self) -> None:
        """Drain, then shut down."""
        self._stopping.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains; the second ends at once."""
        if self._loop is None or self._stopping.is_set():
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self.stop)
