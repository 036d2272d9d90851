"""A link opens one thing for a while, and nobody else can make one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.links import LinkExpired, LinkInvalid, read, sign

KEY = b"k" * 32


@given(ref=st.text(min_size=1), expires=st.floats(min_value=1, max_value=1e11))
def test_whatever_was_signed_is_read_back_until_it_expires(ref: str, expires: float) -> None:
    token = sign(KEY, ref, expires)
    assert read(KEY, token, int(expires)) == ref
    with pytest.raises(LinkExpired):
        read(KEY, token, expires + 1)


@given(st.text())
def test_what_was_not_signed_opens_nothing(token: str) -> None:
    with pytest.raises(LinkInvalid):
        read(KEY, token, 0.0)


@pytest.mark.parametrize(
    "broken", [".", "..", "abc", "abc.2", "abc..", "abc.nan.0", "\ud800.9.0", "ab\n.9.0"]
)
def test_what_is_broken_opens_nothing(broken: str) -> None:
    with pytest.raises(LinkInvalid):
        read(KEY, broken, 0.0)


@given(at=st.integers(min_value=0), by=st.characters(codec="ascii"))
def test_no_character_of_it_can_be_changed(at: int, by: str) -> None:
    token = sign(KEY, "call-7", 1000.0)
    place = at % len(token)
    changed = token[:place] + by + token[place + 1 :]
    if changed != token:
        with pytest.raises(LinkInvalid):
            read(KEY, changed, 1.0)


def test_a_reference_may_have_dots_and_its_expiry_is_part_of_what_is_signed() -> None:
    token = sign(KEY, "abc.2", 100.0)
    assert read(KEY, token, 99.0) == "abc.2"
    with pytest.raises(LinkInvalid):
        read(KEY, token.replace(".100.", ".900."), 99.0)


def test_another_key_is_another_house() -> None:
    with pytest.raises(LinkInvalid):
        read(b"o" * 32, sign(KEY, "abc", 100.0), 1.0)


def test_an_expired_link_that_is_forged_is_not_said_to_have_been_ours() -> None:
    with pytest.raises(LinkInvalid):
        read(KEY, "abc.1.0123456789abcdef0123456789abcdef", 100.0)
