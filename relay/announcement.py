"""Proof that our own webhook announced a call: a signed <Parameter>, checked without asking any store.

The handshake signature alone never suffices: it has no time in it and is the same for every call to one URL.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

PARAMETER = "fivegates"
LIFETIME = 120.0  # seconds; Twilio opens the socket about 0.4 s after the TwiML


@dataclass(frozen=True, slots=True)
class Announcement:
    """One relay session that we asked Twilio to open. `number` counts the sessions of a call from 1."""

    number: int
    expires: int  # seconds since 1970
    nonce: str
    rehearsal: bool = False
    by_widget: bool = False  # Studio's widget opened the socket: no action request reaches us


class NotAnnounced(Exception):
    """Close the socket: nothing is said and no model is asked. The text says why, without the token."""


def announce(
    key: bytes, account_sid: str, call_sid: str, number: int, now: float, *, rehearsal: bool = False
) -> str:
    """The parameter's value, good for one session of this call, for two minutes."""
    fields = f"1.{number}.{int(now + LIFETIME)}.{secrets.token_urlsafe(9)}.{int(rehearsal)}"
    return f"{fields}.{_mac(key, account_sid, call_sid, fields)}"


def read(key: bytes, token: str, account_sid: str, call_sid: str, now: float) -> Announcement:
    """Check a parameter that came back in `setup`. Raises `NotAnnounced`."""
    fields, _, mac = token.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(key, account_sid, call_sid, fields).encode()):
        raise NotAnnounced("no valid announcement of this call by our voice webhook")
    _, number, expires, nonce, rehearsal = fields.split(".")
    if int(expires) < now:
        raise NotAnnounced("the announcement of this call has expired")
    return Announcement(int(number), int(expires), nonce, rehearsal == "1")


def _mac(key: bytes, account_sid: str, call_sid: str, fields: str) -> str:
    message = "\n".join((account_sid, call_sid, fields))
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()[:40]
