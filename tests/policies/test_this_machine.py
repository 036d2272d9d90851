"""Only a request that comes straight from this machine is nearby."""

from __future__ import annotations

import pytest

from policies.this_machine import loopback, straight


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert loopback(host) is local


@pytest.mark.parametrize(
    ("hosts", "headers", "peer", "near"),
    [
        (["127.0.0.1:8080"], ["host"], "127.0.0.1", True),
        (["localhost"], ["host"], None, True),
        (["[::1]:8080"], ["host"], "::1", True),
        (["127.0.0.1"], ["host"], "192.0.2.7", False),
        (["evil.example.com"], ["host"], "127.0.0.1", False),
        (["127.0.0.1", "evil.example.com"], ["host"], "127.0.0.1", False),
        ([], [], "127.0.0.1", False),
        (["[::1"], ["host"], "::1", False),
        (["127.0.0.1"], ["host", "x-forwarded-for"], "127.0.0.1", False),
        (["127.0.0.1"], ["host", "forwarded"], "127.0.0.1", False),
        (["127.0.0.1"], ["host", "via"], "127.0.0.1", False),
    ],
)
def test_straight(hosts: list[str], headers: list[str], peer: str | None, near: bool) -> None:
    assert straight(hosts, headers, peer) is near
