"""How the bytes were cut into packets never changes the events."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.llm.sse import LIMIT, Oversized, Parser

EXAMPLES: dict[str, tuple[bytes, list[bytes]]] = {
    "plain": (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
    "no blank after the colon": (b"data:one\n\n", [b"one"]),
    "only one blank is taken": (b"data:  one\n\n", [b" one"]),
    "CRLF": (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
    "CR": (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
    "several lines": (b"data: one\ndata:\ndata: two\n\n", [b"one\n\ntwo"]),
    "a bare field": (b"data: one\ndata\n\n", [b"one\n"]),
    "comments and other fields": (b": ping\n\nevent: x\nid: 7\nretry: 9\ndata: one\n\n", [b"one"]),
    "empty data": (b"data:\n\ndata: \n\ndata: one\n\n", [b"one"]),
    "blank lines": (b"\n\n\ndata: one\n\n\n\n", [b"one"]),
    "a byte order mark": (b"\xef\xbb\xbfdata: one\n\n", [b"one"]),
    "characters of several bytes": ("data: 만 원 €\n\n".encode(), ["만 원 €".encode()]),
    "an event that never ends": (b"data: one\n\ndata: two\n", [b"one"]),
    "a page": (b"<html>\n<p>data: no</p>\n\n</html>\n\n", []),
    "another field with that beginning": (b"database: x\n\n", []),
}


def events(packets: list[bytes]) -> list[bytes]:
    parser = Parser()
    return [data for packet in packets for data in parser.feed(packet)]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(("body", "expected"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_what_each_line_means(body: bytes, expected: list[bytes]) -> None:
    assert events([body]) == expected
    assert events([body[at : at + 1] for at in range(len(body))]) == expected


LINES = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b"", b"", b": hi", b"event: e", "data: 얼마€".encode(), b"junk"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(LINES, ENDS)), st.lists(st.integers(0, 10_000)))
def test_any_cutting_gives_the_same_events(lines: list[tuple[bytes, bytes]], places: list[int]) -> None:
    body = b"".join(line + end for line, end in lines)
    assert events(cut(body, places)) == events([body])


@given(st.binary(), st.lists(st.integers(0, 10_000)))
def test_any_bytes_can_be_read(body: bytes, places: list[int]) -> None:
    assert events(cut(body, places)) == events([body])


@pytest.mark.parametrize("size", [64 * 1024, 10 * LIMIT], ids=["in packets", "at once"])
@pytest.mark.parametrize(
    "body",
    [b"data: " + b"x" * LIMIT, b"data: " + b"x" * LIMIT + b"\n\n", b"data: x\n" * LIMIT],
    ids=["a line without end", "a line", "an event"],
)
def test_the_buffer_is_bounded(body: bytes, size: int) -> None:
    with pytest.raises(Oversized):
        events([body[at : at + size] for at in range(0, len(body), size)])


def test_a_long_line_within_the_bound_is_read() -> None:
    value = b"x" * (LIMIT - 10)
    assert events([b"data: " + value + b"\n\n"]) == [value]
