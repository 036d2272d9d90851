"""`WS /twilio/relay`: who may open it, and the session that runs on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from starlette.websockets import WebSocket

from relay.addresses import Addresses
from relay.announcement import NotAnnounced
from relay.call_session import REFUSED, CallSession, receive
from relay.conversation import HungUp
from relay.messages import Setup, parse
from relay.signature import genuine
from relay.switchboard import Switchboard

SETUP_DEADLINE = 10.0  # seconds; Twilio sends `setup` within milliseconds

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RelaySocket:
    calls: Switchboard
    addresses: Addresses

    async def __call__(self, socket: WebSocket) -> None:
        if not self._allowed(socket):
            log.warning("handshake refused: wrong signature or address")
            await socket.close()  # before accept: the peer sees HTTP 403, Twilio raises 64102
            return
        await socket.accept()
        try:
            setup = await _setup(socket)
            found, agent = self.calls.admit(setup)
        except NotAnnounced as refusal:
            log.warning("session refused", reason=str(refusal))
            await socket.close(REFUSED)
        except HungUp:
            log.warning("session refused", reason="closed before setup")
        else:
            await CallSession(self.calls, socket, setup, found, agent).run()

    def _allowed(self, socket: WebSocket) -> bool:
        """The handshake is signed over the URL exactly as our TwiML gave it."""
        if self.addresses.keys is None:
            return self.addresses.local(socket)
        return genuine(self.addresses.keys, self.addresses.socket(socket), socket.headers)


async def _setup(socket: WebSocket) -> Setup:
    """The first frame that says whose call this is. Raises `NotAnnounced` and `HungUp`."""
    try:
        async with asyncio.timeout(SETUP_DEADLINE):
            while True:
                message = parse(await receive(socket))
                if isinstance(message, Setup):
                    return message
    except TimeoutError as error:
        raise NotAnnounced("no setup frame came") from error
