"""Virtual time: hours of timers pass at once, and nothing that is on its way is overtaken."""

from __future__ import annotations

import asyncio
import time

import pytest

from evaluation.clock import VirtualLoop, run_virtual
from evaluation.phone import Phone, Target
from tests.evaluation.servers import agent, echo

HOUR = 3600.0


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_an_hour_of_traffic_over_real_sockets_takes_no_hour() -> None:
    async def main() -> int:
        answered = 0
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            while asyncio.get_running_loop().time() < HOUR:
                await asyncio.sleep(10)
                writer.write(b"ping\n")
                async with asyncio.timeout(0.001):  # an answer that is under way is waited for
                    answered += await reader.readline() == b"ping\n"
            writer.close()
            await writer.wait_closed()
        return answered

    begun = time.monotonic()
    assert run_virtual(main()) == HOUR / 10
    assert time.monotonic() - begun < HOUR / 60


def test_calls_keep_their_order_in_virtual_time() -> None:
    async def caller(socket: str, word: str) -> str:
        async with Phone(Target(socket=socket)).call() as call:
            for _ in range(20):
                await call.quiet()
                await call.say(f"This is {word}.")
            await call.until_heard(f"You said: This is {word}.")
            return call.agent_text()

    async def main() -> None:
        async with agent(echo) as server:
            words = ["one", "two", "three"]
            for word, heard in zip(
                words, await asyncio.gather(*(caller(server.url, word) for word in words)), strict=True
            ):
                assert heard.count(f"This is {word}.") >= 19
                assert not any(f"This is {other}." in heard for other in words if other != word)

    run_virtual(main())


def test_time_does_not_jump_while_a_thread_works() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            begun = loop.time()
            await asyncio.to_thread(time.sleep, 0.05)
            return loop.time() - begun

    assert run_virtual(main()) < 30


def test_a_thread_that_hangs_stops_no_timer() -> None:
    async def main() -> None:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()
        stuck = loop.run_in_executor(None, time.sleep, 0.2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await release.wait()
        assert not stuck.done()
        await stuck

    run_virtual(main())


def test_once_the_thread_is_done_time_jumps_again() -> None:
    async def main() -> float:
        await asyncio.to_thread(time.sleep, 0)
        await asyncio.sleep(HOUR)
        return asyncio.get_running_loop().time()

    begun = time.monotonic()
    assert run_virtual(main()) >= HOUR
    assert time.monotonic() - begun < HOUR / 60


def test_timers_fire_in_their_order() -> None:
    async def main() -> list[int]:
        fired: list[int] = []

        async def after(seconds: float, number: int) -> None:
            await asyncio.sleep(seconds)
            fired.append(number)

        await asyncio.gather(after(300, 3), after(1, 1), after(20, 2))
        return fired

    assert run_virtual(main()) == [1, 2, 3]


def test_a_virtual_loop_begins_at_zero_and_stands_still_without_timers() -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.sleep(0))
        assert loop.time() == 0.0
    finally:
        loop.close()
