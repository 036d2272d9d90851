"""A side effect is done once and labelled rightly, however it fails and however often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import httpx
import pytest

from compliance.delivery import Delivery, Schedule
from compliance.journal import journal_url
from compliance.outbox import Outbox, State
from compliance.spool import Spool
from policies.agent_tools import Tool
from policies.vocabulary import NextAction
from relay.action_http import HttpTool, contains
from relay.action_python import NoSuchFunction, PythonTool, load
from relay.actions import Actions, ActionSender, Declared, InCall, Result
from relay.llm.port import ToolCall

SCHEDULE = Schedule(attempts=4, first=0.05, factor=1.0, check_after=0.0, checks=2, look=0.2)


class Does(StrEnum):
    """What the booking server does with a request."""

    WELL = "books and answers"
    LATE = "books and answers too late"
    FAILS_AFTER = "books and answers 500"
    FAILS_BEFORE = "answers 500"
    BUSY = "answers 429"
    REFUSES = "answers 422"
    LIES = "answers 200 and books nothing"


@dataclass
class Bookings:
    """A booking server that keeps its idempotency keys, as `httpx.MockTransport` asks it."""

    does: list[Does]
    late: asyncio.Event = field(default_factory=asyncio.Event)
    booked: dict[str, bytes] = field(default_factory=dict)  # by idempotency key
    requests: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"status": "booked" if self.booked else "free"})
        self.requests.append(request)
        does = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        answers = {
            Does.FAILS_BEFORE: httpx.Response(500),
            Does.BUSY: httpx.Response(429, headers={"Retry-After": "0"}),
            Does.REFUSES: httpx.Response(422, json={"error": "taken"}),
            Does.LIES: httpx.Response(200, json={"id": 1}),
        }
        if does in answers:
            return answers[does]
        self.booked.setdefault(request.headers["Idempotency-Key"], request.content)
        if does is Does.LATE:
            raise httpx.ReadTimeout("too late", request=request)
        return httpx.Response(500) if does is Does.FAILS_AFTER else httpx.Response(200, json={"id": 7})


def tool(*, reads_back: bool = True, **more: object) -> Tool:
    fields: dict[str, object] = {
        "name": "book",
        "description": "books",
        "url": "https://booking.example/slots",
        "timeout": "2s",
        "parameters": {
            "type": "object",
            "properties": {"slot": {"type": "string"}, "people": {"type": "integer"}},
            "required": ["slot"],
            "additionalProperties": False,
        },
        **more,
    }
    if reads_back:
        fields["read_back"] = {"url": "https://booking.example/slots/{slot}", "expect": {"status": "booked"}}
    return Tool.model_validate(fields)


@dataclass
class Bench:
    actions: Actions
    delivery: Delivery
    outbox: Outbox
    declared: Declared
    by: InCall

    async def asks(self, arguments: str = '{"slot": "ten"}') -> Result:
        return await self.actions.run(
            ToolCall("call_1", "book", arguments), self.declared, self.delivery, self.by
        )

    async def until(self, true: Callable[[], bool]) -> None:
        """Until the delivery has said so."""
        (action,) = self.by.actions.values()
        async with asyncio.timeout(10):
            while not true():
                action.changed.clear()
                await action.changed.wait()


@asynccontextmanager
async def bench(
    data: Path, does: Sequence[Does], spec: Tool | None = None
) -> AsyncIterator[tuple[Bench, Bookings]]:
    server = Bookings(list(does))
    loop = asyncio.get_running_loop()
    outbox = Outbox(journal_url(data))
    await asyncio.to_thread(outbox.intend_all, ())  # the schema is there
    actions = Actions(loop.time)
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
        receiver = HttpTool(http, spec or tool())
        declared = Declared(receiver.tool, receiver, "tool:acme:book")
        sender = ActionSender(receiver, receiver.tool.read_back is not None, actions.answered)
        schedule = Schedule(**{**{f: getattr(SCHEDULE, f) for f in SCHEDULE.__slots__}, "intend": 5.0})
        delivery = Delivery(
            outbox,
            Spool(data / "actions.spool"),
            {declared.channel: sender},
            loop.time,
            actions.told,
            jitter=lambda: 0.5,
            schedule=schedule,
        )
        running = asyncio.create_task(delivery.run())
        try:
            yield Bench(actions, delivery, outbox, declared, InCall("CA1", 1, "acme", set(), {})), server
        finally:
            running.cancel()
            await asyncio.wait([running])
            outbox.close()


@pytest.mark.parametrize(
    ("does", "attempts"),
    [
        ([Does.WELL], 1),
        ([Does.LATE, Does.WELL], 2),
        ([Does.LATE, Does.LATE, Does.WELL], 3),
        ([Does.FAILS_AFTER, Does.WELL], 2),
        ([Does.FAILS_BEFORE, Does.WELL], 2),
        ([Does.BUSY, Does.WELL], 2),
    ],
)
async def test_there_is_one_booking_and_it_is_correct(
    tmp_path: Path, does: list[Does], attempts: int
) -> None:
    async with bench(tmp_path, does) as (it, server):
        result = await it.asks()
        assert '"done":true' in result.text
        assert not result.failed
        assert it.by.may_claim == {"book"}
        assert len(server.booked) == 1
        assert len(server.requests) == attempts
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
        (entry,) = await asyncio.to_thread(it.outbox.of_call, "CA1")
        assert (entry.state, entry.verification) == (State.CONFIRMED, NextAction.CORRECT)


async def test_asking_again_with_the_same_meaning_books_nothing_again(tmp_path: Path) -> None:
    async with bench(tmp_path, [Does.WELL]) as (it, server):
        await it.asks('{"slot": "ten", "people": 2}')
        again = await it.asks('{"people": 2.0, "slot": " ten "}')
        assert '"done":true' in again.text
        assert again.says == "confirmed, correct, asked for again: not repeated"
        assert len(server.requests) == len(server.booked) == 1
        await it.asks('{"slot": "eleven", "people": 2}')
        assert len(server.booked) == 2


async def test_a_barge_in_leaves_the_action_running_and_asking_again_finds_it(tmp_path: Path) -> None:
    async with bench(tmp_path, [Does.WELL]) as (it, server):
        asking = asyncio.create_task(it.asks())
        await asyncio.sleep(0)  # it has begun
        asking.cancel()
        await asyncio.wait([asking])
        assert '"done":true' in (await it.asks()).text
        assert len(server.requests) == 1


async def test_what_the_receiver_did_not_do_is_wrong_and_may_not_be_claimed(tmp_path: Path) -> None:
    async with bench(tmp_path, [Does.LIES]) as (it, _):
        result = await it.asks()
        assert '"done":false' in result.text
        assert result.failed
        assert it.by.may_claim == set()
        (action,) = it.by.actions.values()
        assert action.verification is NextAction.WRONG


async def test_a_refusal_is_told_at_once_and_never_tried_again(tmp_path: Path) -> None:
    async with bench(tmp_path, [Does.REFUSES]) as (it, server):
        assert '"done":false' in (await it.asks()).text
        assert len(server.requests) == 1
        assert it.by.may_claim == set()


async def test_without_a_read_back_an_answer_confirms_but_nothing_is_correct(tmp_path: Path) -> None:
    async with bench(tmp_path, [Does.WELL], tool(reads_back=False)) as (it, _):
        result = await it.asks()
        assert '"done":true' in result.text
        assert it.by.may_claim == {"book"}
        (action,) = it.by.actions.values()
        assert action.verification is NextAction.UNVERIFIED


async def test_what_is_not_known_in_time_is_not_said_to_be_done_and_comes_true_later(tmp_path: Path) -> None:
    spec = tool(timeout="50ms")
    async with bench(tmp_path, [Does.LATE, Does.LATE, Does.LATE, Does.WELL], spec) as (it, server):
        result = await it.asks()
        assert '"done":"unknown"' in result.text
        assert it.by.may_claim == set()
        (action,) = it.by.actions.values()
        await it.until(lambda: action.proven)
        assert len(server.booked) == 1
        assert it.by.may_claim == {"book"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{", "the arguments are not a JSON object"),
        ("[1]", "the arguments are not a JSON object"),
        ("{}", "arguments breaks required"),
        ('{"slot": 5}', "slot breaks type"),
        ('{"slot": "ten", "who": "me"}', "arguments breaks additionalProperties"),
    ],
)
async def test_arguments_that_do_not_fit_reach_nobody(tmp_path: Path, arguments: str, says: str) -> None:
    async with bench(tmp_path, [Does.WELL]) as (it, server):
        assert says in (await it.asks(arguments)).text
        assert server.requests == []


async def test_a_tool_without_a_side_effect_is_asked_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    spec = tool(reads_back=False, side_effect=False)
    async with bench(tmp_path, [Does.FAILS_BEFORE], spec) as (it, server):
        assert (await it.asks()).failed
        assert len(server.requests) == 1
        assert "Idempotency-Key" not in server.requests[0].headers
        assert await asyncio.to_thread(it.outbox.of_call, "CA1") == ()


def test_what_is_expected_is_contained_in_the_answer() -> None:
    assert contains({"status": "booked", "more": 1}, {"status": "booked"})
    assert contains({"slots": [{"at": 9}, {"at": 10}]}, {"slots": [{"at": 10}]})
    assert not contains({"status": "free"}, {"status": "booked"})
    assert not contains({"paid": True}, {"paid": 1})


async def test_a_python_function_gets_its_arguments_by_name_and_the_key_if_it_takes_one() -> None:
    async def book(slot: str, idempotency_key: str) -> dict[str, str]:
        return {"slot": slot, "key": idempotency_key}

    def ask(slot: str) -> str:
        return f"{slot} is free"

    made = await PythonTool(book, "book", 1.0).call({"slot": "ten"}, "CA1:x:1")
    assert made.text == '{"slot":"ten","key":"CA1:x:1"}'
    assert (await PythonTool(ask, "ask", 1.0).call({"slot": "ten"}, "")).text == "ten is free"


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(NoSuchFunction, match="no_such_module:book"):
        load("no_such_module:book")
    with pytest.raises(NoSuchFunction, match="math:no_such"):
        load("math:no_such")
