"""A side effect reaches its receiver once, however often something dies on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.delivery import DAY, Delivery, Refused, Retry, Schedule, Sender
from compliance.journal import journal_url
from compliance.outbox import LEASE, Entry, Intent, Outbox, State
from compliance.spool import Spool, SpoolUnavailable, spool_path
from evaluation.clock import run_virtual
from policies.vocabulary import NextAction

NOW = 1_700_000_000.0
CHANNEL = "crm:csv"
INTENT = Intent("CA1", "outcome", 1, CHANNEL, "acme", {"phone": "+15550100001"}, NOW)
# Looks rarely, so that a virtual day is a short test.
RARELY = Schedule(look=DAY, reopen=DAY)

Answer = str | Exception | float  # a record, a failure, or seconds of silence


def clock() -> float:
    return NOW + asyncio.get_running_loop().time()


@dataclass
class Receiver:
    """Answers by its script, then with a record; remembers what it has by key, as a good receiver does."""

    script: list[Answer] = field(default_factory=list)
    shows: list[bool | Exception | None] = field(default_factory=list)
    asked: list[tuple[str, float]] = field(default_factory=list)  # key, seconds since the start
    read: list[float] = field(default_factory=list)
    records: dict[str, str] = field(default_factory=dict)

    async def send(self, entry: Entry) -> str:
        self.asked.append((entry.key, clock() - NOW))
        answer = self.script.pop(0) if self.script else ""
        match answer:
            case Exception():
                raise answer
            case float():
                self.records.setdefault(entry.key, f"R{len(self.records)}")
                await asyncio.sleep(answer)
        return self.records.setdefault(entry.key, f"R{len(self.records)}")

    async def read_back(self, entry: Entry) -> bool | None:
        assert entry.record_id == self.records[entry.key]
        self.read.append(clock() - NOW)
        shown = self.shows.pop(0) if self.shows else True
        if isinstance(shown, Exception):
            raise shown
        return shown


@dataclass
class Place:
    """One machine: its database, its spool, and all that was told."""

    outbox: Outbox
    spool: Spool
    told: list[tuple[str, State, str]] = field(default_factory=list)

    def tell(self, entry: Entry, state: State, reason: str) -> None:
        assert entry.state is state
        self.told.append((entry.key, state, reason))

    def delivery(self, schedule: Schedule = RARELY, **senders: Sender) -> Delivery:
        channels = {name.replace("_", ":"): sender for name, sender in senders.items()}
        return Delivery(
            self.outbox, self.spool, channels, clock, self.tell, jitter=lambda: 0.5, schedule=schedule
        )

    def states(self) -> list[State]:
        return [state for _, state, _ in self.told]

    def entry(self) -> Entry:
        (entry,) = self.outbox.of_call("CA1")
        return entry


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(Outbox(journal_url(tmp_path / "data")), Spool(spool_path(tmp_path)))
    made.outbox.next_due()  # the schema is made before the clock runs
    yield made
    made.outbox.close()


def during(
    deliveries: Sequence[Delivery], seconds: float, act: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Let them run for so many virtual seconds; `act` happens at the start."""

    async def main() -> None:
        running = [asyncio.create_task(delivery.run()) for delivery in deliveries]
        if act:
            await act()
        await asyncio.sleep(seconds)
        for task in running:
            assert not task.done(), task.exception()
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    run_virtual(main())


def test_an_intent_is_sent_confirmed_and_read_back(place: Place) -> None:
    receiver = Receiver()
    delivery = place.delivery(crm_csv=receiver)
    during([delivery], 10, lambda: delivery.intend(INTENT))
    assert place.states() == [State.INTENDED, State.SENT, State.CONFIRMED, State.CONFIRMED]
    assert [key for key, _ in receiver.asked] == [INTENT.key]
    assert receiver.read == [pytest.approx(2.0, abs=0.5)]
    entry = place.entry()
    assert (entry.record_id, entry.verification, entry.next_at) == ("R0", NextAction.CORRECT, None)


