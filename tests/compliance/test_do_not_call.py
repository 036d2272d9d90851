"""Who asked not to be called is not called, by whom they asked it of, until they change their mind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from compliance.database import Database
from compliance.do_not_call import EVERY_AGENT, DoNotCall, DoNotCallUnavailable
from compliance.journal import journal_url
from compliance.tables import do_not_call

NUMBER = "+15550100002"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(journal_url(tmp_path))
    yield opened
    opened.close()


def rows(database: Database) -> list[tuple[object, ...]]:
    table = do_not_call.c
    query = select(table.agent, table.source, table.call_sid, table.at, table.lifted_at, table.lifted_by)
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(table.id))]


def test_nobody_is_forbidden_who_has_not_asked(database: Database) -> None:
    DoNotCall(database).forbid(NUMBER, "call", 1.0)
    assert not DoNotCall(database).forbids("+15550100003")
    assert not DoNotCall(database).forbids("+15550100003", "acme")


def test_who_asked_all_of_us_is_called_by_none(database: Database) -> None:
    store = DoNotCall(database)
    store.forbid(NUMBER, "call", 1.0, call_sid="CA1")
    assert store.forbids(NUMBER)
    assert store.forbids(NUMBER, "acme")


def test_who_asked_one_agent_may_be_called_by_another(database: Database) -> None:
    store = DoNotCall(database)
    store.forbid(NUMBER, "call", 1.0, agent="acme")
    assert store.forbids(NUMBER, "acme")
    assert not store.forbids(NUMBER, "other")
    assert store.forbids(NUMBER, EVERY_AGENT)  # not every agent may call


def test_the_first_word_counts_and_is_kept_with_where_it_came_from(database: Database) -> None:
    store = DoNotCall(database)
    store.forbid(NUMBER, "call", 1.0, call_sid="CA1")
    store.forbid(NUMBER, "letter", 2.0)
    assert rows(database) == [("*", "call", "CA1", 1.0, None, "")]


def test_a_change_of_mind_holds_for_every_agent_and_leaves_its_trace(database: Database) -> None:
    store = DoNotCall(database)
    store.forbid(NUMBER, "call", 1.0)
    store.forbid(NUMBER, "call", 2.0, agent="acme")
    assert store.lift(NUMBER, "Kim", 3.0)
    assert not store.lift(NUMBER, "Lee", 4.0)
    assert not store.forbids(NUMBER)
    assert not store.forbids(NUMBER, "acme")
    assert [row[4:] for row in rows(database)] == [(3.0, "Kim")] * 2


def test_it_can_be_asked_again_after_a_change_of_mind(database: Database) -> None:
    store = DoNotCall(database)
    store.forbid(NUMBER, "call", 1.0)
    store.lift(NUMBER, "Kim", 2.0)
    store.forbid(NUMBER, "letter", 3.0)
    assert store.forbids(NUMBER)
    assert [row[3] for row in rows(database)] == [1.0, 3.0]


def test_several_processes_note_it_once(tmp_path: Path, database: Database) -> None:
    others = [Database(journal_url(tmp_path)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda other: DoNotCall(other).forbid(NUMBER, "call", 1.0), others))
    for other in others:
        other.close()
    assert len(rows(database)) == 1


def test_a_file_that_is_no_database_is_said_without_the_number(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    database = Database(journal_url(tmp_path))
    with pytest.raises(DoNotCallUnavailable) as away:
        DoNotCall(database).forbids(NUMBER)
    assert str(away.value) == "DatabaseError"
    database.close()
