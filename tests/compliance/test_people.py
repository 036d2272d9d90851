"""The stop button, what calls left to do, and who must not be called: told once, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.controls import EVERY_AGENT, ControlStore, Order
from compliance.database import Database, DatabaseUnavailable
from compliance.follow_ups import FollowUp, FollowUpKind, FollowUps, FollowUpState, NoSuchFollowUp
from compliance.journal import journal_url

FRESH = 3600.0  # seconds, as the server looks back


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(journal_url(tmp_path))
    yield opened
    opened.close()


def left(**more: object) -> FollowUp:
    fields: dict[str, object] = {
        "id": 0,
        "call_sid": "CA1",
        "agent": "acme",
        "kind": FollowUpKind.CALLBACK,
        "reason": "explicit_request",
        "owner": "sales",
        "language": "en-US",
        "number": "+15550100002",
        "note": "wants a visit",
        "created_at": 100.0,
        "due_at": 200.0,
    }
    return FollowUp(**{**fields, **more})  # type: ignore[arg-type]


class TestTheStopButton:
    def test_an_agent_is_paused_until_it_is_resumed(self, database: Database) -> None:
        button = ControlStore(database)
        button.pause("acme", "duty", "Kim", "wrong prices", 1.0)
        pause = button.read().pause_of("acme")
        assert pause is not None
        assert (pause.to, pause.by, pause.reason) == ("duty", "Kim", "wrong prices")
        assert button.read().pause_of("other") is None
        button.resume("acme", "Kim", "mended", 3.0)
        assert button.read().pause_of("acme") is None

    def test_every_agent_can_be_paused_and_resumed_at_once(self, database: Database) -> None:
        button = ControlStore(database)
        button.pause("acme", None, "Kim", "", 1.0)
        button.pause(EVERY_AGENT, "duty", "Kim", "", 2.0)
        assert button.read().pause_of("any") is not None
        button.resume(EVERY_AGENT, "Kim", "", 4.0)
        assert button.read().paused == {}

    def test_an_order_is_taken_by_one_process_only(self, database: Database, tmp_path: Path) -> None:
        button, other = ControlStore(database), ControlStore(Database(journal_url(tmp_path)))
        number = button.order("CA1", "duty", end=False, by="Kim", reason="upset", at=1.0)
        (order,) = other.read().orders
        assert order == Order(number, "CA1", "duty", False, "Kim", "upset", 1.0)
        assert not button.taken(number)
        assert [button.take(order.id, "one", 2.0), other.take(order.id, "two", 2.0)] == [True, False]
        assert button.taken(number)
        assert other.read().orders == ()
        other.database.close()

    def test_an_old_order_is_for_no_call_of_today(self, database: Database) -> None:
        button = ControlStore(database)
        button.order("CA1", None, end=True, by="Kim", reason="", at=1.0)
        assert button.read(2.0 - FRESH).orders
        assert not button.read(10_000.0 - FRESH).orders


class TestFollowUps:
    def test_a_call_leaves_one_of_a_kind(self, database: Database) -> None:
        store = FollowUps(database)
        first = store.open(left())
        assert store.open(left(note="again")) == first
        store.open(left(kind=FollowUpKind.MISSED_SLA, due_at=150.0))
        assert [each.kind for each in store.list(FollowUpState.OPEN)] == [
            FollowUpKind.MISSED_SLA,
            FollowUpKind.CALLBACK,
        ]
        assert len(store.of_call("CA1")) == 2

    def test_it_has_an_owner_and_an_end(self, database: Database) -> None:
        store = FollowUps(database)
        kept = store.open(left())
        assert store.assign(kept.id, "Lee").owner == "Lee"
        assert [each.id for each in store.list(FollowUpState.OPEN, "Lee")] == [kept.id]
        done = store.done(kept.id, "Lee", 300.0)
        assert (done.open, done.done_by) == (False, "Lee")
        assert store.list(FollowUpState.OPEN) == ()
        assert store.list() == (done,)
        with pytest.raises(NoSuchFollowUp, match="no follow-up 99"):
            store.assign(99, "Lee")

    def test_the_number_is_in_no_repr(self) -> None:
        assert "+1555" not in repr(left())
        assert replace(left(), id=3).id == 3


def test_a_database_that_cannot_be_opened_is_named_without_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatabaseUnavailable) as away:
        ControlStore(Database(f"sqlite:///{tmp_path}/file/journal.sqlite")).read()
    assert str(tmp_path) not in str(away.value)
