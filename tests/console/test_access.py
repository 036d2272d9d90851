"""Who may look, by table."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from console.access import (
    COOKIE,
    FAILURES_ALLOWED,
    FAILURES_WINDOW,
    SIGNED_IN_SECONDS,
    Access,
    Entry,
    TooManyFailures,
)

TOKEN = "a-long-random-console-token"
PUBLIC = "https://voice.example.com"


def asked(host: str = "127.0.0.1:8080", peer: str = "127.0.0.1", **headers: str) -> HTTPConnection:
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return HTTPConnection({"type": "http", "headers": raw, "client": (peer, 50000)})


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.9.9.9"])
def test_somebody_at_this_machine_needs_no_token(host: str) -> None:
    assert Access().entry(asked(host)) is Entry.AT_THIS_MACHINE


@pytest.mark.parametrize(
    "request_",
    [
        asked("voice.example.com"),
        asked("127.0.0.1.nip.io"),
        asked("localhost.example.com"),
        asked("192.168.0.7:8080"),
        asked(""),
        asked("[::1"),
        asked(peer="203.0.113.9"),
        asked(x_forwarded_for="203.0.113.9"),
        asked(x_forwarded_host="127.0.0.1"),
        asked(x_forwarded_anything="1"),
        asked(forwarded="for=203.0.113.9"),
        asked(x_real_ip="127.0.0.1"),
        asked(via="1.1 tunnel"),
    ],
)
def test_everybody_else_does(request_: HTTPConnection) -> None:
    assert Access().entry(request_) is Entry.NO_TOKEN_SET
    assert Access(token=TOKEN).entry(request_) is Entry.NOT_SIGNED_IN


def test_what_is_public_is_open_to_nobody_without_a_token() -> None:
    assert Access(public_url=PUBLIC).entry(asked()) is Entry.NO_TOKEN_SET
    assert Access(public_url=PUBLIC, token=TOKEN).entry(asked()) is Entry.NOT_SIGNED_IN


@pytest.mark.parametrize(
    ("header", "entry"),
    [
        (f"Bearer {TOKEN}", Entry.BY_BEARER),
        (f"bearer {TOKEN}", Entry.BY_BEARER),
        (f"Bearer {TOKEN}x", Entry.NOT_SIGNED_IN),
        ("Bearer ", Entry.NOT_SIGNED_IN),
        ("Bearer \u00e9", Entry.NOT_SIGNED_IN),
        (f"Basic {TOKEN}", Entry.NOT_SIGNED_IN),
        (TOKEN, Entry.NOT_SIGNED_IN),
    ],
)
def test_the_token_opens_as_a_bearer(header: str, entry: Entry) -> None:
    access = Access(public_url=PUBLIC, token=TOKEN)
    assert access.entry(asked("voice.example.com", authorization=header)) is entry


def test_the_cookie_ends_and_cannot_be_made_or_prolonged() -> None:
    clock = Hands()
    access = Access(public_url=PUBLIC, token=TOKEN, clock=clock)

    def entry(value: str, by: Access = access) -> Entry:
        return by.entry(asked("voice.example.com", cookie=f"{COOKIE}={value}"))

    cookie = access.cookie()
    until, _, seal = cookie.partition(".")
    assert TOKEN not in cookie
    assert entry(cookie) is Entry.SIGNED_IN
    for forged in (
        "",
        ".",
        TOKEN,
        until,
        f"{int(until) + 1}.{seal}",
        f"{until}.{seal}0",
        f"-{cookie}",
        "9" * 5000,
    ):
        assert entry(forged) is Entry.NOT_SIGNED_IN
    assert entry(cookie, Access(PUBLIC, token="another-console-token", clock=clock)) is Entry.NOT_SIGNED_IN
    clock.now += SIGNED_IN_SECONDS
    assert entry(cookie) is Entry.NOT_SIGNED_IN


def test_guessing_is_slowed_down_for_cookies_of_no_one() -> None:
    clock = Hands()
    access = Access(public_url=PUBLIC, token=TOKEN, clock=clock)
    for _ in range(FAILURES_ALLOWED):
        assert not access.right("a guess")
    with pytest.raises(TooManyFailures):
        access.right(TOKEN)
    by_bearer = asked("voice.example.com", authorization=f"Bearer {TOKEN}")
    assert access.entry(by_bearer) is Entry.TOO_MANY_FAILURES
    signed_in = asked("voice.example.com", cookie=f"{COOKIE}={access.cookie()}")
    assert access.entry(signed_in) is Entry.SIGNED_IN
    clock.now += FAILURES_WINDOW
    assert access.right(TOKEN)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://voice.example.com", "10.0.0.5:8080", True),
        ("https://voice.example.com:443", "10.0.0.5:8080", True),
        ("http://voice.example.com", "10.0.0.5:8080", False),
        ("https://voice.example.com.evil.test", "10.0.0.5:8080", False),
        ("http://127.0.0.1:9090", "127.0.0.1:8080", False),
        ("https://evil.test", "127.0.0.1:8080", False),
        ("null", "127.0.0.1:8080", False),
        ("", "127.0.0.1:8080", False),
        ("http://", "", False),
    ],
)
def test_only_our_own_pages_have_our_origin(origin: str, host: str, same: bool) -> None:
    access = Access(public_url=PUBLIC, token=TOKEN)
    assert access.same_origin(asked(host, origin=origin)) is same


def test_a_request_without_an_origin_is_no_page_of_ours() -> None:
    assert not Access().same_origin(asked())
