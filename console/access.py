"""Who may look: somebody at this machine, and whoever has the console token."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from policies.this_machine import straight

COOKIE: Final = "fivegates_console"
SIGNED_IN_SECONDS: Final = 8 * 3600
FAILURES_ALLOWED: Final = 10
FAILURES_WINDOW: Final = 60.0  # seconds

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Entry(StrEnum):
    """What a request may do, and if it may not, why."""

    AT_THIS_MACHINE = "at_this_machine"
    BY_BEARER = "by_bearer"
    SIGNED_IN = "signed_in"
    NOT_SIGNED_IN = "not_signed_in"
    NO_TOKEN_SET = "no_token_set"  # noqa: S105 - says that there is none
    TOO_MANY_FAILURES = "too_many_failures"

    @property
    def may_enter(self) -> bool:
        return self in (Entry.AT_THIS_MACHINE, Entry.BY_BEARER, Entry.SIGNED_IN)


class TooManyFailures(Exception):
    """Do not look at tokens for a while: answer 429."""


@dataclass(frozen=True, slots=True)
class Access:
    """`public_url` and `token` are the settings PUBLIC_URL and FIVEGATES_CONSOLE_TOKEN; `clock` gives
    seconds since 1970."""

    public_url: str | None = None
    token: str | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.time
    _failures: deque[float] = field(
        default_factory=lambda: deque(maxlen=FAILURES_ALLOWED), init=False, repr=False, compare=False
    )

    def entry(self, connection: HTTPConnection) -> Entry:
        """What this request may do; no token is needed at this machine, as long as nothing is public."""
        if self._at_this_machine(connection):
            return Entry.AT_THIS_MACHINE
        if not self.token:
            return Entry.NO_TOKEN_SET
        if self._signed(connection.cookies.get(COOKIE, "")):
            return Entry.SIGNED_IN
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            return Entry.NOT_SIGNED_IN
        try:
            return Entry.BY_BEARER if self.right(given.strip()) else Entry.NOT_SIGNED_IN
        except TooManyFailures:
            return Entry.TOO_MANY_FAILURES

    def right(self, given: str) -> bool:
        """Is this the token? Raises TooManyFailures when too many others were tried just now."""
        now = self.clock()
        if len(self._failures) == FAILURES_ALLOWED and now - self._failures[0] < FAILURES_WINDOW:
            raise TooManyFailures
        if self.token and hmac.compare_digest(given.encode(), self.token.encode()):
            return True
        self._failures.append(now)
        return False

    def cookie(self) -> str:
        """What a signed-in browser holds: until when, and our seal, not the token. A new token voids it."""
        until = str(int(self.clock()) + SIGNED_IN_SECONDS)
        return f"{until}.{self._seal(until)}"

    def same_origin(self, connection: HTTPConnection) -> bool:
        """Does the request come from a page of ours? Browsers name the page's origin in every POST and in
        every WebSocket handshake; a request without one is none of theirs."""
        origin = _Origin.read(connection.headers.get("origin", ""))
        if origin is None:
            return False
        if self.public_url and origin == _Origin.read(self.public_url):
            return True
        return origin == _Origin.read(f"{origin.scheme}://{connection.headers.get('host', '')}")

    def _at_this_machine(self, connection: HTTPConnection) -> bool:
        peer = connection.client.host if connection.client else None
        return self.public_url is None and straight(
            connection.headers.getlist("host"), connection.headers, peer
        )

    def _signed(self, cookie: str) -> bool:
        until, _, seal = cookie.partition(".")
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            return False
        genuine = hmac.compare_digest(seal.encode(), self._seal(until).encode())
        return genuine and int(until) > self.clock()

    def _seal(self, until: str) -> str:
        key = (self.token or "").encode()
        return hmac.new(key, f"console cookie until {until}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class _Origin:
    scheme: str
    host: str
    port: int | None

    @classmethod
    def read(cls, url: str) -> _Origin | None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            return None
        return cls(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])
