"""The agent files that ship: in order, and each takes a call without any key, in its language."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from compliance.events import Kind
from evaluation.call import plain
from evaluation.clock import run_virtual
from policies.agent_advice import advice, rule_faults
from policies.agent_file import AgentFile, choose, conflicts
from policies.context import to_fetch
from policies.gates import compile_gates
from policies.guard.guard import Allowed, judge
from policies.yaml_lines import read
from relay import agents, declared, desks, providers
from relay.llm import cues
from relay.settings import Settings
from tests.relay.running import public, running

FOLDER = agents.SHIPPED.parent
FILES = agents.load([FOLDER])
NO_KEYS = Settings()


@dataclass(frozen=True)
class Customer:
    """Somebody who calls one of them; `hidden` must not reach any record of the call."""

    agent: str
    number: str
    asks: Sequence[tuple[str, str]]  # what is said, and what has to be heard of the answer
    enters: Sequence[str] = ()
    hidden: Sequence[str] = ()


CUSTOMERS = [
    Customer(
        "demo",
        "+15550100009",
        [("What does the yearly check cost?", "forty-nine dollars"), ("Are you a robot?", "not a person")],
    ),
    Customer(
        "acme-sales",
        "+15550100002",
        [
            ("How much is the yearly check?", "The yearly check costs forty-nine dollars."),
            ("Can someone come on Friday?", "Would the morning or the afternoon suit you better?"),
            ("Thanks, that's all.", "goodbye"),
        ],
        enters=("name", "inquiry_source", "product_interest", "consent"),
        hidden=("000-12-3401", "Pays late."),
    ),
    Customer(
        "hanbit-support",
        "+8225550101",
        [
            ("세탁기가 안 돌아가요", "언제부터 그랬는지 말씀해 주시겠어요?"),
            ("출장비가 얼마예요", "출장 점검비는 이만 원이고"),
            ("상담원 연결해 주세요", "담당자와 통화하실 수 있도록"),
        ],
        enters=("name", "product", "purchased_on"),
        hidden=("991332-1000001", "환불을 자주 요구함"),
    ),
]


def named(name: str) -> AgentFile:
    return next(file for file in FILES if file.agent.name == name)


def list_of(fact: object) -> list[object]:
    assert isinstance(fact, list)
    return fact


def test_every_agent_that_ships_is_called_here() -> None:
    assert {file.agent.name for file in FILES} == {customer.agent for customer in CUSTOMERS}
    assert {"en-US", "ko-KR"} <= {language for file in FILES for language in file.agent.languages}


def test_the_folder_can_be_served_as_a_whole() -> None:
    assert conflicts(FILES) == ()
    for file in FILES:
        for number in file.agent.numbers:
            assert choose(FILES, number) is file
    assert choose(FILES, "+12125550199") is named("demo")  # whatever else is dialled


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.agent.name)
def test_it_is_in_order_without_a_fault_or_a_warning(file: AgentFile) -> None:
    assert rule_faults(file) == ()
    assert [*desks.faults([file]), *declared.faults([file]), *providers.faults([file], NO_KEYS)] == []
    assert advice(file, read(Path(file.source).read_text("utf-8"))) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.agent.name)
def test_every_answer_of_its_script_may_be_spoken(file: AgentFile) -> None:
    gates = compile_gates(file)
    for entry in file.llm:
        path = Path(file.source).parent / entry.script
        script = cues.read(path.read_text("utf-8"), path.name)
        for line in (*(cue.say for cue in script.cues), *script.otherwise.values()):
            assert judge(gates.rulebook, line, file.language) == (Allowed(line),), line


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.agent.name)
def test_every_field_of_it_is_given_by_its_customers(file: AgentFile) -> None:
    if file.context.crm is None:
        return
    given = {*file.context.crm.fields, *file.context.sources.parameters}
    given |= {name for facts in file.context.sources.dialled_number.values() for name in facts}
    assert {*to_fetch(file.context.rules())} <= given
    assert file.context.rules().canaries


@pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.agent)
def test_it_takes_a_call_without_any_key(tmp_path: Path, customer: Customer) -> None:
    file = named(customer.agent)
    dialled = next(iter(file.agent.numbers), "+12125550199")

    async def call() -> None:
        async with running(public(tmp_path), FILES) as server:
            phone = server.phone(caller=customer.number, called=dialled)
            async with phone.call() as call:
                await call.quiet()
                opening = f"{file.disclosure(file.language)} {file.greeting(file.language)}"
                assert plain(call.agent_text()) == plain(opening)
                for question, answer in customer.asks:
                    await call.say(question)
                    await call.quiet()
                    assert plain(answer) in plain(call.agent_text(call.answer_from))
            ruled = server.told.facts(Kind.CONTEXT_RULED)
            assert len(ruled) == len(customer.asks)
            for facts in ruled:
                assert {*customer.enters} <= {*map(str, list_of(facts["entered"]))}
            blocked = [facts for facts in server.told.facts(Kind.GUARD_RULED) if facts["decision"] != "allow"]
            assert blocked == []
            for value in customer.hidden:
                assert value not in repr(server.told.events)

    run_virtual(call())


def test_a_copy_of_the_folder_works_wherever_it_is_put(tmp_path: Path) -> None:
    copied = tmp_path / "my agents"
    shutil.copytree(FOLDER, copied)
    files = agents.load([copied])
    assert [file.agent.name for file in files] == [file.agent.name for file in FILES]
    assert [*desks.faults(files), *providers.faults(files, NO_KEYS)] == []
