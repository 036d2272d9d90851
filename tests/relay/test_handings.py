"""Calls on their way to a person, seen by every process of ours, and by each alone when the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from handoff.attempt import Attempt
from handoff.port import Urls
from handoff.steps import Steps
from handoff.told import Accepted, AgentRinging, Together
from policies.vocabulary import EscalationReason
from relay.handings import Handing, Handings, SlotAttempts
from relay.state import SessionStore, Snapshot, StoreUnavailable
from relay.state_sqlite import SqliteStore

CALL = "CA" + "c" * 32
NEW = Handing(
    ref="r",
    brief_ref="r",
    call_sid=CALL,
    account_sid="AC1",
    session=1,
    agent="acme",
    reason=EscalationReason.COMPLAINT,
    intent="other",
    tier="",
    language="en-US",
    caller="+15550100002",
    ours="+15550100001",
    spoken="The bill is wrong.",
)
OFFERED = replace(NEW, destination="sales", tried=("sales",))
NEXT = replace(NEW, ref="r.2", destination="duty", tried=("sales", "duty"))
ATTEMPT = Attempt(ref="r", destination="sales", sla=30.0, started_at=100.0, asks=True)


@dataclass
class Store:
    """A store that can go away, and lose what it holds."""

    inner: SessionStore
    away: bool = False

    async def save(self, snapshot: Snapshot) -> bool:
        return await self._there().save(snapshot)

    async def load(self, call_sid: str) -> Snapshot | None:
        return await self._there().load(call_sid)

    async def claim(self, call_sid: str, name: str, value: str, seconds: float) -> str:
        return await self._there().claim(call_sid, name, value, seconds)

    async def read(self, subject: str, name: str) -> str | None:
        return await self._there().read(subject, name)

    async def exchange(self, subject: str, name: str, before: str | None, after: str, seconds: float) -> bool:
        return await self._there().exchange(subject, name, before, after, seconds)

    async def ping(self) -> None:
        await self._there().ping()

    async def close(self) -> None:
        await self.inner.close()

    def _there(self) -> SessionStore:
        if self.away:
            raise StoreUnavailable("away")
        return self.inner


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(SqliteStore(tmp_path / "state.sqlite"))
    yield store
    await store.close()


def steps(attempts: SlotAttempts) -> Steps:
    return Steps(attempts, Urls("https://voice.example.com"), lambda: 110.0)


@pytest.mark.parametrize("offered_before", [True, False])
async def test_what_is_told_while_the_store_is_away_is_there_when_it_is_back(
    store: Store, offered_before: bool
) -> None:
    mine, theirs = SlotAttempts(store), SlotAttempts(store)
    store.away = not offered_before
    assert await mine.save(None, ATTEMPT)
    store.away = True
    await steps(mine).tell("r", AgentRinging(105, "WR1", "CA1"), Accepted(110, "WR1"))
    store.away = False
    async with asyncio.timeout(5):  # and nobody tries for ever
        attempt = await steps(mine).tell("r", Together(112))
    assert (attempt.taken_by, attempt.outcome, attempt.legs) == ("WR1", "accepted", ("CA1",))
    assert await theirs.load("r") == attempt


async def test_what_another_process_wrote_meanwhile_holds(store: Store) -> None:
    mine, theirs = SlotAttempts(store), SlotAttempts(store)
    assert await mine.save(None, ATTEMPT)
    store.away = True
    await steps(mine).tell("r", AgentRinging(105, "WR1", "CA1"))
    store.away = False
    await steps(theirs).tell("r", Accepted(110, "WR2"))
    assert (await steps(mine).tell("r")).taken_by == "WR2"


async def test_a_store_that_lost_everything_is_told_again(store: Store, tmp_path: Path) -> None:
    mine = SlotAttempts(store)
    assert await mine.save(None, ATTEMPT)
    await store.close()
    store.inner = SqliteStore(tmp_path / "another.sqlite")
    async with asyncio.timeout(5):
        await steps(mine).tell("r", Accepted(110, "WR1"))
    found = await SlotAttempts(store).load("r")
    assert found is not None
    assert found.taken_by == "WR1"


async def test_of_two_processes_one_alone_changes_an_attempt(store: Store) -> None:
    mine, theirs = SlotAttempts(store), SlotAttempts(store)
    assert await mine.save(None, ATTEMPT)
    changes = await asyncio.gather(
        steps(mine).change("r", Accepted(110, "WR1")), steps(theirs).change("r", Accepted(110, "WR2"))
    )
    assert len({after.taken_by for _, after in changes}) == 1
    assert sorted(before.taken for before, _ in changes) == [False, True]


async def test_where_a_call_was_offered_is_known_to_the_process_that_had_its_session(store: Store) -> None:
    """The socket was here, the action came to another process, and the wait request comes here."""
    mine, theirs = Handings(store), Handings(store)
    await mine.keep(NEW)
    await theirs.keep(OFFERED)
    assert await mine.load("r") == OFFERED
    assert await mine.of_call(CALL) == OFFERED
    await theirs.keep(NEXT)
    assert await mine.of_call(CALL) == NEXT
    assert await mine.load("r") == OFFERED
    store.away = True
    assert await theirs.of_call(CALL) == NEXT
    assert await mine.load("r") == NEW  # all that is known here


async def test_a_call_that_is_back_with_the_agent_is_on_the_way_to_nobody(store: Store) -> None:
    mine, theirs = Handings(store), Handings(store)
    await mine.keep(OFFERED)
    assert await theirs.of_call(CALL) == OFFERED
    await theirs.taken_back(CALL)
    assert await mine.of_call(CALL) is None
    assert await mine.load("r") == OFFERED  # late reports are still read
    await mine.keep(NEXT)  # and later it leaves again
    assert await theirs.of_call(CALL) == NEXT


def test_a_handing_in_a_log_tells_nothing_personal() -> None:
    assert "+1555" not in repr(OFFERED)
    assert "bill" not in repr(OFFERED)


async def test_what_a_newer_version_wrote_can_be_changed_by_an_older_one(store: Store) -> None:
    """During a deploy both serve: a field that is unknown here must not be tried against for ever."""
    text = ATTEMPT.encode().decode()
    assert await store.exchange("r", "attempt", None, text[:-1] + ',"newer":true}', 60.0)
    async with asyncio.timeout(5):
        attempt = await steps(SlotAttempts(store)).tell("r", Accepted(110, "WR1"))
    assert attempt.taken
