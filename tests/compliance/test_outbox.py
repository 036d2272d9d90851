"""A side effect is written down once, worked on by one at a time, and never forgotten."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, insert, select

from compliance import migrations
from compliance.journal import journal_url
from compliance.outbox import LEASE, ClaimLost, Entry, Intent, Outbox, OutboxUnavailable, State, unstored
from compliance.sqlite import make_private
from compliance.tables import SCHEMA, events
from policies.vocabulary import NextAction

NOW = 1_700_000_000.0
INTENT = Intent("CA1", "outcome", 1, "crm:csv", "acme", {"phone": "+15550100001", "turns": 3}, NOW, session=2)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path / "data")


@pytest.fixture
def outbox(url: str) -> Iterator[Outbox]:
    opened = Outbox(url, lock_wait_ms=50)
    yield opened
    opened.close()


def claimed(outbox: Outbox, now: float = NOW) -> Entry:
    (entry,) = outbox.due(now, 10)
    return entry


def test_an_intent_is_kept_as_it_was_told(outbox: Outbox) -> None:
    entry = outbox.intend(INTENT)
    assert (entry.key, entry.number, entry.kind, entry.channel) == ("CA1:outcome:1", 1, "outcome", "crm:csv")
    assert (entry.agent, entry.session, entry.payload) == ("acme", 2, INTENT.payload)
    assert (entry.state, entry.attempts, entry.next_at) == (State.INTENDED, 0, NOW)
    assert (entry.verification, entry.record_id, entry.reason) == (NextAction.UNVERIFIED, "", "")
    assert outbox.of_call("CA1") == (replace(entry, new=False),)
    assert unstored(INTENT) == replace(entry, id=0)


def test_a_second_intent_of_the_same_key_changes_nothing(outbox: Outbox) -> None:
    first = outbox.intend(INTENT)
    second = outbox.intend(replace(INTENT, payload={"phone": "another"}, at=NOW + 1, channel="crm:rest"))
    assert first.new
    assert second == replace(first, new=False)
    sent = outbox.sent(claimed(outbox), NOW)
    outbox.confirmed(sent, "R1", NOW)
    assert outbox.intend(INTENT).state is State.CONFIRMED


def test_kinds_and_numbers_of_a_call_are_different_side_effects(outbox: Outbox) -> None:
    intents = [
        INTENT,
        replace(INTENT, number=2),
        replace(INTENT, kind="consent"),
        replace(INTENT, call_sid="CA2"),
    ]
    assert all(entry.new for entry in outbox.intend_all(intents))
    assert [entry.key for entry in outbox.of_call("CA1")] == [
        "CA1:outcome:1",
        "CA1:outcome:2",
        "CA1:consent:1",
    ]


@pytest.mark.parametrize("payload", [{"said": "\ud800"}, {"said": ["a", "list"]}, {"said": object()}])
def test_a_payload_that_cannot_be_kept_is_refused_without_quoting_it(payload: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the payload of CA1:outcome:1 cannot be kept") as refused:
        replace(INTENT, payload=payload)
    assert refused.value.__suppress_context__


def test_what_a_caller_said_stands_in_no_repr(outbox: Outbox) -> None:
    assert "+1555" not in repr(INTENT) + repr(outbox.intend(INTENT))


def test_nothing_is_due_before_its_time_and_the_longest_overdue_comes_first(outbox: Outbox) -> None:
    outbox.intend_all([replace(INTENT, number=n, at=NOW + 10 - n) for n in range(4)])
    assert outbox.due(NOW, 10) == ()
    assert [entry.number for entry in outbox.due(NOW + 9, 2)] == [3, 2]
    assert [entry.number for entry in outbox.due(NOW + 9, 2)] == [1]


def test_only_the_channels_asked_for_are_claimed(outbox: Outbox) -> None:
    outbox.intend_all([INTENT, replace(INTENT, number=2, channel="crm:rest", at=NOW + 5)])
    assert outbox.due(NOW + 9, 10, ("crm:other",)) == ()
    assert outbox.next_due(("crm:rest",)) == NOW + 5
    assert outbox.next_due(("crm:other",)) is None
    assert [entry.channel for entry in outbox.due(NOW + 9, 10, ("crm:rest",))] == ["crm:rest"]


def test_a_claim_keeps_others_away_until_it_runs_out(outbox: Outbox) -> None:
    outbox.intend(INTENT)
    dead_worker = claimed(outbox)
    assert outbox.due(NOW + LEASE - 1, 10) == ()
    assert outbox.next_due() == NOW + LEASE
    heir = claimed(outbox, NOW + LEASE)
    assert heir.claimed_by != dead_worker.claimed_by
    with pytest.raises(ClaimLost):
        outbox.sent(dead_worker, NOW + LEASE)
    assert outbox.sent(heir, NOW + LEASE).claimed_until == NOW + LEASE * 2


def test_an_entry_nobody_claimed_cannot_be_changed(outbox: Outbox) -> None:
    with pytest.raises(ClaimLost):
        outbox.sent(outbox.intend(INTENT), NOW)


def test_confirmed_and_read_back(outbox: Outbox) -> None:
    outbox.intend(INTENT)
    confirmed = outbox.confirmed(outbox.sent(claimed(outbox), NOW), "R1", NOW + 1, NOW + 3)
    assert (confirmed.state, confirmed.record_id, confirmed.attempts) == (State.CONFIRMED, "R1", 1)
    assert outbox.next_due() == NOW + 3
    later = outbox.check_again(claimed(outbox, NOW + 3), NOW + 20, NOW + 3)
    assert (later.checks, later.verification) == (1, NextAction.UNVERIFIED)
    verified = outbox.verified(claimed(outbox, NOW + 20), NextAction.CORRECT, NOW + 20)
    assert (verified.checks, verified.verification, verified.state) == (
        2,
        NextAction.CORRECT,
        State.CONFIRMED,
    )
    assert verified.updated_at == NOW + 20
    assert outbox.next_due() is None


@pytest.mark.parametrize(("unsent", "state"), [(True, State.INTENDED), (False, State.UNKNOWN)])
def test_a_failure_waits_for_its_next_attempt(outbox: Outbox, unsent: bool, state: State) -> None:
    outbox.intend(INTENT)
    failed = outbox.failed(outbox.sent(claimed(outbox), NOW), "busy" * 100, NOW + 60, NOW, unsent=unsent)
    assert (failed.state, failed.reason, failed.next_at) == (state, "busy" * 50, NOW + 60)
    assert outbox.due(NOW + 59, 10) == ()
    assert claimed(outbox, NOW + 60).attempts == 1


def test_a_dead_letter_is_listed_and_never_due(outbox: Outbox) -> None:
    outbox.intend_all([INTENT, replace(INTENT, number=2, at=NOW + 1)])
    dead = outbox.dead(outbox.sent(claimed(outbox), NOW), "no such field", NOW)
    assert outbox.dead_letters() == (dead,)
    assert (dead.state, dead.reason, dead.next_at) == (State.DEAD, "no such field", None)
    assert [entry.number for entry in outbox.due(NOW + 1e9, 10)] == [2]


def test_many_workers_claim_each_entry_once(url: str, outbox: Outbox) -> None:
    outbox.intend_all([replace(INTENT, number=n) for n in range(60)])
    workers = [Outbox(url) for _ in range(4)]

    def claim_all(worker: Outbox) -> list[str]:
        return [entry.key for _ in range(10) for entry in worker.due(NOW, 6)]

    with ThreadPoolExecutor(4) as pool:
        keys = Counter(key for claims in pool.map(claim_all, workers) for key in claims)
    for worker in workers:
        worker.close()
    assert len(keys) == 60
    assert set(keys.values()) == {1}


def test_several_open_a_new_file_and_intend_the_same_at_once(url: str) -> None:
    boxes = [Outbox(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        entries = list(pool.map(lambda box: box.intend(INTENT), boxes))
    for box in boxes:
        box.close()
    assert sum(entry.new for entry in entries) == 1
    assert len({entry.id for entry in entries}) == 1


def test_a_journal_from_before_the_outbox_gets_one_and_keeps_its_events(url: str, outbox: Outbox) -> None:
    make_private(Path(url.removeprefix("sqlite:///")))
    engine = create_engine(url)
    with engine.begin() as connection:
        older = Config(attributes={"connection": connection})
        older.set_main_option("script_location", str(migrations.HERE))
        command.upgrade(older, "0001")
        connection.execute(
            insert(events).values(call_sid="CA0", at=NOW, session=1, turn=0, kind="keys", facts="{}")
        )
    outbox.intend(INTENT)
    with engine.connect() as connection:
        assert migrations.version(connection) == SCHEMA
        assert connection.scalars(select(events.c.call_sid)).all() == ["CA0"]
    engine.dispose()


def test_an_intent_outlives_a_process_that_is_killed(url: str, outbox: Outbox) -> None:
    program = (
        "import os, signal, sys\n"
        "from compliance.outbox import Outbox\nfrom tests.compliance.test_outbox import INTENT\n"
        "Outbox(sys.argv[1]).intend(INTENT)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == -9
    assert claimed(outbox).payload == INTENT.payload


def test_a_database_that_is_locked_is_told_and_used_again_afterwards(url: str, outbox: Outbox) -> None:
    outbox.intend(INTENT)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxUnavailable, match="OperationalError"):
        outbox.due(NOW, 10)
    other.execute("ROLLBACK")
    other.close()
    assert claimed(outbox).key == INTENT.key


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(os.urandom(5_000))
    outbox = Outbox(journal_url(tmp_path))
    with pytest.raises(OutboxUnavailable, match="DatabaseError"):
        outbox.intend(INTENT)
    outbox.close()


def test_the_outbox_is_nobody_elses_to_read(url: str, outbox: Outbox) -> None:
    outbox.intend(INTENT)
    assert Path(url.removeprefix("sqlite:///")).stat().st_mode & 0o777 == 0o600
