"""One way to open a database: at its first use, brought up to date, and read without its lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from compliance import migrations
from compliance.briefs import Briefs
from compliance.database import Database, DatabaseUnavailable, raising
from compliance.do_not_call import DoNotCall
from compliance.follow_ups import CallbackState, FollowUps
from compliance.journal import journal_url
from compliance.sqlite import make_private
from compliance.tables import SCHEMA


class Elsewhere(Exception):
    pass


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path / "data")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url, lock_wait_ms=50)
    yield opened
    opened.close()


@pytest.fixture
def locked(url: str, database: Database) -> Iterator[sqlite3.Connection]:
    """Another program is writing, as a backup would."""
    with database.transaction():
        pass
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def at_version(url: str, revision: str, *statements: str) -> None:
    """A journal as an earlier version of the program left it."""
    make_private(Path(url.removeprefix("sqlite:///")))
    engine = create_engine(url)
    with engine.begin() as connection:
        older = Config(attributes={"connection": connection})
        older.set_main_option("script_location", str(migrations.HERE))
        command.upgrade(older, revision)
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_the_first_use_makes_the_file_private_and_brings_it_up_to_date(url: str, database: Database) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    assert not path.exists()
    with database.reading() as connection:
        assert migrations.version(connection) == SCHEMA
    assert path.stat().st_mode & 0o777 == 0o600


def test_several_open_a_new_file_at_once(url: str) -> None:
    databases = [Database(url) for _ in range(6)]

    def version(database: Database) -> str | None:
        with database.transaction() as connection:
            return migrations.version(connection)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(version, databases)) == [SCHEMA] * 6
    for database in databases:
        database.close()


def test_a_reader_waits_for_nobody_who_writes(database: Database, locked: sqlite3.Connection) -> None:
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pauses")) == 0
    with pytest.raises(DatabaseUnavailable, match="OperationalError"), database.transaction():
        pass


def test_a_reader_keeps_nobody_from_writing(database: Database, url: str) -> None:
    other = Database(url, lock_wait_ms=50)
    with database.reading() as connection:
        connection.execute(text("SELECT count(*) FROM pauses"))
        with other.transaction() as writing:
            writing.execute(text("INSERT INTO follow_up_history VALUES (1, 1, 1.0, '', 'opened', '')"))
    other.close()


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    twice = "INSERT INTO follow_up_history VALUES (1, 1, 1.0, '', 'opened', ''), (1, 1, 1.0, '', 'done', '')"
    once = "INSERT INTO follow_up_history VALUES (2, 1, 1.0, '', 'opened', '')"

    def both() -> None:
        with database.transaction() as connection:
            connection.execute(text(once))
            connection.execute(text(twice))

    with pytest.raises(DatabaseUnavailable, match="IntegrityError"):
        both()
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM follow_up_history")) == 0


def test_a_fault_has_the_name_of_the_store_and_quotes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    database = Database(f"sqlite:///{tmp_path}/file/journal.sqlite")
    with pytest.raises(Elsewhere) as away, raising(Elsewhere), database.transaction():
        pass
    assert str(away.value) == "FileExistsError"
    database.close()


def test_what_an_earlier_version_kept_is_still_there(url: str, database: Database) -> None:
    at_version(
        url,
        "0004",
        """INSERT INTO follow_ups (key, call_sid, agent, kind, reason, owner, language, number, note,
           created_at, due_at, told, done_at, done_by) VALUES
           ('CA1:callback', 'CA1', 'acme', 'callback', 'silence', '', 'en-US', '', '', 1, 2, '', NULL, ''),
           ('CA2:callback', 'CA2', 'acme', 'callback', 'silence', 'Kim', 'en-US', '', '', 1, 2, '', 3, 'Kim')
        """,
        """INSERT INTO briefs VALUES ('r1', 'CA1', 'acme', 'en-US', '{}', 5.0, '{"brief_right"\\: false}'),
           ('r2', 'CA2', 'acme', 'en-US', '{}', 6.0, '{}')""",
        "INSERT INTO do_not_call VALUES ('+15550100002', 'call', 1.0)",
    )
    pending, made = reversed(FollowUps(database).list())
    assert (pending.nth, pending.owner, pending.callback) == (1, "unassigned", CallbackState.REQUESTED)
    assert (made.state, made.callback) == ("done", CallbackState.DONE)
    assert FollowUps(database).open(pending) == pending  # still the same key
    first, second = Briefs(database).load("r1"), Briefs(database).load("r2")
    assert first is not None
    assert second is not None
    assert (first.answers, first.answered_at) == ({"brief_right": False}, {"brief_right": 5.0})
    assert second.answers == {}
    assert DoNotCall(database).forbids("+15550100002", "acme")


@pytest.mark.parametrize("table", ["pauses", "follow_up_history", "brief_answers"])
def test_history_is_appended_and_never_changed(database: Database, url: str, table: str) -> None:
    rows = {
        "pauses": "(1, 'acme', 1, '', 'Kim', '', 1.0)",
        "follow_up_history": "(1, 1, 1.0, 'Kim', 'done', '')",
        "brief_answers": "(1, 'r1', 'brief_right', 1, 1.0)",
    }
    with database.transaction() as connection:
        connection.execute(text(f"INSERT INTO {table} VALUES {rows[table]}"))  # noqa: S608  - ours
    other = sqlite3.connect(url.removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        other.execute(f"UPDATE {table} SET id = 2")  # noqa: S608
    other.close()
