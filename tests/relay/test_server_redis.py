"""The state of a live call in a real Redis, and a call that goes on without it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import redis
import redis.asyncio

from compliance.events import Kind
from evaluation.clock import run_virtual
from tests.relay.running import public, running

GRACE = 0.02  # real seconds: Redis answers from another process


def test_each_turn_is_in_redis_within_a_second_and_expires(tmp_path: Path, redis_url: str) -> None:
    async def call() -> None:
        store = redis.asyncio.Redis.from_url(redis_url)
        settings = public(tmp_path, redis_url=redis_url)
        async with store, running(settings) as server, server.phone().call() as call:
            await call.quiet()
            for text in ("My name is Kim.", "I live in Seoul."):
                await call.say(text)
                await asyncio.sleep(1)
                key = f"fivegates:{{{call.call_sid}}}:snapshot"
                assert text.encode() in repr(await store.hgetall(key)).encode()
            keys = [name async for name in store.scan_iter(f"fivegates:{{{call.call_sid}}}:*")]
            assert len(keys) >= 2
            for name in keys:
                assert 0 < await store.ttl(name) <= 6 * 3600

    run_virtual(call(), grace=GRACE)


def test_a_dead_redis_never_stops_a_call(tmp_path: Path) -> None:
    async def call() -> None:
        settings = public(tmp_path, redis_url="redis://127.0.0.1:1/0")
        async with running(settings) as server, server.phone().call() as call:
            await call.quiet()
            await call.say("Still there?")
            await call.until_heard("You said: Still there?")
            said = server.told.facts(Kind.SAID)[-1]
            assert int(str(said["first_word_ms"])) < 1000
            await call.drop()
            await call.until_heard("Where were we?")

    run_virtual(call(), grace=GRACE)
