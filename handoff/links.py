"""Links that open one thing for a while: a reference and its expiry under an HMAC."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

TAG: Final = 32  # hexadecimal digits of the tag


class LinkInvalid(Exception):
    """It is not one of ours."""


class LinkExpired(Exception):
    """It was ours: ask for a new one."""


def sign(key: bytes, ref: str, expires: float) -> str:
    fields = f"{ref}.{int(expires)}"
    return f"{fields}.{_tag(key, fields)}"


def read(key: bytes, token: str, now: float) -> str:
    """The reference. Raises `LinkInvalid` and `LinkExpired`."""
    fields, _, tag = token.rpartition(".")
    ref, _, expires = fields.rpartition(".")
    if not ref or not hmac.compare_digest(tag.encode(errors="surrogatepass"), _tag(key, fields).encode()):
        raise LinkInvalid
    if now > int(expires):
        raise LinkExpired
    return ref


def _tag(key: bytes, fields: str) -> str:
    return hmac.new(key, b"brief " + fields.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:TAG]
