"""A session is ours when its parameter says so: bound to account, call, number and time."""

from __future__ import annotations

import pytest

from relay.announcement import LIFETIME, NotAnnounced, announce, read

KEY = b"k" * 32


def test_what_was_announced_is_read_back() -> None:
    token = announce(KEY, "AC1", "CA1", 2, 1000.0, rehearsal=True)
    found = read(KEY, token, "AC1", "CA1", 1001.0)
    assert (found.number, found.rehearsal) == (2, True)


def test_it_fits_into_a_parameter() -> None:
    token = announce(KEY, "AC" + "0" * 32, "CA" + "0" * 32, 3, 1_800_000_000.0)
    assert len("fivegates" + token) < 500


def test_every_announcement_is_another() -> None:
    assert announce(KEY, "AC1", "CA1", 1, 1000.0) != announce(KEY, "AC1", "CA1", 1, 1000.0)


@pytest.mark.parametrize(
    ("key", "account", "call", "now"),
    [
        (b"x" * 32, "AC1", "CA1", 1000.0),
        (KEY, "AC2", "CA1", 1000.0),
        (KEY, "AC1", "CA2", 1000.0),
        (KEY, "AC1", "CA1", 1000.0 + LIFETIME + 1),
    ],
)
def test_it_is_good_for_nothing_else(key: bytes, account: str, call: str, now: float) -> None:
    token = announce(KEY, "AC1", "CA1", 1, 1000.0)
    with pytest.raises(NotAnnounced):
        read(key, token, account, call, now)


@pytest.mark.parametrize("token", ["", ".", "1.1.9999999999.n.0.", "1.1.9999999999.n.0.00", "é" * 9])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(NotAnnounced):
        read(KEY, token, "AC1", "CA1", 1000.0)


def test_the_number_cannot_be_raised() -> None:
    token = announce(KEY, "AC1", "CA1", 1, 1000.0)
    with pytest.raises(NotAnnounced):
        read(KEY, token.replace("1.1.", "1.9.", 1), "AC1", "CA1", 1000.0)
