"""What a call leaves behind for the next one of the same number."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.events import Event, Kind
from compliance.journal import Journal, journal_url
from compliance.past_calls import PastCall, PastCalls, PastCallsUnavailable

CALL = PastCall("CA1", "acme", "+15550100001", 100.0, "Asked about prices.")


@pytest.fixture
def past(tmp_path: Path) -> Iterator[PastCalls]:
    store = PastCalls(journal_url(tmp_path))
    yield store
    store.close()


def test_the_newest_call_of_the_number_to_this_agent_is_found(past: PastCalls) -> None:
    newer = replace(CALL, call_sid="CA2", ended_at=200.0, summary="Booked Tuesday.")
    for call in (newer, CALL, replace(newer, call_sid="CA3", agent="other", ended_at=300.0)):
        past.keep(call)
    assert past.latest("acme", CALL.caller) == newer
    assert past.latest("acme", "+15550100009") is None


def test_a_second_word_on_the_same_call_changes_nothing(past: PastCalls) -> None:
    past.keep(CALL)
    past.keep(replace(CALL, summary="Something else."))
    assert past.latest("acme", CALL.caller) == CALL


def test_two_stores_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [PastCalls(journal_url(tmp_path)) for _ in range(4)]
    keeping = [
        threading.Thread(target=store.keep, args=(replace(CALL, call_sid=f"CA{index}"),))
        for index, store in enumerate(stores)
    ]
    for thread in keeping:
        thread.start()
    for thread in keeping:
        thread.join()
    assert stores[0].latest("acme", CALL.caller) is not None
    for store in stores:
        store.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    store = PastCalls(journal_url(tmp_path))
    with pytest.raises(PastCallsUnavailable):
        store.latest("acme", CALL.caller)
    store.close()


def test_neither_number_nor_summary_stands_in_its_repr() -> None:
    assert "+1555" not in repr(CALL)
    assert "prices" not in repr(CALL)


def test_a_second_store_of_the_process_leaves_the_journal_its_locks(tmp_path: Path) -> None:
    """Or another process that reads the journal would take the log away from under it."""
    url = journal_url(tmp_path)
    journal = Journal(url)
    journal.record(Event("CA1", 1.0, Kind.CALL_ANNOUNCED))
    assert journal.flush()
    store = PastCalls(url)
    store.keep(CALL)
    read = f"from compliance.record import Record\nwith Record({url!r}) as r: print(len(r.events('CA1')))"
    assert subprocess.run([sys.executable, "-c", read], capture_output=True, text=True).stdout == "1\n"
    journal.record(Event("CA1", 2.0, Kind.CALL_ENDED))
    assert journal.flush()
    assert subprocess.run([sys.executable, "-c", read], capture_output=True, text=True).stdout == "2\n"
    store.close()
    journal.close()
