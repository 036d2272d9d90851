"""What a call leaves to do has one owner at a time, a due time and an end, and is told once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.database import Database
from compliance.follow_ups import (
    CallbackState,
    FollowUp,
    FollowUpKind,
    FollowUps,
    FollowUpState,
    FollowUpsUnavailable,
    NoSuchFollowUp,
    Step,
    ToldOf,
)
from compliance.journal import journal_url

WANTED = FollowUp(
    id=0,
    call_sid="CA1",
    agent="acme",
    kind=FollowUpKind.OPEN_QUESTION,
    reason="explicit_request",
    owner="sales",
    language="en-US",
    number="+15550100002",
    note="wants a visit",
    created_at=100.0,
    due_at=200.0,
)
CALLBACK = replace(WANTED, kind=FollowUpKind.CALLBACK, consent="asked on the phone")
GRACE = 50.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[FollowUps]:
    database = Database(url)
    yield FollowUps(database)
    database.close()


def at_once(url: str, what: Callable[[FollowUps], object]) -> list[object]:
    """What six processes are answered that try the same."""
    databases = [Database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: what(FollowUps(each)), databases))
    for database in databases:
        database.close()
    return answers


class TestOpening:
    def test_it_is_kept_as_it_was_wanted(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        assert kept == replace(WANTED, id=kept.id)
        assert (kept.key, kept.state) == ("CA1:open_question:1", FollowUpState.OPEN)
        assert store.of_call("CA1") == (kept,)

    def test_a_second_word_on_the_same_changes_nothing(self, store: FollowUps) -> None:
        first = store.open(WANTED)
        assert store.open(replace(WANTED, note="again", owner="Lee")) == first
        assert len(store.history(first.id)) == 1

    def test_several_of_a_kind_are_told_apart_by_their_number(self, store: FollowUps) -> None:
        kept = [store.open(WANTED), store.open(replace(WANTED, nth=2)), store.open(CALLBACK)]
        assert [each.key for each in store.of_call("CA1")] == [
            "CA1:open_question:1",
            "CA1:open_question:2",
            "CA1:callback:1",
        ]
        assert len({each.id for each in kept}) == 3

    def test_several_processes_open_one(self, url: str, store: FollowUps) -> None:
        assert len(set(at_once(url, lambda each: each.open(WANTED).id))) == 1
        assert len(store.list()) == 1

    @pytest.mark.parametrize("owner", ["", "  "])
    def test_none_is_without_an_owner(self, store: FollowUps, owner: str) -> None:
        with pytest.raises(ValueError, match="has an owner"):
            replace(WANTED, owner=owner)
        kept = store.open(WANTED)
        with pytest.raises(ValueError, match="has an owner"):
            store.assign(kept.id, owner, "Kim", 1.0)
        with pytest.raises(ValueError, match="has an owner"):
            store.move_on(kept.id, owner, 1.0)

    def test_neither_number_nor_note_stands_in_its_repr(self) -> None:
        assert "+1555" not in repr(WANTED)
        assert "visit" not in repr(WANTED)


class TestPeople:
    def test_it_goes_to_whom_it_is_assigned(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        assert store.assign(kept.id, "Lee", "Kim", 110.0).owner == "Lee"
        assert store.list(owner="sales") == ()
        assert [each.id for each in store.list(owner="Lee")] == [kept.id]

    def test_who_says_it_is_done_first_has_done_it(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        store.done(kept.id, "Lee", 300.0)
        done = store.done(kept.id, "Kim", 400.0)
        assert (done.state, done.done_by, done.done_at) == (FollowUpState.DONE, "Lee", 300.0)
        assert [step.what for step in store.history(kept.id)] == ["opened", "done"]

    def test_one_that_is_not_there_is_named(self, store: FollowUps) -> None:
        with pytest.raises(NoSuchFollowUp, match="no follow-up 99"):
            store.assign(99, "Lee", "Kim", 1.0)
        with pytest.raises(NoSuchFollowUp, match="no follow-up 99"):
            store.done(99, "Kim", 1.0)

    def test_the_list_begins_with_the_open_one_that_is_due_first(self, store: FollowUps) -> None:
        late = store.open(WANTED)
        soon = store.open(replace(WANTED, nth=2, due_at=150.0))
        done = store.done(store.open(replace(WANTED, nth=3)).id, "Kim", 120.0)
        assert store.list(FollowUpState.OPEN) == (soon, late)
        assert store.list(FollowUpState.OPEN, limit=1) == (soon,)
        assert store.list(FollowUpState.DONE) == (done,)
        assert store.list() == (done, soon, late)

    def test_it_is_known_who_did_what(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        store.told(kept.id, ToldOf.CREATED, 101.0)
        store.assign(kept.id, "Lee", "Kim", 110.0)
        store.assign(kept.id, "Lee", "Kim", 111.0)  # is theirs already
        store.move_on(kept.id, "boss", 300.0)
        store.done(kept.id, "boss", 310.0)
        assert store.history(kept.id) == (
            Step(100.0, "", "opened", "sales"),
            Step(101.0, "", "told", "created"),
            Step(110.0, "Kim", "assigned", "Lee"),
            Step(300.0, "", "moved on", "boss"),
            Step(310.0, "boss", "done", ""),
        )


class TestTelling:
    def test_its_owner_is_told_that_it_is_there_then_due_then_overdue(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        assert store.created() == (kept,)
        assert store.told(kept.id, ToldOf.CREATED, 101.0)
        assert store.created() == store.due(199.0) == store.overdue(249.0, GRACE) == ()
        assert [each.id for each in store.due(200.0)] == [kept.id]
        assert store.told(kept.id, ToldOf.DUE, 200.0)
        assert store.due(249.0) == ()
        assert [each.id for each in store.overdue(250.0, GRACE)] == [kept.id]
        assert store.told(kept.id, ToldOf.OVERDUE, 250.0)
        assert store.overdue(9_999.0, GRACE) == ()

    @pytest.mark.parametrize("what", [ToldOf.CREATED, ToldOf.DUE, ToldOf.OVERDUE])
    def test_each_is_told_by_one_process_only(self, url: str, store: FollowUps, what: ToldOf) -> None:
        kept = store.open(WANTED)
        told = at_once(url, lambda each: each.told(kept.id, what, 300.0))
        assert sorted(map(bool, told)) == [False] * 5 + [True]
        assert [step.detail for step in store.history(kept.id)[1:]] == [what.value]

    def test_nothing_is_told_late(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        assert store.told(kept.id, ToldOf.OVERDUE, 300.0)
        assert not store.told(kept.id, ToldOf.DUE, 301.0)
        assert not store.told(kept.id, ToldOf.CREATED, 301.0)

    def test_of_what_is_done_nothing_is_told(self, store: FollowUps) -> None:
        kept = store.done(store.open(WANTED).id, "Kim", 110.0)
        assert store.created() == store.due(999.0) == store.overdue(999.0, GRACE) == ()
        assert not store.told(kept.id, ToldOf.DUE, 999.0)
        assert store.move_on(kept.id, "boss", 999.0) is None

    def test_the_next_owner_has_the_grace_anew(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        store.told(kept.id, ToldOf.OVERDUE, 250.0)
        moved = store.move_on(kept.id, "boss", 260.0)
        assert moved is not None
        assert (moved.owner, moved.due_at) == ("boss", 200.0)
        assert store.due(270.0) == store.overdue(309.0, GRACE) == ()
        assert [each.owner for each in store.overdue(310.0, GRACE)] == ["boss"]

    def test_it_moves_on_once(self, url: str, store: FollowUps) -> None:
        kept = store.open(WANTED)
        moved = at_once(url, lambda each: each.move_on(kept.id, "boss", 300.0))
        assert sum(each is not None for each in moved) == 1

    def test_whoever_is_assigned_it_is_told_and_has_the_grace_anew(self, store: FollowUps) -> None:
        kept = store.open(WANTED)
        store.told(kept.id, ToldOf.OVERDUE, 250.0)
        store.assign(kept.id, "Lee", "Kim", 300.0)
        assert [each.owner for each in store.created()] == ["Lee"]
        assert store.overdue(349.0, GRACE) == ()
        assert [each.owner for each in store.overdue(350.0, GRACE)] == ["Lee"]

    def test_one_assigned_long_before_it_is_due_is_not_overdue(self, store: FollowUps) -> None:
        store.assign(store.open(WANTED).id, "Lee", "Kim", 101.0)
        assert store.overdue(249.0, GRACE) == ()
        assert len(store.overdue(250.0, GRACE)) == 1


class TestCallbacks:
    def test_a_callback_begins_as_requested_and_nothing_else_does(self, store: FollowUps) -> None:
        assert store.open(CALLBACK).callback is CallbackState.REQUESTED
        assert store.open(WANTED).callback is None

    def test_it_is_dialled_inside_its_window_only(self, store: FollowUps) -> None:
        kept = store.open(CALLBACK)
        assert store.callbacks(1e9) == ()
        planned = store.schedule(kept.id, 1_000.0, 2_000.0, "Asia/Seoul", "Kim", 110.0)
        assert planned is not None
        assert (planned.callback, planned.zone) == (CallbackState.SCHEDULED, "Asia/Seoul")
        assert (planned.window_start, planned.window_end) == (1_000.0, 2_000.0)
        assert store.callbacks(999.0) == store.callbacks(2_000.0) == ()
        assert store.callbacks(1_000.0) == (planned,)

    def test_one_process_dials(self, url: str, store: FollowUps) -> None:
        kept = store.open(CALLBACK)
        store.schedule(kept.id, 1_000.0, 2_000.0, "Asia/Seoul", "Kim", 110.0)
        was, becomes = CallbackState.SCHEDULED, CallbackState.DIALING
        dialled = at_once(url, lambda each: each.progress(kept.id, was, becomes, "", 1_000.0))
        (mine,) = [each for each in dialled if isinstance(each, FollowUp)]
        assert (mine.callback, mine.attempts) == (CallbackState.DIALING, 1)
        assert store.callbacks(1_000.0) == ()
        assert store.schedule(kept.id, 3_000.0, 4_000.0, "Asia/Seoul", "Kim", 1_001.0) is None

    def test_one_that_failed_is_open_and_can_be_planned_again(self, store: FollowUps) -> None:
        kept = store.open(CALLBACK)
        store.progress(kept.id, CallbackState.REQUESTED, CallbackState.DIALING, "", 120.0)
        failed = store.progress(kept.id, CallbackState.DIALING, CallbackState.FAILED, "", 130.0)
        assert failed is not None
        assert failed.open
        assert store.schedule(kept.id, 1_000.0, 2_000.0, "Asia/Seoul", "Kim", 140.0) is not None
        again = store.progress(kept.id, CallbackState.SCHEDULED, CallbackState.DIALING, "", 1_000.0)
        assert again is not None
        assert again.attempts == 2

    @pytest.mark.parametrize("end", [CallbackState.DONE, CallbackState.CANCELLED])
    def test_made_or_cancelled_it_is_nobodys_any_more(self, store: FollowUps, end: CallbackState) -> None:
        kept = store.open(CALLBACK)
        ended = store.progress(kept.id, CallbackState.REQUESTED, end, "Kim", 120.0)
        assert ended is not None
        assert (ended.state, ended.done_by, ended.done_at) == (FollowUpState.DONE, "Kim", 120.0)
        assert store.schedule(kept.id, 1_000.0, 2_000.0, "Asia/Seoul", "Kim", 140.0) is None
        with pytest.raises(ValueError, match="stays so"):
            store.progress(kept.id, end, CallbackState.REQUESTED, "Kim", 150.0)

    def test_what_a_person_has_done_is_not_dialled(self, store: FollowUps) -> None:
        kept = store.open(CALLBACK)
        store.schedule(kept.id, 1_000.0, 2_000.0, "Asia/Seoul", "Kim", 110.0)
        assert store.done(kept.id, "Kim", 900.0).callback is CallbackState.DONE
        assert store.callbacks(1_000.0) == ()

    def test_a_window_ends_after_it_begins(self, store: FollowUps) -> None:
        with pytest.raises(ValueError, match="after it begins"):
            store.schedule(store.open(CALLBACK).id, 2.0, 2.0, "Asia/Seoul", "Kim", 1.0)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    database = Database(journal_url(tmp_path))
    with pytest.raises(FollowUpsUnavailable, match="DatabaseError"):
        FollowUps(database).open(WANTED)
    database.close()
