"""The browser's socket: who may open it, what it takes, and that a call ends with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from compliance.events import Kind
from console.bridge import LARGEST_ORDER, BadOrder, Order, order
from tests.console.house import Folder, open_house

Told = dict[str, object]


@asynccontextmanager
async def browser(base: str, origin: str | None = None) -> AsyncIterator[ClientConnection]:
    address = base.replace("http", "ws") + "/phone/socket"
    async with connect(address, origin=origin or base, proxy=None) as socket:  # type: ignore[arg-type]
        yield socket


async def ask(socket: ClientConnection, **asked: str) -> None:
    await socket.send(json.dumps(asked))


async def until(socket: ClientConnection, what: str, **fields: object) -> Told:
    """The next message of this kind with these fields; the socket's end fails the test."""
    while True:
        told: Told = json.loads(await socket.recv())
        if told["is"] == what and fields.items() <= told.items():
            return told


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        ('{"do":"call"}', Order("call")),
        ('{"do":"say","text":"Hello","lang":"ko-KR"}', Order("say", "Hello", "ko-KR")),
        ('{"do":"press","text":"1*#"}', Order("press", "1*#")),
        ('{"do":"partial"}', Order("partial")),
        ('{"do":"hang_up"}', Order("hang_up")),
    ],
)
def test_what_the_page_sends_is_understood(raw: str, asked: Order) -> None:
    assert order(raw) == asked


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "hello",
        "[]",
        '{"do":"transfer"}',
        '{"do":"say"}',
        '{"do":"say","text":"  "}',
        '{"do":"say","text":1}',
        '{"do":"press","text":""}',
        '{"do":"press","text":"5a"}',
        '{"do":"press","text":"' + "1" * 33 + '"}',
        '{"do":"call","more":1}',
        b"\xff\x00",
    ],
)
def test_anything_else_is_a_bad_order(raw: str | bytes) -> None:
    with pytest.raises(BadOrder):
        order(raw)


@pytest.mark.parametrize("origin", ["https://evil.test", "null"])
async def test_a_page_of_another_site_cannot_open_the_socket(tmp_path: Path, origin: str) -> None:
    async with open_house(tmp_path) as base:
        with pytest.raises(InvalidStatus) as refused:
            async with browser(base, origin):
                pass
        assert refused.value.response.status_code == 403


async def test_a_call_is_heard_ruled_and_ended(tmp_path: Path) -> None:
    async with open_house(tmp_path) as base, browser(base) as socket:
        await ask(socket, do="say", text="Hello?")
        assert "no call yet" in str((await until(socket, "error"))["says"])
        await ask(socket, do="call")
        call_sid = str((await until(socket, "dialled"))["call_sid"])
        await until(socket, "connected", session=1)
        await until(socket, "event", gate="compliance", turn=0)
        assert (await until(socket, "played"))["text"] == "Hi,"
        await until(socket, "speaking", on=False)

        await socket.send("nonsense")
        await ask(socket, do="call")
        assert "not understood" in str((await until(socket, "error"))["says"])
        assert "already running" in str((await until(socket, "error"))["says"])

        await ask(socket, do="say", text="What is included?")
        await until(socket, "caller", text="What is included?")
        await until(socket, "event", gate="context", turn=1)
        await until(socket, "speaking", on=True)
        await ask(socket, do="partial")
        await until(socket, "interrupted")
        await ask(socket, do="hang_up")
        await until(socket, "ended", status="completed")
        await socket.wait_closed()
        assert socket.close_code == 1000
        kinds = [stored.event.kind for stored in Folder(tmp_path).events(call_sid)]
        assert Kind.CALL_ENDED in kinds


async def test_closing_the_page_hangs_up(tmp_path: Path) -> None:
    async with open_house(tmp_path) as base, browser(base) as socket:
        await ask(socket, do="call")
        call_sid = str((await until(socket, "dialled"))["call_sid"])
        await until(socket, "speaking", on=True)
    facts = [stored.event.facts for stored in Folder(tmp_path).events(call_sid)]
    assert any(fact.get("stopped") == "the caller hung up" for fact in facts)


async def test_a_refused_call_is_told_in_words(tmp_path: Path) -> None:
    async with open_house(tmp_path, webhook="/nobody") as base, browser(base) as socket:
        await ask(socket, do="call")
        told = await until(socket, "error")
        assert told["says"] == "The call was refused: the webhook answered 404 (HTTP 404)."
        await socket.wait_closed()


async def test_a_message_larger_than_any_of_ours_ends_the_connection(tmp_path: Path) -> None:
    async with open_house(tmp_path) as base, browser(base) as socket:
        await ask(socket, do="say", text="x" * LARGEST_ORDER)
        assert (await until(socket, "error"))["says"] == "This message is too long."
        await socket.wait_closed()


async def test_there_are_only_so_many_phones(tmp_path: Path) -> None:
    async with open_house(tmp_path, phones=1) as base, browser(base) as first:
        await ask(first, do="press", text="1")
        await until(first, "error")
        async with browser(base) as second:
            assert "in use" in str((await until(second, "error"))["says"])
            await second.wait_closed()
        await first.close()
        await first.wait_closed()