def test_a_repeated_intent_is_delivered_and_told_once(place: Place) -> None:
    receiver = Receiver()
    delivery = place.delivery(crm_csv=receiver)

    async def twice() -> None:
        await delivery.intend(INTENT)
        await asyncio.sleep(5)
        await delivery.intend(replace(INTENT, at=NOW + 5))

    during([delivery], 10, twice)
    assert len(receiver.asked) == 1
    assert place.states() == [State.INTENDED, State.SENT, State.CONFIRMED, State.CONFIRMED]


@pytest.mark.parametrize(
    ("shown", "verification", "told"),
    [(True, NextAction.CORRECT, 3), (False, NextAction.WRONG, 3), (None, NextAction.UNVERIFIED, 2)],
)
def test_reading_back_says_whether_it_is_right(
    place: Place, shown: bool | None, verification: NextAction, told: int
) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(shows=[shown])
    during([place.delivery(crm_csv=receiver)], 10)
    assert place.entry().verification is verification
    assert place.entry().next_at is None
    assert len(place.told) == told


def test_reading_back_is_tried_again_and_given_up_as_unverified(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(shows=[Retry("busy"), Retry("busy", after=100.0), True])
    during([place.delivery(crm_csv=receiver)], 200)
    assert receiver.read == [pytest.approx(at, abs=0.5) for at in (2, 7, 107)]
    assert place.entry().verification is NextAction.CORRECT

    place.outbox.intend(replace(INTENT, call_sid="CA2"))
    never = Receiver(shows=[Retry("busy")] * 9)
    during([place.delivery(crm_csv=never)], DAY)
    (entry,) = place.outbox.of_call("CA2")
    assert len(never.read) == entry.checks == RARELY.checks
    assert (entry.verification, entry.state, entry.next_at) == (NextAction.UNVERIFIED, State.CONFIRMED, None)


def test_a_receiver_that_refuses_to_show_leaves_it_unverified(place: Place) -> None:
    place.outbox.intend(INTENT)
    during([place.delivery(crm_csv=Receiver(shows=[Refused("no scope")]))], 10)
    assert place.entry().verification is NextAction.UNVERIFIED
    assert place.entry().state is State.CONFIRMED


def test_each_wait_is_longer_until_it_is_given_up(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(script=[Retry("HTTP 503")] * 20)
    during([place.delivery(crm_csv=receiver)], 2 * DAY)
    times = [at for _, at in receiver.asked]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits == [
        pytest.approx(wait, abs=0.5) for wait in (5, 20, 80, 320, 1_280, 5_120, 20_480, 21_600, 21_600)
    ]
    assert place.outbox.dead_letters() == (place.entry(),)
    assert place.entry().updated_at == pytest.approx(NOW + times[-1], abs=0.5)
    assert place.entry().reason == "given up after 10 attempts: HTTP 503"
    assert place.told[-1] == (INTENT.key, State.DEAD, "given up after 10 attempts: HTTP 503")


def test_the_receivers_own_wait_is_respected(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(script=[Retry("HTTP 429", after=300.0), Retry("HTTP 429", after=1.0)])
    during([place.delivery(crm_csv=receiver)], 1_000)
    assert [at for _, at in receiver.asked] == [pytest.approx(at, abs=0.5) for at in (0, 300, 320)]


def test_what_surely_did_not_arrive_is_intended_again_and_the_rest_is_unknown(place: Place) -> None:
    place.outbox.intend(INTENT)
    busy = Retry("HTTP 429", unsent=True)
    receiver = Receiver(script=[busy, Retry("HTTP 502"), busy])
    during([place.delivery(crm_csv=receiver)], 1_000)
    assert [state for state in place.states() if state is not State.SENT] == [
        State.INTENDED,
        State.UNKNOWN,
        State.UNKNOWN,
        State.CONFIRMED,
        State.CONFIRMED,
    ]


def test_a_receiver_that_took_it_and_fell_silent_has_it_once(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(script=[1_000.0])
    during([place.delivery(crm_csv=receiver)], 100)
    assert [key for key, _ in receiver.asked] == [INTENT.key] * 2
    assert (INTENT.key, State.UNKNOWN, "no answer in time") in place.told
    assert place.entry().record_id == "R0"
    assert len(receiver.records) == 1


def test_what_is_refused_is_a_dead_letter_at_once(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver(script=[Refused("HTTP 422")])
    during([place.delivery(crm_csv=receiver)], DAY)
    assert len(receiver.asked) == 1
    assert place.told[-1] == (INTENT.key, State.DEAD, "HTTP 422")


def test_a_receiver_that_is_down_keeps_no_other_waiting(place: Place) -> None:
    slow, quick = Receiver(script=[1_000.0] * 50), Receiver()
    place.outbox.intend_all([replace(INTENT, number=n) for n in range(20)])
    place.outbox.intend_all([replace(INTENT, number=n, channel="crm:rest") for n in range(20, 40)])
    during([place.delivery(crm_csv=slow, crm_rest=quick)], 10)
    assert len(quick.records) == 20
    assert len(slow.asked) == 8  # no more at once


def test_a_failure_nobody_foresaw_stops_nothing_else(place: Place) -> None:
    place.outbox.intend_all([INTENT, replace(INTENT, number=2)])
    receiver = Receiver(script=[KeyError("name")])
    during([place.delivery(replace(RARELY, look=5.0), crm_csv=receiver)], LEASE + 10)
    (first, _), _, (again, at) = receiver.asked
    assert again == first
    assert at == pytest.approx(LEASE, abs=6)
    assert {entry.state for entry in place.outbox.of_call("CA1")} == {State.CONFIRMED}


def test_a_channel_is_served_from_the_moment_it_has_a_sender(place: Place) -> None:
    place.outbox.intend(INTENT)
    receiver = Receiver()
    senders: dict[str, Sender] = {}
    delivery = Delivery(
        place.outbox, place.spool, senders, clock, place.tell, jitter=lambda: 0.5, schedule=RARELY
    )

    async def connect() -> None:
        await asyncio.sleep(30)
        senders[CHANNEL] = receiver
        delivery.wake()
        await asyncio.sleep(30)
        del senders[CHANNEL]
        await delivery.intend(replace(INTENT, number=2))

    during([delivery], 60, connect)
    assert [key for key, _ in receiver.asked] == [INTENT.key]


def test_two_workers_deliver_each_entry_once(place: Place, tmp_path: Path) -> None:
    place.outbox.intend_all([replace(INTENT, number=n) for n in range(40)])
    other = Place(Outbox(journal_url(tmp_path / "data")), place.spool)
    receiver = Receiver()
    during([place.delivery(crm_csv=receiver), other.delivery(crm_csv=receiver)], 30)
    other.outbox.close()
    assert len(receiver.asked) == len(receiver.records) == 40
    assert {entry.verification for entry in place.outbox.of_call("CA1")} == {NextAction.CORRECT}


def test_what_another_process_put_in_is_found(place: Place, tmp_path: Path) -> None:
    other = Outbox(journal_url(tmp_path / "data"))
    receiver = Receiver()

    async def intended_elsewhere() -> None:
        await asyncio.sleep(20)
        await asyncio.to_thread(other.intend, INTENT)

    during([place.delivery(Schedule(), crm_csv=receiver)], 20, intended_elsewhere)
    other.close()
    assert len(receiver.asked) == 1


# -- processes that die ----------------------------------------------------------------------------------

DIES = """
import asyncio, json, os, sys, time
from compliance.delivery import Delivery
from compliance.outbox import Outbox
from compliance.spool import Spool
from pathlib import Path
from tests.compliance.test_delivery import CHANNEL, INTENT, NOW

class DiesAfterTheReceiverHasIt:
    async def send(self, entry):
        Path(sys.argv[2]).write_text(json.dumps({entry.key: "R0"}))
        os._exit(9)
    async def read_back(self, entry):
        return None

async def main():
    senders = {CHANNEL: DiesAfterTheReceiverHasIt()} if sys.argv[3] == "sending" else {}
    delivery = Delivery(
        Outbox(sys.argv[1]), Spool(Path(sys.argv[1] + ".spool")), senders, lambda: NOW,
        lambda entry, state, reason: None, jitter=lambda: 0.5,
    )
    await delivery.intend(INTENT)
    if not senders:
        os._exit(9)
    await delivery.run()

asyncio.run(main())
"""


def dies(tmp_path: Path, where: str) -> None:
    arguments = [journal_url(tmp_path / "data"), str(tmp_path / "receiver"), where]
    ended = subprocess.run([sys.executable, "-c", DIES, *arguments], check=False, timeout=60)
    assert ended.returncode == 9


def test_what_a_dead_process_had_only_intended_is_delivered_by_the_next(place: Place, tmp_path: Path) -> None:
    dies(tmp_path, "intended")
    receiver = Receiver()
    during([place.delivery(crm_csv=receiver)], 10)
    assert [key for key, _ in receiver.asked] == [INTENT.key]
    assert place.entry().verification is NextAction.CORRECT


def test_a_process_that_dies_before_it_heard_the_answer_leaves_no_second_record(
    place: Place, tmp_path: Path
) -> None:
    dies(tmp_path, "sending")
    assert place.entry().state is State.SENT
    receiver = Receiver(records=json.loads((tmp_path / "receiver").read_text()))
    during([place.delivery(crm_csv=receiver)], LEASE + 10)
    ((key, at),) = receiver.asked
    assert key == INTENT.key
    assert at == pytest.approx(LEASE, abs=1)
    assert receiver.records == {INTENT.key: "R0"}
    assert place.entry().record_id == "R0"


def test_who_dies_in_every_attempt_is_given_up(place: Place) -> None:
    place.outbox.intend(INTENT)
    at = NOW - 20 * LEASE
    for n in range(10):
        (entry,) = place.outbox.due(NOW + n * LEASE * 2, 1)
        place.outbox.sent(entry, at + n * LEASE)
    receiver = Receiver()
    during([place.delivery(crm_csv=receiver)], DAY)
    assert receiver.asked == []
    assert place.entry().reason == "given up after 10 attempts: no answer"


# -- a database that is away -----------------------------------------------------------------------------


def test_while_the_database_is_away_intents_are_safe_and_delivered_when_it_is_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("a file where the folder should be")
    place = Place(Outbox(journal_url(data)), Spool(spool_path(tmp_path)))
    receiver = Receiver()
    delivery = place.delivery(Schedule(), crm_csv=receiver)

    async def away_and_back() -> None:
        for n in range(3):
            await delivery.intend(replace(INTENT, number=n))
        await delivery.intend(replace(INTENT, number=0))  # the caller's retry
        assert delivery.fault == "FileExistsError"
        assert len(spool_path(tmp_path).read_bytes().splitlines()) == 4
        await asyncio.sleep(10)
        assert receiver.asked == []
        data.unlink()

    during([delivery], 30, away_and_back)
    assert sorted(receiver.records) == [f"CA1:outcome:{n}" for n in range(3)]
    assert len(receiver.asked) == 3
    assert place.spool.is_empty()
    assert delivery.fault == ""
    place.outbox.close()


def test_no_call_asks_a_database_that_is_known_to_be_away(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    place = Place(Outbox(journal_url(tmp_path / "data")), Spool(spool_path(tmp_path)))
    delivery = place.delivery()

    async def intend_twice() -> None:
        await delivery.intend(INTENT)
        (tmp_path / "data").unlink()
        await asyncio.to_thread(place.outbox.next_due)
        await delivery.intend(replace(INTENT, number=2))

    run_virtual(intend_twice())
    assert place.outbox.of_call("CA1") == ()
    place.outbox.close()
    assert len(spool_path(tmp_path).read_bytes().splitlines()) == 2


def test_a_call_waits_only_a_moment_for_a_locked_database(place: Place, tmp_path: Path) -> None:
    receiver = Receiver()
    delivery = place.delivery(Schedule(), crm_csv=receiver)
    other = sqlite3.connect(tmp_path / "data" / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def locked() -> None:
        begun = clock()
        await delivery.intend(INTENT)
        assert clock() - begun < 0.5
        assert not place.spool.is_empty()
        other.execute("ROLLBACK")

    during([delivery], 30, locked)
    other.close()
    assert len(receiver.asked) == 1  # although thread and spool both brought it
    assert place.spool.is_empty()
    assert place.states().count(State.INTENDED) == 1


@pytest.mark.parametrize(("away", "requests"), [(LEASE / 2, 1), (LEASE * 2, 2)])
def test_a_database_that_goes_away_under_an_answer_makes_no_second_record(
    place: Place, tmp_path: Path, away: float, requests: int
) -> None:
    """The answer is written when the database is back; after the claim has ended the entry is sent again."""
    other = sqlite3.connect(tmp_path / "data" / "journal.sqlite", isolation_level=None)
    short = Place(Outbox(journal_url(tmp_path / "data"), lock_wait_ms=10), place.spool)
    receiver = Receiver()

    class Locks:
        async def send(self, entry: Entry) -> str:
            if not receiver.asked:
                other.execute("BEGIN IMMEDIATE")
            return await receiver.send(entry)

        async def read_back(self, entry: Entry) -> bool | None:
            return await receiver.read_back(entry)

    async def back() -> None:
        await asyncio.sleep(away)
        other.execute("ROLLBACK")

    place.outbox.intend(INTENT)
    during([short.delivery(Schedule(reopen=10.0), crm_csv=Locks())], 30, back)
    other.close()
    short.outbox.close()
    assert [key for key, _ in receiver.asked] == [INTENT.key] * requests
    assert place.entry().record_id == "R0"
    assert place.entry().verification is NextAction.CORRECT


def test_when_neither_database_nor_disk_takes_it_the_caller_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    place = Place(Outbox(journal_url(tmp_path / "data")), Spool(spool_path(tmp_path / "data")))
    delivery = place.delivery()

    async def refused() -> None:
        with pytest.raises(SpoolUnavailable):
            await delivery.intend(INTENT)

    run_virtual(refused())
    place.outbox.close()
    assert place.told == []


def test_a_spool_that_cannot_be_read_stops_no_delivery(place: Place, tmp_path: Path) -> None:
    spool_path(tmp_path).mkdir()
    receiver = Receiver()
    delivery = place.delivery(Schedule(), crm_csv=receiver)

    async def later() -> None:
        await asyncio.sleep(5)
        await delivery.intend(INTENT)

    during([delivery], 10, later)
    assert [key for key, _ in receiver.asked] == [INTENT.key]


# -- the schedule ----------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_wait_is_never_too_short_nor_endless(attempt: int, jitter: float, after: float | None) -> None:
    schedule = Schedule()
    wait = schedule.wait(attempt, jitter, after)
    assert schedule.first * 0.8 <= wait <= max(schedule.longest * 1.2, DAY)
    assert wait >= min(after or 0.0, DAY)


def test_jitter_moves_a_wait_to_both_sides() -> None:
    assert [Schedule().wait(2, jitter) for jitter in (0.0, 0.5, 1.0)] == pytest.approx([16, 20, 24])


def test_ten_attempts_take_about_a_day() -> None:
    schedule = Schedule()
    assert 0.5 * DAY < sum(schedule.wait(n, 0.5) for n in range(1, schedule.attempts)) < 1.5 * DAY
