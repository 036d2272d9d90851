"""The stop button: whoever presses it, every worker reads it, one takes the call, and it is known who did."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compliance.controls import EVERY_AGENT, Controls, ControlStore, ControlsUnavailable, Order, Paused
from compliance.database import Database
from compliance.journal import journal_url


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[ControlStore]:
    database = Database(url, lock_wait_ms=50)
    yield ControlStore(database)
    database.close()


@pytest.fixture
def other(url: str) -> Iterator[ControlStore]:
    """Another process of the same data folder."""
    database = Database(url)
    yield ControlStore(database)
    database.close()


def test_at_first_nothing_is_paused_and_nothing_ordered(store: ControlStore) -> None:
    assert store.read() == Controls()


def test_an_agent_is_paused_for_every_process_until_it_is_resumed(
    store: ControlStore, other: ControlStore
) -> None:
    store.pause("acme", "duty", "Kim", "wrong prices", 1.0)
    assert other.read().paused == {"acme": Paused("duty", "Kim", "wrong prices", 1.0)}
    assert other.read().pause_of("other") is None
    store.resume("acme", "Lee", "mended", 3.0)
    assert other.read().pause_of("acme") is None


def test_the_last_pause_says_where_calls_go(store: ControlStore) -> None:
    store.pause("acme", "duty", "Kim", "", 1.0)
    store.pause("acme", None, "Lee", "", 2.0)
    assert store.read().pause_of("acme") == Paused(None, "Lee", "", 2.0)


def test_every_agent_can_be_paused_and_its_own_pause_goes_first(store: ControlStore) -> None:
    store.pause(EVERY_AGENT, None, "Kim", "fire", 1.0)
    store.pause("acme", "duty", "Kim", "", 2.0)
    read = store.read()
    assert read.pause_of("any") == Paused(None, "Kim", "fire", 1.0)
    assert read.pause_of("acme") == Paused("duty", "Kim", "", 2.0)


def test_one_agent_stays_paused_while_every_agent_is(store: ControlStore) -> None:
    store.pause(EVERY_AGENT, None, "Kim", "fire", 1.0)
    store.pause("acme", None, "Kim", "", 2.0)
    store.resume("acme", "Kim", "", 3.0)
    assert store.read().pause_of("acme") == Paused(None, "Kim", "fire", 1.0)


def test_to_resume_every_agent_resumes_each(store: ControlStore) -> None:
    store.pause("acme", None, "Kim", "", 1.0)
    store.pause(EVERY_AGENT, None, "Kim", "", 2.0)
    store.resume(EVERY_AGENT, "Kim", "over", 3.0)
    assert store.read().paused == {}
    assert {(line.what, line.whom) for line in store.history(2)} == {("resumed", "*"), ("resumed", "acme")}


def test_an_order_waits_until_one_process_takes_it(store: ControlStore, other: ControlStore) -> None:
    number = store.order("CA1", "duty", end=False, by="Kim", reason="upset", at=1.0)
    last = store.order("CA2", None, end=True, by="Kim", reason="", at=2.0)
    waiting = (
        Order(number, "CA1", "duty", False, "Kim", "upset", 1.0),
        Order(last, "CA2", None, True, "Kim", "", 2.0),
    )
    assert other.read().orders == waiting
    assert not store.taken(number)
    assert [store.take(number, "one", 3.0), other.take(number, "two", 3.0)] == [True, False]
    assert store.taken(number)
    assert other.read().orders == waiting[1:]


def test_of_many_processes_at_once_one_takes_an_order(url: str, store: ControlStore) -> None:
    number = store.order("CA1", None, end=True, by="Kim", reason="", at=1.0)
    databases = [Database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        took = list(pool.map(lambda each: ControlStore(each).take(number, "one", 2.0), databases))
    for database in databases:
        database.close()
    assert sorted(took) == [False] * 5 + [True]


def test_an_order_that_is_not_there_is_taken_by_nobody(store: ControlStore) -> None:
    assert not store.take(99, "one", 1.0)
    assert not store.taken(99)


def test_an_old_order_is_for_no_call_of_today(store: ControlStore) -> None:
    store.order("CA1", None, end=True, by="Kim", reason="", at=1.0)
    store.order("CA2", None, end=True, by="Kim", reason="", at=5.0)
    assert [order.call_sid for order in store.read(since=2.0).orders] == ["CA2"]


def test_a_call_that_ends_goes_nowhere(store: ControlStore) -> None:
    with pytest.raises(ValueError, match="not both"):
        store.order("CA1", "duty", end=True, by="Kim", reason="", at=1.0)
    assert store.read().orders == ()


def test_the_button_is_read_while_another_program_holds_the_lock(url: str, store: ControlStore) -> None:
    store.pause("acme", None, "Kim", "", 1.0)
    holding = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holding.execute("BEGIN IMMEDIATE")
    assert store.read().pause_of("acme") is not None
    with pytest.raises(ControlsUnavailable, match="OperationalError"):
        store.pause("acme", None, "Kim", "", 2.0)
    holding.close()


def test_it_is_known_who_pressed_what_and_who_obeyed(store: ControlStore) -> None:
    store.pause("acme", "duty", "Kim", "wrong prices", 1.0)
    number = store.order("CA1", "duty", end=False, by="Lee", reason="upset", at=2.0)
    store.take(number, "host:7", 3.0)
    store.resume("acme", "Kim", "mended", 4.0)
    lines = [(line.at, line.by, line.what, line.whom, line.to, line.reason) for line in store.history()]
    assert lines == [
        (4.0, "Kim", "resumed", "acme", None, "mended"),
        (3.0, "host:7", "taken", "CA1", "duty", ""),
        (2.0, "Lee", "ordered", "CA1", "duty", "upset"),
        (1.0, "Kim", "paused", "acme", "duty", "wrong prices"),
    ]
    assert len(store.history(limit=2)) == 2


@pytest.mark.parametrize("change", ["reason = 'nice'", "taken_by = 'another'"])
def test_an_order_is_taken_once_and_never_changed(url: str, store: ControlStore, change: str) -> None:
    number = store.order("CA1", None, end=True, by="Kim", reason="upset", at=1.0)
    if change.startswith("taken_by"):
        store.take(number, "one", 2.0)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute(f"UPDATE call_orders SET {change}")  # noqa: S608  - ours
    connection.close()
