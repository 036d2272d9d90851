"""One utterance, top to bottom: gates, model, cleaner, guard, words on the wire."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import structlog

from compliance.events import Fact, Kind
from policies import context, handoff
from policies.guard.guard import Allowed, Blocked, Guard, Ruling
from policies.lines import Lines
from policies.speech import SpeechCleaner
from policies.vocabulary import Speaker, Utterance, masked
from relay.clock import Clock
from relay.cycle import Purpose
from relay.line import Line, LineLost
from relay.llm.port import (
    Finish,
    LanguageModel,
    Message,
    ModelError,
    ModelFailure,
    Request,
    Role,
    Text,
    ToolCall,
    Usage,
)
from relay.session import OutOfTurn, Session, Turn

MERGE_WINDOW = 0.15  # seconds from a final prompt in which no word is sent: the utterance may not be over
HOLD_AFTER = 1.5  # seconds from a final prompt without a word, after which the caller is asked to wait

log = structlog.get_logger()


class Tell(Protocol):
    """Record one event of this session in the journal."""

    def __call__(self, kind: Kind, turn: int = 0, **facts: Fact) -> None: ...


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers the turns of one session. `models` are asked in order, the next only before any word."""

    session: Session
    line: Line
    models: Sequence[LanguageModel]
    instructions: str
    language: str
    lines: Lines
    clock: Clock
    tell: Tell

    async def answer(self, turn: Turn) -> None:
        """Never raises, save for cancellation: whatever fails, the caller hears something."""
        self.tell(Kind.TURN_STARTED, turn.number, text=turn.text, merged=turn.merged)
        waiting = asyncio.create_task(self._hold_the_line(turn))
        try:
            reason = handoff.decide(self.session.history)
            self.tell(Kind.HANDOFF_RULED, turn.number, decision=reason or "go_on")
            facts = context.select()
            self.tell(
                Kind.CONTEXT_RULED, turn.number, entered=list(facts.entered), withheld=list(facts.withheld)
            )
            await self._speak(turn, self._request())
        except ModelError:
            await self._apologise(turn)
        except (OutOfTurn, LineLost):
            return
        except Exception as error:  # noqa: BLE001  - the turn boundary: a fault of ours must not be silence
            fault = type(error).__name__
            log.error("turn failed", turn=turn.number, error=fault, at=_where(error))  # noqa: TRY400
            self.tell(Kind.MODEL_FAILED, turn.number, failure="internal_error", detail=fault)
            await self._apologise(turn)
        finally:
            waiting.cancel()

    async def _speak(self, turn: Turn, request: Request) -> None:
        """Say the reply as far as the guard allows. Raises `ModelError` when no model could finish one."""
        for model in self.models[:-1]:
            try:
                return await self._speak_with(model, turn, request)
            except ModelError:
                if self.session.replying:
                    raise  # asking another would say it twice
        return await self._speak_with(self.models[-1], turn, request)

    async def _speak_with(self, model: LanguageModel, turn: Turn, request: Request) -> None:
        said, first_word_ms = "", 0
        async with aclosing(self._judged(model, turn, request)) as rulings:
            async for ruling in rulings:
                if not said:
                    await self._until(turn.heard_at + MERGE_WINDOW)
                    first_word_ms = _ms(self.clock() - turn.heard_at)
                match ruling:
                    case Allowed(text) if said or text.strip():
                        await self.line.say(turn.number, text)
                        said += text
                    case Blocked(rule, planned, say_instead):
                        await self.line.say(turn.number, say_instead, last=True)
                        self.tell(Kind.GUARD_RULED, turn.number, decision="block", rule=rule, planned=planned)
                        self._tell_said(turn, said + say_instead, first_word_ms)
                        return
        if not said:
            self.tell(Kind.MODEL_FAILED, turn.number, model=model.name, failure=ModelFailure.EMPTY)
            raise ModelError(model.name, ModelFailure.EMPTY)
        await self.line.close(turn.number)
        self.tell(Kind.GUARD_RULED, turn.number, decision="allow")
        self._tell_said(turn, said, first_word_ms)

    async def _judged(self, model: LanguageModel, turn: Turn, request: Request) -> AsyncGenerator[Ruling]:
        """Model → speech cleaner → guard; leaving it closes the model's stream."""
        cleaner, guard = SpeechCleaner(self.language), Guard()
        asked = self.clock()
        self.tell(
            Kind.MODEL_ASKED,
            turn.number,
            model=model.name,
            messages=len(request.messages),
            after_ms=_ms(asked - turn.heard_at),
        )
        facts: dict[str, Fact] = {"model": model.name, "finish": "abandoned"}  # unless it finishes
        kind = Kind.MODEL_ANSWERED
        try:
            async with model.stream(request) as parts:
                async for part in parts:
                    match part:
                        case Text(text):
                            facts.setdefault("first_token_ms", _ms(self.clock() - asked))
                            for ruling in guard.feed(cleaner.feed(text)):
                                yield ruling
                        case ToolCall(name=name):
                            facts["ignored_tool"] = name  # no tool was offered
                        case Usage(input_tokens, output_tokens, cached_tokens):
                            facts |= {"input_tokens": input_tokens, "output_tokens": output_tokens}
                            facts["cached_tokens"] = cached_tokens
                        case Finish(reason):
                            facts["finish"] = reason
            for ruling in (*guard.feed(cleaner.finish()), *guard.finish()):
                yield ruling
        except ModelError as error:
            kind = Kind.MODEL_FAILED
            facts |= {"failure": error.failure, "detail": error.detail}
            raise
        finally:
            self.tell(kind, turn.number, **facts, total_ms=_ms(self.clock() - asked))

    async def _apologise(self, turn: Turn) -> None:
        """Close what was begun, or say what would else be silence: never a guess, never nothing."""
        try:
            await self._until(turn.heard_at + MERGE_WINDOW)
            words = self.lines.trouble
            if self.session.replying:
                words = f" {words}"
            await self.line.say(turn.number, words, Purpose.FALLBACK, last=True)
        except (OutOfTurn, LineLost):
            return
        self.tell(Kind.SAID, turn.number, text=self.lines.trouble, purpose=Purpose.FALLBACK)

    async def _hold_the_line(self, turn: Turn) -> None:
        """No dead air: ask the caller to wait when nothing has been said for a while."""
        await self._until(turn.heard_at + HOLD_AFTER)
        try:
            await self.line.fill(turn.number, self.lines.one_moment)
        except (OutOfTurn, LineLost):
            return
        self.tell(Kind.SAID, turn.number, text=self.lines.one_moment, purpose=Purpose.FILLER)

    async def _until(self, moment: float) -> None:
        if (wait := moment - self.clock()) > 0:
            await asyncio.sleep(wait)

    def _request(self) -> Request:
        return Request(self.instructions, messages(self.session.history), self.language)

    def _tell_said(self, turn: Turn, text: str, first_word_ms: int) -> None:
        purpose = Purpose.REPLY
        self.tell(Kind.SAID, turn.number, text=text.strip(), purpose=purpose, first_word_ms=first_word_ms)


def messages(history: Sequence[Utterance]) -> tuple[Message, ...]:
    """The history as a model takes it: the caller first, roles in turn, keys as they were pressed."""
    merged: list[Message] = []
    if history and history[0].speaker is Speaker.AGENT:
        merged.append(Message("user", "[The call begins.]"))
    for utterance in history:
        role: Role = "user" if utterance.speaker is Speaker.CALLER else "assistant"
        text = _with_keys(utterance) + (" —" if utterance.interrupted else "")
        if merged and merged[-1].role == role:
            text = f"{merged.pop().text} {text}"
        merged.append(Message(role, text))
    return tuple(merged)


def _with_keys(utterance: Utterance) -> str:
    text = utterance.text
    for keys in utterance.digits.split():
        text = text.replace(masked(keys), f"(keyed in: {keys})", 1)
    return text


def _where(error: BaseException) -> str:
    """File and line of a fault, for the log: its text may quote what somebody said."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
