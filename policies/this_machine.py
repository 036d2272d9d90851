"""Does a request come from this machine, and straight? A server without a public address answers no other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

FORWARDING = frozenset({"forwarded", "via", "x-real-ip"})
FORWARDING_PREFIX = "x-forwarded-"


def loopback(host: str) -> bool:
    """Does this host name mean this machine alone?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def straight(hosts: Iterable[str], headers: Iterable[str], peer: str | None) -> bool:
    """`hosts` are the values of Host, `headers` the names of all headers in lower case, `peer` who connected.

    Host is checked beside the peer: a tunnel, or a page with a rebound name, connects from loopback too.
    """
    if any(name in FORWARDING or name.startswith(FORWARDING_PREFIX) for name in headers):
        return False
    names = [_name(host) for host in hosts]
    return bool(names) and all(map(loopback, names)) and (peer is None or loopback(peer))


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 address
        return ""
