"""What is spooled reaches the database once it is back: nothing lost, nothing doubled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from compliance.journal import journal_url
from compliance.outbox import Intent, Outbox, OutboxUnavailable
from compliance.spool import Spool, SpoolUnavailable, spool_path

INTENT = Intent(
    "CA1", "outcome", 1, "crm:csv", "acme", {"note": "안녕 “x”\n", "turns": 3}, 1_700_000_000.0, 2
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return spool_path(tmp_path / "data")


@pytest.fixture
def spool(path: Path) -> Spool:
    return Spool(path)


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    opened = Outbox(journal_url(path.parent))
    yield opened
    opened.close()


def drained(spool: Spool) -> list[Intent]:
    taken: list[Intent] = []
    spool.drain(taken.extend)
    return taken


def test_intents_come_out_as_they_went_in_and_only_once(spool: Spool) -> None:
    intents = [replace(INTENT, number=n) for n in range(3)]
    assert spool.is_empty()
    for intent in intents:
        spool.append(replace(intent, payload=MappingProxyType(dict(intent.payload))))
    assert not spool.is_empty()
    assert drained(spool) == intents
    assert spool.is_empty()
    assert drained(spool) == []


def test_what_the_database_does_not_take_stays(spool: Spool) -> None:
    def away(_: Sequence[Intent]) -> None:
        raise OutboxUnavailable("OperationalError")

    spool.append(INTENT)
    with pytest.raises(OutboxUnavailable):
        spool.drain(away)
    assert drained(spool) == [INTENT]


def test_what_arrives_while_it_is_drained_is_not_lost(spool: Spool, outbox: Outbox) -> None:
    def take(intents: Sequence[Intent]) -> None:
        outbox.intend_all(intents)
        if len(intents) == 1:
            spool.append(replace(INTENT, number=2))

    spool.append(INTENT)
    spool.drain(take)
    assert not spool.is_empty()
    spool.drain(take)
    assert spool.is_empty()
    assert [entry.number for entry in outbox.of_call("CA1")] == [1, 2]


def test_a_crash_after_the_commit_doubles_nothing(spool: Spool, path: Path, outbox: Outbox) -> None:
    spool.append(INTENT)
    before = path.read_bytes()
    spool.drain(outbox.intend_all)
    path.write_bytes(before)  # as if it had died before it could forget
    spool.drain(outbox.intend_all)
    assert len(outbox.of_call("CA1")) == 1


def test_a_line_cut_by_a_crash_takes_no_other_with_it(spool: Spool, path: Path) -> None:
    spool.append(INTENT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    spool.append(replace(INTENT, number=2))
    assert [intent.number for intent in drained(spool)] == [1, 2]
    aside = path.with_suffix(".unreadable")
    assert aside.read_bytes() == whole[: len(whole) // 2] + b"\n"
    assert aside.stat().st_mode & 0o777 == 0o600
    assert spool.is_empty()


def test_many_write_and_drain_at_once(spool: Spool, path: Path, outbox: Outbox) -> None:
    def put(number: int) -> None:
        mine = Spool(path)
        mine.append(replace(INTENT, number=number))
        mine.drain(outbox.intend_all)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(40)))
    spool.drain(outbox.intend_all)
    assert spool.is_empty()
    assert sorted(entry.number for entry in outbox.of_call("CA1")) == list(range(40))


def test_the_spool_is_nobody_elses_to_read(spool: Spool, path: Path) -> None:
    spool.append(INTENT)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SpoolUnavailable, match="FileExistsError"):
        Spool(spool_path(tmp_path / "data")).append(INTENT)


def test_a_disk_that_is_full_leaves_no_half_line(spool: Spool, path: Path) -> None:
    spool.append(INTENT)
    program = (
        "import pathlib, resource, sys\n"
        "from compliance.spool import Spool, SpoolUnavailable\n"
        "from tests.compliance.test_spool import INTENT\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "limit = path.stat().st_size + 10\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "try: Spool(path).append(INTENT)\n"
        "except SpoolUnavailable: sys.exit(7)\n"
    )
    before = path.read_bytes()
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 7
    assert path.read_bytes() == before
