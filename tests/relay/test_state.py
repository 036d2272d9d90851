"""The contract of the session store, the same on every engine."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis import Redis

from policies.vocabulary import Speaker
from relay.state import LIFETIME, SavedUtterance, SessionStore, Snapshot, StoreUnavailable, open_store
from relay.state_redis import RedisStore
from relay.state_sqlite import SqliteStore
from tests.servers import running_redis

ENGINES = ["sqlite", "redis_url", "redis_cluster_url", "redis_sentinel_url"]


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SessionStore]:
    url = None if request.param == "sqlite" else str(request.getfixturevalue(request.param))
    opened = open_store(url, tmp_path)
    yield opened
    await opened.close()


def snapshot(call_sid: str, session: int = 1, turn: int = 1, *said: str) -> Snapshot:
    return Snapshot(
        call_sid=call_sid,
        session=session,
        turn=turn,
        agent="acme",
        agent_hash="0" * 64,
        caller="+15550100001",
        called="+15550100002",
        history=tuple(SavedUtterance(Speaker.CALLER, text, interrupted=True) for text in said),
        disclosed=True,
        updated_at=1_700_000_000.5,
    )


async def test_a_snapshot_comes_back_as_it_was_saved(store: SessionStore, call_sid: str) -> None:
    saved = snapshot(call_sid, 2, 3, "안녕하세요", 'a "quote" and {braces}')
    assert await store.save(saved)
    assert await store.load(call_sid) == saved


async def test_a_call_nobody_saved_has_no_snapshot(store: SessionStore, call_sid: str) -> None:
    await store.ping()
    assert await store.load(call_sid) is None


async def test_a_slot_is_exchanged_only_for_what_is_there(store: SessionStore, call_sid: str) -> None:
    assert await store.read(call_sid, "attempt") is None
    assert not await store.exchange(call_sid, "attempt", "a", "b", 60)
    assert await store.exchange(call_sid, "attempt", None, "", 60)
    assert not await store.exchange(call_sid, "attempt", None, "b", 60)
    assert await store.exchange(call_sid, "attempt", "", "한글", 60)
    assert await store.read(call_sid, "attempt") == "한글"
    assert await store.read(call_sid, "another") is None


async def test_of_two_exchanges_at_once_one_is_refused(store: SessionStore, call_sid: str) -> None:
    assert await store.exchange(call_sid, "attempt", None, "a", 60)
    done = await asyncio.gather(*(store.exchange(call_sid, "attempt", "a", b, 60) for b in ("b", "c")))
    assert sorted(done) == [False, True]
    assert await store.read(call_sid, "attempt") == ("b" if done[0] else "c")


async def test_the_last_turn_replaces_the_one_before(store: SessionStore, call_sid: str) -> None:
    for turn in (1, 2, 3):
        assert await store.save(snapshot(call_sid, 1, turn))
    assert await store.load(call_sid) == snapshot(call_sid, 1, 3)


async def test_an_older_session_is_refused_and_changes_nothing(store: SessionStore, call_sid: str) -> None:
    newer = snapshot(call_sid, 10, 1)  # ten, not two: sessions compare as numbers, not as text
    assert await store.save(newer)
    assert not await store.save(snapshot(call_sid, 9, 8))
    assert await store.load(call_sid) == newer


async def test_of_sessions_saving_at_once_the_newest_owns_the_call(
    store: SessionStore, call_sid: str
) -> None:
    accepted = await asyncio.gather(*(store.save(snapshot(call_sid, n)) for n in (2, 1, 3, 1, 2, 3)))
    held = await store.load(call_sid)
    assert held is not None
    assert held.session == 3
    assert accepted[2]
    assert not await store.save(snapshot(call_sid, 2))


async def test_of_twenty_claims_at_once_one_holds_and_all_are_told_it(
    store: SessionStore, call_sid: str
) -> None:
    answers = await asyncio.gather(*(store.claim(call_sid, "owner", f"w{n}", 60.0) for n in range(20)))
    assert len(set(answers)) == 1
    assert answers[0] in {f"w{n}" for n in range(20)}


async def test_claims_of_other_names_and_calls_are_their_own(store: SessionStore, call_sid: str) -> None:
    assert await store.claim(call_sid, "a", "1", 60.0) == "1"
    assert await store.claim(call_sid, "b", "2", 60.0) == "2"
    assert await store.claim(call_sid + "x", "a", "3", 60.0) == "3"
    assert await store.claim(call_sid, "a", "4", 60.0) == "1"


async def test_two_processes_see_one_call(tmp_path: Path, call_sid: str) -> None:
    one, other = open_store(None, tmp_path), open_store(None, tmp_path)
    try:
        assert await one.save(snapshot(call_sid, 2))
        assert not await other.save(snapshot(call_sid, 1))
        assert await other.claim(call_sid, "a", "other", 60.0) == "other"
        assert await one.claim(call_sid, "a", "one", 60.0) == "other"
    finally:
        await one.close()
        await other.close()


async def test_several_processes_open_a_new_file_at_once(tmp_path: Path, call_sid: str) -> None:
    stores = [open_store(None, tmp_path) for _ in range(8)]
    answers = await asyncio.gather(
        *(store.claim(call_sid, "a", str(n), 60.0) for n, store in enumerate(stores))
    )
    assert len(set(answers)) == 1
    for store in stores:
        await store.close()


async def test_every_key_in_redis_is_the_calls_own_and_expires(redis_url: str, call_sid: str) -> None:
    store = RedisStore(redis_url)
    await store.save(snapshot(call_sid))
    await store.save(snapshot(call_sid, 1, 2))
    await store.claim(call_sid, "voice", "twiml", 600.0)
    await store.claim(call_sid, "voice", "late", 600.0)
    await store.close()
    with Redis.from_url(redis_url, decode_responses=True) as client:
        found = {key: client.ttl(key) for key in client.scan_iter(f"*{call_sid}*")}
        assert all(client.ttl(key) > 0 for key in client.scan_iter("*"))
    tag = f"fivegates:{{{call_sid}}}"
    assert set(found) == {f"{tag}:snapshot", f"{tag}:claim:voice"}
    assert 0 < found[f"{tag}:claim:voice"] <= 600
    assert LIFETIME - 60 < found[f"{tag}:snapshot"] <= LIFETIME


async def test_what_expired_is_gone_from_the_file_too(tmp_path: Path) -> None:
    now = [1_000.0]
    path = tmp_path / "state.sqlite"
    store = SqliteStore(path, lambda: now[0])
    await store.save(snapshot("CA1", 1, 1, "a very private sentence"))
    assert await store.claim("CA1", "voice", "first", 10.0) == "first"
    now[0] += 10.0
    assert await store.claim("CA1", "voice", "second", 10.0) == "second"
    now[0] += LIFETIME
    assert await store.load("CA1") is None
    await store.close()
    connection = sqlite3.connect(path)
    rows = [
        connection.execute(query).fetchone()
        for query in ("SELECT count(*) FROM snapshots", "SELECT count(*) FROM claims")
    ]
    connection.close()
    assert rows == [(0,), (0,)]
    assert not _anywhere(tmp_path, b"private sentence")


async def test_the_file_is_nobody_elses_to_read(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data" / "state.sqlite")
    await store.save(snapshot("CA1"))
    modes = _modes(tmp_path / "data")
    await store.close()
    assert modes == {0o600}


async def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path, call_sid: str) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    store = open_store(None, tmp_path / "taken")
    with pytest.raises(StoreUnavailable):
        await store.save(snapshot(call_sid))
    await store.close()


async def test_another_process_holding_the_file_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.sqlite")
    await store.ping()
    blocker = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable):
        await store.save(snapshot("CA1"))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await store.save(snapshot("CA1"))
    await store.close()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
async def test_a_redis_that_is_away_is_unavailable_and_used_again_when_it_is_back(
    scheme: str, call_sid: str
) -> None:
    with running_redis() as server:
        port = server.port
        server.stop()
        suffix = "/name" if scheme.endswith("sentinel") else ""
        store = open_store(f"{scheme}://127.0.0.1:{port}{suffix}", Path())
        for command in (store.ping(), store.load(call_sid), store.claim(call_sid, "a", "b", 1.0)):
            with pytest.raises(StoreUnavailable):
                await command
        if scheme == "redis":
            server.start()
            assert await store.save(snapshot(call_sid))
        await store.close()


async def test_a_redis_that_never_answers_is_unavailable_within_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, reads nothing
        store = open_store(f"redis://127.0.0.1:{silent.getsockname()[1]}", Path())
        async with asyncio.timeout(5.0):
            with pytest.raises(StoreUnavailable):
                await store.ping()
        await store.close()


async def test_a_snapshot_of_another_version_is_none(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.sqlite")
    await store.save(snapshot("CA1"))
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("UPDATE snapshots SET body = ?", (b'{"call_sid": 1}',))
    connection.close()
    assert await store.load("CA1") is None
    await store.close()


def _anywhere(folder: Path, words: bytes) -> bool:
    return any(words in file.read_bytes() for file in folder.iterdir())


def _modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}
