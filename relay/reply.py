"""One reply: what a model says, through speech cleaner and guard, tools in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from compliance.events import Fact, Kind
from policies import claims
from policies.gates import Gates
from policies.guard.guard import Guard, Ruling
from policies.speech import Echo, SpeechCleaner
from relay.caller import Caller
from relay.clock import Clock
from relay.llm.port import (
    Attempt,
    AttemptEvent,
    Finish,
    LanguageModel,
    Message,
    ModelError,
    Request,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from relay.step import Turn
from relay.tell import Tell
from relay.tools import NEEDS_NO_ANSWER, Toolbox

MOST_ROUNDS = 4  # times a model is asked in one turn: three with tools, and one that has to answer


@dataclass(slots=True)
class Replying:
    """The reply of one turn, as it comes into being. One guard judges it: it is played back to back."""

    model: LanguageModel
    toolbox: Toolbox
    gates: Gates
    caller: Caller
    language: str
    clock: Clock
    tell: Tell
    turn: Turn
    running: list[str] = field(default_factory=list)  # tools, while they run
    before: list[str] = field(default_factory=list)  # what was said already, and is not said again
    answered_by: str = ""  # the model whose words these are
    _permitted: set[str] = field(default_factory=set)

    async def rulings(self, request: Request) -> AsyncGenerator[Ruling]:
        """Raises `ModelError`. Leaving it closes the model's stream."""
        self._permit()
        guard = Guard(self.gates.rulebook, self.language, self.caller.known.canaries, self._permitted)
        spoken = False
        for number in range(1, MOST_ROUNDS + 1):
            said: list[str] = []
            calls: list[ToolCall] = []
            if number == MOST_ROUNDS:
                request = replace(request, tools=())
            async with aclosing(self._streamed(request, guard, said, calls)) as rulings:
                async for ruling in rulings:
                    yield ruling
            spoken = spoken or bool("".join(said).strip())
            self.before.append("".join(said))
            request = replace(request, messages=(*request.messages, *await self._results(said, calls)))
            if not calls or (spoken and NEEDS_NO_ANSWER.issuperset(call.name for call in calls)):
                break
            if self.caller.ending or self.caller.requested:
                break
            for ruling in guard.feed(" ") if said else ():
                yield ruling
        for ruling in (*guard.arm(self.caller.known.canaries), *guard.finish()):
            yield ruling

    def _judged(self, guard: Guard, text: str) -> tuple[Ruling, ...]:
        """What is known of the caller may have arrived since the reply began."""
        return (*guard.arm(self.caller.known.canaries), *guard.feed(text))

    async def _results(
        self, said: Sequence[str], calls: Sequence[ToolCall]
    ) -> tuple[Message | ToolResult, ...]:
        """What follows in the request: the calls as the model made them, and a result for each."""
        if not calls:
            return ()
        self.running[:] = [call.name for call in calls]
        try:
            async with asyncio.TaskGroup() as together:
                tasks = [together.create_task(self.toolbox.run(call)) for call in calls]
        finally:
            self.running.clear()
        self._permit()
        results: list[ToolResult] = []
        for call, task in zip(calls, tasks, strict=True):
            outcome = task.result()
            self.tell(Kind.TOOL_CALLED, self.turn.number, tool=call.name[:64], says=outcome.says)
            results.append(ToolResult(call.id, outcome.text))
        return (Message("assistant", "".join(said), tuple(calls)), *results)

    def _permit(self) -> None:
        """What is confirmed by now may be said."""
        self._permitted |= claims.permitted(self.gates.claims, self.caller.may_claim)

    async def _streamed(
        self, request: Request, guard: Guard, said: list[str], calls: list[ToolCall]
    ) -> AsyncGenerator[Ruling]:
        """Model → speech cleaner → guard, once."""
        cleaner, echo = SpeechCleaner(self.language), Echo(self.before)
        asked = self.clock()
        self.answered_by = self.model.name
        facts: dict[str, Fact] = {"finish": "abandoned"}  # unless it finishes
        kind = Kind.MODEL_ANSWERED
        try:
            async with self.model.stream(request) as parts:
                async for part in parts:
                    match part:
                        case Text(text):
                            facts.setdefault("first_token_ms", _ms(self.clock() - asked))
                            said.append(text)
                            for ruling in self._judged(guard, cleaner.feed(echo.feed(text))):
                                yield ruling
                        case ToolCall() if request.tools:
                            calls.append(part)
                        case ToolCall(name=name):
                            facts["ignored_tool"] = name[:64]  # no tool was offered
                        case Usage(input_tokens, output_tokens, cached_tokens):
                            facts |= {"input_tokens": input_tokens, "output_tokens": output_tokens}
                            facts["cached_tokens"] = cached_tokens
                            used = (input_tokens, output_tokens, cached_tokens)
                            if (cost := self.caller.usage.add(self.answered_by, *used)) is not None:
                                facts["cost"] = round(cost, 6)
                        case Finish(reason):
                            facts["finish"] = reason
                        case Attempt():
                            self._attempted(part, len(request.messages))
            rest = cleaner.feed(echo.finish()) + cleaner.finish()
            for ruling in self._judged(guard, rest):
                yield ruling
        except ModelError as error:
            kind = Kind.MODEL_FAILED
            self.answered_by = error.model
            facts |= {"failure": error.failure, "detail": error.detail}
            raise
        finally:
            took = _ms(self.clock() - asked)
            self.tell(kind, self.turn.number, model=self.answered_by, **facts, total_ms=took)

    def _attempted(self, attempt: Attempt, messages: int) -> None:
        """Which model was asked, and what became of it."""
        number, model = self.turn.number, attempt.model
        match attempt.event:
            case AttemptEvent.ASKED | AttemptEvent.HEDGED | AttemptEvent.FELL_BACK:
                after = _ms(self.clock() - self.turn.heard_at)
                why = attempt.event
                self.tell(Kind.MODEL_ASKED, number, model=model, messages=messages, after_ms=after, why=why)
            case AttemptEvent.WON:
                self.answered_by = model
            case AttemptEvent.LOST:
                self.tell(Kind.MODEL_ANSWERED, number, model=model, finish=attempt.event)
            case AttemptEvent.FAILED | AttemptEvent.SKIPPED:
                failure = attempt.failure or attempt.event
                self.tell(Kind.MODEL_FAILED, number, model=model, failure=failure, detail=attempt.detail)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
