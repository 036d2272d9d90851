"""One session from frame to frame: a real conversation and turn, with a model and a socket by hand.

Time is virtual: timers run at once, and only when nothing else can.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from compliance.events import Kind
from evaluation.clock import run_virtual
from policies.agent_file import AgentFile, parse
from policies.context import ContextRules
from policies.latency import STARTS_AFTER, speech_seconds
from policies.lines import lines
from relay.caller import Caller
from relay.clock import Clock, clock
from relay.conversation import Conversation, HungUp
from relay.floor import Floor
from relay.line import Line
from relay.llm.hedge import Backend, Hedged
from relay.llm.port import Message, ModelError, ModelFailure
from relay.recovering import recovery
from relay.session import Session
from relay.tools import Toolbox
from relay.turn import Responder
from relay.voice import MERGE_WINDOW
from tests.relay.fakes import FakeModel, Told
from tests.relay.running import ECHO

ENGLISH = lines("en")


@dataclass
class Wire:
    """The carrier's end of a socket: what it sends is put in, what it gets is kept with its time."""

    models: list[FakeModel]
    disclosed: bool = True
    file: AgentFile = field(default_factory=lambda: parse(ECHO))
    inbox: asyncio.Queue[str | HungUp] = field(default_factory=asyncio.Queue)
    sent: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    snapshots: int = 0
    now: Callable[[], float] = field(init=False)

    async def __aenter__(self) -> Wire:
        self.session = Session(disclosed=self.disclosed)
        self.changed = asyncio.Condition()
        now = clock()
        self.now = partial(_since, now(), now)
        self.recovery = recovery(self.file)
        floor = Floor(self.recovery.silence, "en-US", now)
        line = Line(self.session, self._written, floor)
        if not self.disclosed:
            await line.send(self.session.open_with("I am an AI.", "How can I help?", now()))
        toolbox = Toolbox(ContextRules(), (), Caller())
        model = Hedged([Backend(each) for each in self.models])
        responder = Responder(
            self.session, line, floor, model, "Be kind.", now, self.told, toolbox, self.recovery
        )
        conversation = Conversation(
            self.session, line, floor, responder, self._read, self._count, now, self.told
        )
        self.running = asyncio.create_task(conversation.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.inbox.put_nowait(HungUp(1000))
        assert await self.running == 1000

    async def _read(self) -> str:
        match await self.inbox.get():
            case HungUp() as end:
                raise end
            case frame:
                return frame

    async def _written(self, frame: str) -> None:
        async with self.changed:
            self.sent.append((self.now(), json.loads(frame)))
            self.changed.notify_all()

    def _count(self) -> None:
        self.snapshots += 1

    def says(self, text: str, *, last: bool = True) -> None:
        self.frame(type="prompt", voicePrompt=text, lang="en-US", last=last)

    def frame(self, **fields: object) -> None:
        self.inbox.put_nowait(json.dumps(fields))

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(true)

    async def cycles(self, count: int) -> list[str]:
        """The texts of the closed talk cycles, once there are so many."""
        await self.until(lambda: len(self.closed()) >= count)
        return self.closed()

    def closed(self) -> list[str]:
        texts: list[str] = []
        text = ""
        for _, frame in self.sent:
            text += frame["token"]
            if frame["last"]:
                texts.append(text)
                text = ""
        return texts


def _since(began: float, now: Clock) -> float:
    return now() - began


def virtual(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtual(test())

    run.__name__ = test.__name__
    return run


@virtual
async def test_a_prompt_is_answered_in_one_closed_cycle() -> None:
    model = FakeModel(["Forty-nine ", "dollars."])
    async with Wire([model]) as wire:
        wire.says("What does it cost?")
        assert await wire.cycles(1) == ["Forty-nine dollars."]
    assert [
        (message.role, message.text) for message in model.requests[0].messages if isinstance(message, Message)
    ] == [("user", "What does it cost?")]
    assert model.requests[0].instructions == "Be kind."
    assert wire.told.facts(Kind.GUARD_RULED) == [{"decision": "allow"}]


@virtual
async def test_partial_prompts_are_never_answered() -> None:
    model = FakeModel(["Yes."])
    async with Wire([model]) as wire:
        for part in ("What", "What does", "What does it"):
            wire.says(part, last=False)
        wire.says("What does it cost?")
        await wire.cycles(1)
    assert len(model.requests) == 1


@virtual
async def test_two_prompts_80_ms_apart_give_one_clean_answer() -> None:
    model = FakeModel(["Sure."])
    async with Wire([model]) as wire:
        wire.says("I want to")
        await asyncio.sleep(0.08)
        wire.says("cancel my contract.")
        assert await wire.cycles(1) == ["Sure."]
    assert len(wire.sent) == 2
    assert model.requests[-1].messages[-1].text == "I want to cancel my contract."
    assert model.closed == len(model.requests)


@virtual
async def test_words_wait_for_the_rest_of_the_utterance_but_the_model_does_not() -> None:
    model = FakeModel(["Sure."])
    async with Wire([model]) as wire:
        wire.says("Hello?")
        await wire.cycles(1)
        assert wire.sent[0][0] == pytest.approx(MERGE_WINDOW, abs=0.02)
    assert wire.told.facts(Kind.MODEL_ASKED)[0]["after_ms"] == 0


@virtual
async def test_a_barge_in_closes_the_cycle_and_the_models_stream_at_once() -> None:
    more = asyncio.Event()
    model = FakeModel(["One. ", more, "Two."])
    async with Wire([model]) as wire:
        wire.says("Count.")
        await wire.until(lambda: len(wire.sent) == 1)
        cut = wire.now()
        wire.frame(type="interrupt", utteranceUntilInterrupt="One.", durationUntilInterruptMs=300)
        assert await wire.cycles(1) == ["One."]
        assert wire.sent[-1][0] - cut < 0.2
        assert (model.closed, model.finished) == (1, 0)
        more.set()
        wire.says("Go on.")
        await wire.until(lambda: len(model.requests) == 2)
    assert [message.text for message in model.requests[1].messages] == ["Count.", "One. —", "Go on."]


@virtual
async def test_an_interrupt_without_a_prompt_is_normal() -> None:
    model = FakeModel(["One."])
    async with Wire([model]) as wire:
        wire.frame(type="interrupt", utteranceUntilInterrupt="", durationUntilInterruptMs=0)
        wire.says("Hello?")
        assert await wire.cycles(1) == ["One."]


FAILURES = [
    ModelError("fake/model", failure)
    for failure in (
        ModelFailure.UNREACHABLE,
        ModelFailure.BUSY,
        ModelFailure.SERVER_ERROR,
        ModelFailure.NO_FIRST_TOKEN,
        ModelFailure.REFUSAL,
    )
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: error.failure)
def test_a_model_that_fails_is_never_silence(error: ModelError) -> None:
    async def call() -> None:
        async with Wire([FakeModel([error])]) as wire:
            wire.says("Hello?")
            assert await wire.cycles(1) == [ENGLISH.trouble]
        assert wire.told.facts(Kind.MODEL_FAILED)[0]["failure"] == error.failure

    run_virtual(call())


@virtual
async def test_a_reply_that_breaks_is_closed_with_an_apology_and_never_asked_again() -> None:
    broken = FakeModel(["It costs forty-nine", ModelError("fake/model", ModelFailure.BROKEN_STREAM)])
    spare = FakeModel(["It costs forty-nine dollars."], name="fake/spare")
    async with Wire([broken, spare]) as wire:
        wire.says("Price?")
        assert await wire.cycles(1) == [f"It costs forty-nine {ENGLISH.trouble}"]
    assert spare.requests == []


@virtual
async def test_the_next_model_answers_when_the_first_never_began() -> None:
    down = FakeModel([ModelError("fake/model", ModelFailure.BUSY)])
    spare = FakeModel(["Forty-nine dollars."], name="fake/spare")
    async with Wire([down, spare]) as wire:
        wire.says("Price?")
        assert await wire.cycles(1) == ["Forty-nine dollars."]


@virtual
async def test_a_reply_of_nothing_but_markup_is_no_reply() -> None:
    async with Wire([FakeModel(["**", "**\n", "```\n", "x = 1\n```"])]) as wire:
        wire.says("Price?")
        assert await wire.cycles(1) == [ENGLISH.trouble]
    assert wire.told.facts(Kind.MODEL_FAILED)[0]["failure"] == ModelFailure.EMPTY


@virtual
async def test_a_fault_of_our_own_is_spoken_and_recorded_too() -> None:
    class Broken(FakeModel):
        def stream(self, request: object) -> Any:
            raise RuntimeError("a bug")

    async with Wire([Broken([])]) as wire:
        wire.says("Price?")
        assert await wire.cycles(1) == [ENGLISH.trouble]
    assert wire.told.facts(Kind.MODEL_FAILED) == [{"failure": "internal_error", "detail": "RuntimeError"}]


@virtual
async def test_a_late_model_is_waited_for_aloud() -> None:
    answer = asyncio.Event()
    async with Wire([FakeModel([answer, "Here it is."])]) as wire:
        wire.says("Price?")
        (first,) = await wire.cycles(1)
        assert first in ENGLISH.acknowledgements
        assert wire.sent[0][0] == pytest.approx(0.7, abs=0.02)
        answer.set()
        assert await wire.cycles(2) == [first, "Here it is."]


@virtual
async def test_a_caller_never_waits_two_seconds_in_silence_and_is_not_kept_for_ever() -> None:
    async with Wire([FakeModel([asyncio.Event()])]) as wire:
        wire.says("Price?")
        await wire.until(lambda: ENGLISH.trouble in wire.closed())
        cycles = wire.closed()
        assert cycles[0] in ENGLISH.acknowledgements
        assert set(cycles[1:-1]) <= {*ENGLISH.waiting, *ENGLISH.fallbacks}
        assert len(cycles) > 4
        assert all(one != other for one, other in pairwise(cycles))
    quiet = 0.0
    for at, frame in wire.sent:
        assert at - quiet <= 2.0
        quiet = max(quiet, at) + STARTS_AFTER + speech_seconds(frame["token"])
    assert wire.told.facts(Kind.MODEL_FAILED)[-1]["failure"] == "given_up"


@virtual
async def test_nothing_is_filled_in_while_the_reply_is_being_heard() -> None:
    rest = asyncio.Event()
    async with Wire([FakeModel(["Let me see. ", rest, "Done."])]) as wire:
        wire.says("Price?")
        await wire.until(lambda: len(wire.sent) == 1)
        await asyncio.sleep(2.0)
        rest.set()
        assert await wire.cycles(1) == ["Let me see. Done."]


@virtual
async def test_a_reply_that_stops_in_the_middle_is_closed_before_the_silence_is_long() -> None:
    async with Wire([FakeModel(["Your appointment is", asyncio.Event()])]) as wire:
        wire.says("When?")
        assert await wire.cycles(1) == [f"Your appointment is {ENGLISH.trouble}"]
        begun, closed = wire.sent[0][0], wire.sent[-1][0]
        assert closed - begun - STARTS_AFTER - speech_seconds("Your appointment is") <= 2.0


@virtual
async def test_what_is_said_during_the_disclosure_is_answered_after_it() -> None:
    model = FakeModel(["Forty-nine."])
    async with Wire([model], disclosed=False) as wire:
        assert wire.sent[0][1]["interruptible"] is False
        wire.frame(type="info", name="agentSpeaking", value="on")
        wire.says("Price?")
        wire.frame(type="dtmf", digit="1")
        await asyncio.sleep(0.5)
        assert model.requests == []
        wire.frame(type="info", name="tokensPlayed", value="I am an AI.")
        assert (await wire.cycles(3))[-1] == "Forty-nine."


@virtual
async def test_keys_are_masked_in_the_record_and_known_to_the_model() -> None:
    model = FakeModel(["Thank you."])
    async with Wire([model]) as wire:
        for key in "4111":
            wire.frame(type="dtmf", digit=key)
        assert await wire.cycles(1) == ["Thank you."]
    assert model.requests[0].messages[-1].text == "(keyed in: 4111)"
    assert "4111" not in repr(wire.told.events)
    assert wire.told.facts(Kind.TURN_STARTED)[0]["text"] == "[4 digits]"


@pytest.mark.parametrize("frame", ["this is not json", "[1]", "{}", '{"type":"mystery"}', "null"])
def test_a_malformed_frame_never_ends_a_call(frame: str) -> None:
    async def call() -> None:
        async with Wire([FakeModel(["Yes."])]) as wire:
            for _ in range(20):
                wire.inbox.put_nowait(frame)
            wire.says("Still there?")
            assert await wire.cycles(1) == ["Yes."]

    run_virtual(call())


@virtual
async def test_every_turn_and_everything_heard_asks_for_a_snapshot() -> None:
    async with Wire([FakeModel(["Yes."])]) as wire:
        wire.says("Hello?")
        await wire.cycles(1)
        assert wire.snapshots == 1
