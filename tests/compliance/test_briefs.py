"""A brief is found by its reference, and what the person said of it stays with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.briefs import Briefs, BriefsUnavailable, Question, StoredBrief
from compliance.database import Database
from compliance.journal import journal_url

BRIEF = StoredBrief("r1", "CA1", "acme", "ko-KR", '{"reason":"환불"}', 100.0)


@pytest.fixture
def briefs(tmp_path: Path) -> Iterator[Briefs]:
    database = Database(journal_url(tmp_path))
    yield Briefs(database)
    database.close()


def loaded(briefs: Briefs, ref: str = "r1") -> StoredBrief:
    found = briefs.load(ref)
    assert found is not None
    return found


def test_a_brief_is_read_as_it_was_kept(briefs: Briefs) -> None:
    briefs.keep(BRIEF)
    assert briefs.load("r1") == BRIEF
    assert briefs.load("r2") is None


def test_a_second_keep_replaces_the_body_and_no_answer(briefs: Briefs) -> None:
    briefs.keep(BRIEF)
    briefs.answer("r1", Question.BRIEF_RIGHT, yes=True, at=110.0)
    briefs.keep(replace(BRIEF, body='{"more":1}', created_at=200.0))
    found = loaded(briefs)
    assert (found.body, found.created_at) == ('{"more":1}', 100.0)
    assert found.answers == {Question.BRIEF_RIGHT: True}


def test_the_last_answer_to_a_question_counts(briefs: Briefs) -> None:
    briefs.keep(BRIEF)
    briefs.keep(replace(BRIEF, ref="r2"))
    assert briefs.answer("r1", Question.RIGHT_PERSON, yes=True, at=110.0)
    assert briefs.answer("r1", Question.ASKED_AGAIN, yes=False, at=111.0)
    assert briefs.answer("r1", Question.RIGHT_PERSON, yes=False, at=120.0)
    found = loaded(briefs)
    assert found.answers == {Question.RIGHT_PERSON: False, Question.ASKED_AGAIN: False}
    assert found.answered_at == {Question.RIGHT_PERSON: 120.0, Question.ASKED_AGAIN: 111.0}
    assert loaded(briefs, "r2").answers == {}


def test_there_is_no_answer_to_a_brief_that_is_not_there(briefs: Briefs) -> None:
    assert not briefs.answer("r9", Question.RIGHT_PERSON, yes=True, at=1.0)
    briefs.keep(replace(BRIEF, ref="r9"))
    assert loaded(briefs, "r9").answers == {}


def test_two_processes_keep_the_same_brief_at_once(tmp_path: Path) -> None:
    stores = [Briefs(Database(journal_url(tmp_path))) for _ in range(4)]
    databases = [store.database for store in stores]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: store.keep(BRIEF), stores))
    assert all(store.load("r1") == BRIEF for store in stores)
    for database in databases:
        assert isinstance(database, Database)
        database.close()


def test_the_body_stands_in_no_repr() -> None:
    assert "환불" not in repr(BRIEF)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    database = Database(journal_url(tmp_path))
    with pytest.raises(BriefsUnavailable, match="DatabaseError"):
        Briefs(database).load("r1")
    database.close()
