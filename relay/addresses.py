"""Where the world reaches us, and from whom we take a request before any signature is read.

With `PUBLIC_URL` set, every address is built from it, whatever a proxy's headers say. Without it the server
is for this machine alone: only a loopback Host without forwarding headers is answered, so that a tunnel or
a rebound name does not open an unsigned server to the world.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from policies.this_machine import straight
from relay.signature import Keys

SOCKET = "/twilio/relay"


@dataclass(frozen=True, slots=True)
class Addresses:
    public_url: str | None
    keys: Keys | None

    def webhook(self, request: HTTPConnection, path: str) -> str:
        return f"{self._base(request)}{path}"

    def socket(self, request: HTTPConnection) -> str:
        """The websocket's address: what the TwiML says, and so what the handshake's signature is over."""
        return "ws" + self._base(request).removeprefix("http") + SOCKET

    def requested(self, request: HTTPConnection) -> str:
        """The public address of the request at hand, its query included, as Twilio was given it."""
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{self._base(request)}{request.url.path}{query}"

    def local(self, request: HTTPConnection) -> bool:
        """Does this request come from this machine, straight?"""
        peer = request.client.host if request.client else None
        return straight(request.headers.getlist("host"), request.headers, peer)

    def _base(self, request: HTTPConnection) -> str:
        return self.public_url or f"http://{request.headers.get('host', '127.0.0.1')}"
