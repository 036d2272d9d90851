"""What a call leaves behind: a summary for the next, an outcome in the CRM, written once and read back."""

from __future__ import annotations

import asyncio
import csv as csv_file
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from compliance.delivery import Delivery, Schedule
from compliance.events import Kind
from compliance.journal import journal_url
from compliance.outbox import Entry, Outbox, State
from compliance.past_calls import PastCalls
from compliance.spool import Spool, spool_path
from crm_adapters.breaker import Breaker
from crm_adapters.csv import Csv
from crm_adapters.port import CrmUnavailable
from policies.agent_file import parse
from policies.context import Entry as Entered
from policies.context import Reason
from policies.facts import Fact, Trust
from policies.vocabulary import NextAction, Outcome
from relay import desks
from relay.aftercall import Aftercall, CrmSender, Ended, told
from relay.caller import Caller, Finding
from relay.clock import clock
from relay.lookup import Crm
from tests.relay.fakes import Told

NUMBER = "+15550100002"
ENDED = Ended(
    call_sid="CA1",
    session=1,
    agent="acme",
    language="en-US",
    region="US",
    number=NUMBER,
    outcome=Outcome.RESOLVED,
    next_action=NextAction.NOT_REQUIRED,
    turns=2,
    at=1000.0,
    channel="crm:acme",
    rehearsal=False,
)
AGENT = """
agent: {name: acme, numbers: ["+15550100001"]}
llm: [{provider: echo}]
context:
  crm: {adapter: csv, path: customers.csv, fields: {name: full_name}}
  must: [name]
  conditional: {previous_call_summary: {when: {returning: true}}}
"""


@dataclass
class House:
    after: Aftercall
    delivery: Delivery
    told: Told
    data: Path
    done: asyncio.Queue[tuple[Entry, State]] = field(default_factory=asyncio.Queue)

    def writes(self) -> list[dict[str, str]]:
        with open(self.data / "customers.writes.csv", encoding="utf-8", newline="") as file:
            return list(csv_file.DictReader(file))

    async def until(self, state: State, verification: NextAction) -> Entry:
        async with asyncio.timeout(20):
            while True:
                entry, now = await self.done.get()
                if (now, entry.verification) == (state, verification):
                    return entry


@asynccontextmanager
async def house(data: Path) -> AsyncIterator[House]:
    (data / "customers.csv").write_text(f"phone,full_name\n{NUMBER},Ada Lovelace\n")
    past, outbox = PastCalls(journal_url(data)), Outbox(journal_url(data))
    adapter = Csv(data / "customers.csv", {"name": "full_name"}, "US")
    done: asyncio.Queue[tuple[Entry, State]] = asyncio.Queue()

    def tell(entry: Entry, state: State, reason: str) -> None:
        done.put_nowait((entry, state))

    delivery = Delivery(
        outbox,
        Spool(spool_path(data)),
        {"crm:acme": CrmSender(adapter)},
        time.time,
        tell,
        jitter=lambda: 0.5,
        schedule=Schedule(check_after=0.01, intend=2.0),
    )
    running = asyncio.create_task(delivery.run())
    after = Aftercall(past, delivery)
    try:
        yield House(after, delivery, Told(), data, done)
    finally:
        await after.close()
        running.cancel()
        await asyncio.wait([running])
        past.close()
        outbox.close()


def spoken_to() -> Caller:
    fact = Fact("name", "Ada Lovelace", "csv", Trust.CRM)
    unused = Fact("interest", "heat pump", "csv", Trust.CRM)
    return Caller(
        intents=["booking"],
        heard=["Hi, my number is four one five five five five oh one two three, can I book?"],
        said=["Of course, Ms. Lovelace."],
        entered={"name": Entered(fact, Reason.MUST, 9), "interest": Entered(unused, Reason.MUST, 9)},
    )


