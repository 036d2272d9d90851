"""What is recorded is written, in order, whatever the database does meanwhile; and never waits for it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from compliance import migrations, tables
from compliance.events import Event, Fact, Kind
from compliance.journal import Journal, journal_url
from compliance.past_calls import past_calls
from compliance.record import JournalUnreadable, NoJournal, Record

START = 1_700_000_000.0


def prompt(call_sid: str, n: int = 0, **facts: Fact) -> Event:
    return Event(call_sid, START + n, Kind.PROMPT, turn=n, session=2, facts=facts)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path / "data")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = Journal(url)
    yield opened
    opened.close()


@pytest.fixture
def locked(url: str, journal: Journal) -> Iterator[sqlite3.Connection]:
    """Another program holds the file, as a backup or a full disk would."""
    assert journal.flush()
    journal.record(prompt("CA0"))
    assert journal.flush()
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def read(url: str, call_sid: str) -> list[Event]:
    with Record(url) as record:
        return [stored.event for stored in record.events(call_sid)]


def test_an_event_is_read_as_it_was_recorded(journal: Journal, url: str) -> None:
    facts: dict[str, Fact] = {
        "text": "안녕 “x”",
        "whole": 1,
        "part": 0.5,
        "yes": True,
        "none": None,
        "list": ["a"],
    }
    journal.record(prompt("CA1", 3, **facts))
    journal.record(prompt("CA2"))
    assert journal.flush()
    assert read(url, "CA1") == [prompt("CA1", 3, **facts)]


def test_events_of_a_call_keep_their_order_and_can_be_followed(journal: Journal, url: str) -> None:
    for n in range(2_500):  # several transactions
        journal.record(prompt("CA1", n))
    assert journal.flush()
    with Record(url) as record:
        stored = record.events("CA1")
        assert [entry.event.turn for entry in stored] == list(range(2_500))
        assert record.events("CA1", after=stored[-3].id) == stored[-2:]
        assert record.events("CA1", after=stored[-1].id) == []


def test_several_writers_open_a_new_journal_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        journals = list(pool.map(lambda _: Journal(url), range(8)))
    for n, journal in enumerate(journals):
        journal.record(prompt("CA1", n))
    assert [journal.close() for journal in journals] == [True] * 8
    assert {event.turn for event in read(url, "CA1")} == set(range(8))


def test_processes_append_to_one_journal_and_kill_takes_nothing_committed(url: str) -> None:
    program = (
        "import sys, time\n"
        "from compliance.journal import Journal\nfrom tests.compliance.test_journal import prompt\n"
        "journal = Journal(sys.argv[1])\n"
        "for n in range(1000): journal.record(prompt(sys.argv[2], n))\n"
        "assert journal.flush()\n"
        "sys.stdout.write('written'); sys.stdout.flush()\n"
        "time.sleep(60)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, url, call], stdout=subprocess.PIPE)
        for call in ("CA1", "CA2")
    ]
    told = [writer.stdout.read(7) for writer in writers if writer.stdout]
    for writer in writers:
        with writer:
            writer.send_signal(signal.SIGKILL)
    assert told == [b"written"] * 2
    assert len(read(url, "CA1")) == len(read(url, "CA2")) == 1_000


def test_events_wait_while_the_database_fails_and_are_written_afterwards(
    journal: Journal, url: str, locked: sqlite3.Connection
) -> None:
    journal.record(prompt("CA1", 1))
    assert not journal.flush(timeout=0.05)
    assert journal.lag > 0
    locked.execute("ROLLBACK")
    assert journal.flush()
    assert journal.healthy
    assert journal.lag == 0
    assert read(url, "CA1") == [prompt("CA1", 1)]


def test_a_journal_that_cannot_be_opened_is_told_and_opened_when_it_can(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    journal = Journal(journal_url(tmp_path / "data"))
    journal.record(prompt("CA1"))
    assert not journal.flush(timeout=0.3)
    assert journal.fault == "FileExistsError"
    (tmp_path / "data").unlink()
    assert journal.flush()
    assert journal.healthy
    assert journal.close()


def test_a_log_that_nobody_reads_any_more_does_not_end_the_record(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    program = (
        "import os, pathlib, sys\n"
        "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1)\n"
        "from compliance.journal import Journal, journal_url\n"
        "from tests.compliance.test_journal import prompt\n"
        "data = pathlib.Path(sys.argv[1])\n"
        "journal = Journal(journal_url(data)); journal.record(prompt('CA1'))\n"
        "journal.flush(0.3); assert journal.fault; data.unlink()\n"
        "os._exit(0 if journal.flush() else 1)\n"
    )
    asked = subprocess.run([sys.executable, "-c", program, str(tmp_path / "data")], check=False)
    assert asked.returncode == 0
    assert len(read(journal_url(tmp_path / "data"), "CA1")) == 1


def test_what_overflows_is_told_in_the_record_of_its_call(
    url: str, journal: Journal, locked: sqlite3.Connection
) -> None:
    small = Journal(url, capacity=5)
    for n in range(8):
        small.record(prompt("CA1", n))
    small.record(prompt("CA2", 8))
    locked.execute("ROLLBACK")
    assert small.flush()
    small.record(prompt("CA1", 9))
    assert small.close()
    first = read(url, "CA1")
    assert [event.turn for event in first] == [0, 1, 2, 3, 4, 7, 9]
    assert first[5].kind is Kind.EVENTS_LOST
    assert first[5].facts == {"count": 3}
    assert [event.kind for event in read(url, "CA2")] == [Kind.EVENTS_LOST]


@pytest.mark.parametrize("facts", [{"text": "\ud800"}, {"text": object()}])
def test_an_event_that_cannot_be_written_is_told_and_keeps_no_other_from_the_record(
    journal: Journal, url: str, facts: dict[str, Fact]
) -> None:
    journal.record(prompt("CA1", 1))
    journal.record(prompt("CA1", 2, **facts))
    journal.record(prompt("CA1", 3))
    assert journal.flush()
    assert sorted((event.turn, event.kind) for event in read(url, "CA1")) == [
        (1, Kind.PROMPT),
        (2, Kind.EVENTS_LOST),
        (3, Kind.PROMPT),
    ]


def test_recording_after_the_end_does_not_fail(url: str) -> None:
    journal = Journal(url)
    assert journal.close()
    journal.record(prompt("CA1"))
    assert read(url, "CA1") == []


def test_no_thread_is_left_behind(url: str) -> None:
    before = threading.active_count()
    assert Journal(url).close()
    assert threading.active_count() == before


def test_an_event_is_never_changed(journal: Journal, url: str) -> None:
    journal.record(prompt("CA1"))
    assert journal.flush()
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE events SET facts = '{}'")
    connection.close()


def test_the_record_is_nobody_elses_to_read(journal: Journal, url: str) -> None:
    journal.record(prompt("CA1"))
    assert journal.flush()
    path = Path(url.removeprefix("sqlite:///"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_migrations_make_exactly_the_tables_that_the_program_reads(journal: Journal, url: str) -> None:
    assert journal.flush()
    journal.record(prompt("CA1"))
    assert journal.flush()
    assert ScriptDirectory(str(migrations.HERE)).get_current_head() == tables.SCHEMA
    engine = create_engine(url)
    with engine.connect() as connection:
        ours = MigrationContext.configure(connection, opts={"compare_type": True})
        assert past_calls.metadata is tables.metadata  # the tables of all modules are compared
        assert compare_metadata(ours, tables.metadata) == []
    engine.dispose()


def test_a_journal_of_a_later_version_is_not_touched(journal: Journal, url: str) -> None:
    journal.record(prompt("CA1"))
    assert journal.close()
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    older = Journal(url)
    older.record(prompt("CA1"))
    assert not older.close(timeout=0.5)
    assert older.fault == "NewerJournal"
    assert len(read(url, "CA1")) == 1


def test_without_a_journal_the_reader_says_where_it_looked(url: str) -> None:
    with pytest.raises(NoJournal, match=r"data/journal\.sqlite.*FIVEGATES_DATA"):
        Record(url)


def test_an_empty_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(NoJournal):
        Record(journal_url(tmp_path))


def test_a_file_that_is_something_else_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(os.urandom(5_000))
    with pytest.raises(JournalUnreadable):
        Record(journal_url(tmp_path))


def test_the_list_of_calls_says_the_newest_first(journal: Journal, url: str) -> None:
    announced: dict[str, Fact] = {"agent": "acme", "from": "+1", "to": "+2", "direction": "inbound"}
    journal.record(Event("CA1", START, Kind.CALL_ANNOUNCED, facts=announced | {"rehearsal": True}))
    journal.record(Event("CA1", START + 1, Kind.SESSION_STARTED))
    journal.record(Event("CA2", START + 2, Kind.SESSION_STARTED))  # a widget's call is not announced
    journal.record(Event("CA1", START + 3, Kind.TURN_STARTED, turn=1))
    journal.record(Event("CA1", START + 3, Kind.TURN_STARTED, turn=2, facts={"merged": True}))
    journal.record(Event("CA1", START + 4, Kind.CALL_ENDED, facts={"outcome": "resolved"}))
    assert journal.flush()
    with Record(url) as record:
        second, first = record.calls()
        assert record.calls(limit=1) == [second]
    assert (second.call_sid, second.agent, second.ended_at, second.outcome) == ("CA2", "", None, "")
    assert (first.call_sid, first.agent, first.caller, first.called) == ("CA1", "acme", "+1", "+2")
    assert (first.started_at, first.ended_at, first.outcome) == (START, START + 4, "resolved")
    assert first.rehearsal
    assert first.turns == 1
