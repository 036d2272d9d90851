"""Snapshots reach the store soon, the newest of each call, and never hold a call up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from relay.state import SessionStore, Snapshot, StoreUnavailable, WriteBehind, open_store
from tests.relay.test_state import snapshot
from tests.servers import running_redis


class FakeStore:
    """Keeps what is saved; away, or slow, as it is told."""

    def __init__(self) -> None:
        self.saved: list[Snapshot] = []
        self.owner = 0
        self.here = asyncio.Event()
        self.attempts = 0
        self.tried = asyncio.Event()

    async def save(self, snapshot: Snapshot) -> bool:
        self.attempts += 1
        self.tried.set()
        if not self.here.is_set():
            raise StoreUnavailable("away")
        if snapshot.session < self.owner:
            return False
        self.saved.append(snapshot)
        return True

    async def load(self, call_sid: str) -> Snapshot | None:
        raise NotImplementedError

    async def claim(self, call_sid: str, name: str, value: str, seconds: float) -> str:
        raise NotImplementedError

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def ignore(_: str, _session: int) -> None: ...


async def test_the_newest_of_each_call_is_written_when_the_store_is_back() -> None:
    store = FakeStore()
    async with WriteBehind(store, ignore) as snapshots:
        for turn in range(1, 6):
            snapshots.put(snapshot("CA1", 1, turn))
        snapshots.put(snapshot("CA2", 1, 1))
        await store.tried.wait()
        snapshots.put(snapshot("CA1", 1, 6))
        store.here.set()
    assert {(saved.call_sid, saved.turn) for saved in store.saved} == {("CA1", 6), ("CA2", 1)}


async def test_closing_writes_what_is_waiting() -> None:
    store = FakeStore()
    store.here.set()
    async with WriteBehind(store, ignore) as snapshots:
        snapshots.put(snapshot("CA1"))
    assert store.saved == [snapshot("CA1")]


async def test_closing_does_not_wait_for_ever() -> None:
    store = FakeStore()
    snapshots = await WriteBehind(store, ignore).__aenter__()
    snapshots.put(snapshot("CA1"))
    async with asyncio.timeout(5.0):
        await snapshots.close(limit=0.05)
    assert store.saved == []
    assert store.attempts > 0


async def test_a_superseded_session_is_told_once_and_saves_no_more() -> None:
    store = FakeStore()
    store.here.set()
    store.owner = 3
    told: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    async with WriteBehind(store, lambda *session: told.put_nowait(session)) as snapshots:
        snapshots.put(snapshot("CA1", 2, 1))
        assert await told.get() == ("CA1", 2)
        snapshots.put(snapshot("CA1", 2, 2))
        snapshots.put(snapshot("CA1", 1, 9))
        snapshots.put(snapshot("CA1", 3, 1))
    assert told.empty()
    assert store.attempts == 2
    assert store.saved == [snapshot("CA1", 3, 1)]


async def test_an_older_session_of_the_same_process_does_not_replace_what_waits() -> None:
    store = FakeStore()
    told: list[tuple[str, int]] = []
    async with WriteBehind(store, lambda *session: told.append(session)) as snapshots:
        snapshots.put(snapshot("CA1", 2, 1))
        snapshots.put(snapshot("CA1", 1, 7))
        store.here.set()
    assert told == [("CA1", 1)]
    assert store.saved == [snapshot("CA1", 2, 1)]


async def test_the_number_of_waiting_calls_is_bounded_and_the_longest_waiting_goes() -> None:
    store = FakeStore()
    async with WriteBehind(store, ignore, most=3) as snapshots:
        for n in range(5):
            snapshots.put(snapshot(f"CA{n}"))
        store.here.set()
    assert [saved.call_sid for saved in store.saved] == ["CA2", "CA3", "CA4"]


async def test_a_redis_restarted_in_the_middle_gets_the_turn_all_the_same(call_sid: str) -> None:
    with running_redis() as server:
        store = open_store(server.url, Path())
        async with WriteBehind(store, ignore) as snapshots:
            snapshots.put(snapshot(call_sid, 1, 1))
            await _held(store, call_sid, 1)
            server.stop()
            snapshots.put(snapshot(call_sid, 1, 2))
            await asyncio.to_thread(server.start)
            await _held(store, call_sid, 2)
        await store.close()


async def _held(store: SessionStore, call_sid: str, turn: int) -> None:
    """Until the store holds this turn of the call."""
    async with asyncio.timeout(5.0):
        while (held := await store.load(call_sid)) is None or held.turn != turn:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a store tells nobody of a change