async def test_the_outcome_is_written_once_and_found_correct(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.after.begin(ENDED, spoken_to(), it.told)
        entry = await it.until(State.CONFIRMED, NextAction.CORRECT)
        assert told(entry, State.CONFIRMED, "")["next_action"] == "correct"
        it.after.begin(ENDED, spoken_to(), it.told)
        await it.after.close()
        (written,) = it.writes()
        assert (written["key"], written["kind"], written["phone"]) == ("CA1:outcome:1", "outcome", NUMBER)
        assert "Wanted: booking." in written["facts"]


async def test_what_was_said_is_kept_without_its_numbers(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.after.begin(ENDED, spoken_to(), it.told)
    kept = next(event.facts for event in it.told.events if event.kind is Kind.CALL_SUMMARISED)
    assert kept["retention"] == "facts"
    assert "my number is [" in str(kept["text"])
    assert "four one five" not in str(kept["text"])
    used = next(event.facts for event in it.told.events if event.kind is Kind.CONTEXT_USED)
    assert (used["used"], used["unused"]) == (["name"], ["interest"])


async def test_the_next_call_of_the_number_knows_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        file = parse(AGENT, source=str(tmp_path / "acme.yaml"))
        desk = desks.open_desk(file, it.after.past, clock())
        before = await desk.find(NUMBER, "", it.told)
        assert (before.finding, before.returning) == (Finding.FOUND, False)
        it.after.begin(ENDED, spoken_to(), it.told)
        await it.after.close()
        known = await desk.find(NUMBER, "TN-Validation-Passed-A", it.told)
    assert known.returning is True
    facts = {fact.name: fact.value for fact in known.facts}
    assert facts["name"] == "Ada Lovelace"
    assert facts["previous_call_summary"].startswith("It was settled. Wanted: booking.")


@pytest.mark.parametrize(
    "ended",
    [replace(ENDED, rehearsal=True), replace(ENDED, number="anonymous"), replace(ENDED, channel=None)],
)
async def test_nothing_is_written_for_rehearsals_nobodies_and_without_a_crm(
    tmp_path: Path, ended: Ended
) -> None:
    async with house(tmp_path) as it:
        it.after.begin(ended, spoken_to(), it.told)
    assert not (tmp_path / "customers.writes.csv").exists()
    past = PastCalls(journal_url(tmp_path))
    assert (past.latest("acme", NUMBER) is not None) is (ended.channel is None)
    past.close()


async def test_what_is_left_to_do_becomes_a_follow_up(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        it.after.begin(replace(ENDED, next_action=NextAction.MISSING), spoken_to(), it.told)
        for _ in range(2):
            await it.until(State.CONFIRMED, NextAction.CORRECT)
        assert {row["kind"] for row in it.writes()} == {"outcome", "follow_up"}


@dataclass
class Failing:
    """A CRM that does as it is told to."""

    does: asyncio.Event | Exception
    name: str = "failing"

    async def find(self, phone: str, fields: object) -> object:
        if isinstance(self.does, Exception):
            raise self.does
        await self.does.wait()
        return None


async def test_a_crm_that_is_slow_or_down_costs_the_call_nothing_but_its_facts(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        file = parse(AGENT, source=str(tmp_path / "acme.yaml"))
        for does, detail in (
            (asyncio.Event(), "no answer within 0.02 s"),
            (CrmUnavailable("rate_limited", 30.0), "rate_limited"),
        ):
            crm = Crm(Failing(does), frozenset({"name"}), 0.02, Breaker(most=5))  # type: ignore[arg-type]
            desk = replace(desks.open_desk(file, it.after.past, clock()), crm=crm)
            known = await desk.find(NUMBER, "", it.told)
            assert (known.finding, known.facts) == (Finding.UNAVAILABLE, ())
            assert it.told.events[-1].facts["detail"] == detail
        known = await desk.find(NUMBER, "", it.told)
        assert it.told.events[-1].facts["detail"] == "not asked: it failed a moment ago"
