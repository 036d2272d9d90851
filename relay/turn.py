"""One utterance, top to bottom: gates, model, cleaner, guard, words on the wire."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from compliance.events import Kind
from policies import claims, context, context_text, handoff
from policies.context import Context
from policies.gates import Gates
from policies.guard.canaries import PREFIX
from policies.guard.guard import Allowed, Blocked, Noted, Redacted, judge
from policies.guard.rules import Action
from policies.lines import Lines
from policies.vocabulary import EscalationReason
from relay.actions import so_far
from relay.asking import messages
from relay.caller import Caller, Finding
from relay.clock import Clock
from relay.cycle import Purpose
from relay.line import Line, LineLost
from relay.llm.port import (
    LanguageModel,
    ModelError,
    ModelFailure,
    Request,
)
from relay.messages import handoff_data
from relay.reply import Replying
from relay.session import OutOfTurn, Session, Turn
from relay.tell import Tell
from relay.tools import Toolbox

MERGE_WINDOW = 0.15  # seconds from a final prompt in which no word is sent: the utterance may not be over
HOLD_AFTER = 1.5  # seconds from a final prompt without a word, after which the caller is asked to wait

log = structlog.get_logger()


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
    toolbox: Toolbox
    gates: Gates = field(default_factory=Gates)
    caller: Caller = field(default_factory=Caller)

    async def answer(self, turn: Turn) -> None:
        """Never raises, save for cancellation: whatever fails, the caller hears something."""
        self.tell(Kind.TURN_STARTED, turn.number, text=turn.text, merged=turn.merged)
        waiting = asyncio.create_task(self._hold_the_line(turn))
        try:
            entered = self._context(turn)
            found = self.caller.known.finding
            reason = self.caller.leaving or handoff.decide(
                entered, looked_up=self.caller.settled, crm_failed=found is Finding.UNAVAILABLE
            )
            if reason:
                self.tell(Kind.HANDOFF_RULED, turn.number, decision="handoff", reason=reason)
                await self._leave(turn, reason, self.lines.colleague)
                return
            self.tell(Kind.HANDOFF_RULED, turn.number, decision="go_on")
            await self._speak(turn, self._request(entered))
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
        replying = Replying(
            model, self.toolbox, self.gates, self.caller, self.language, self.clock, self.tell, turn
        )
        async with aclosing(replying.rulings(request)) as rulings:
            async for ruling in rulings:
                if not said:
                    await self._until(turn.heard_at + MERGE_WINDOW)
                    first_word_ms = _ms(self.clock() - turn.heard_at)
                match ruling:
                    case Allowed(text) if said or text.strip():
                        await self.line.say(turn.number, text)
                        said += text
                    case Blocked():
                        await self._say_instead(turn, ruling, said, first_word_ms)
                        return
                    case Redacted(rule) | Noted(rule):
                        decision = "redact" if isinstance(ruling, Redacted) else "log"
                        self.tell(Kind.GUARD_RULED, turn.number, decision=decision, rule=rule)
        if not said:
            self.tell(Kind.MODEL_FAILED, turn.number, model=model.name, failure=ModelFailure.EMPTY)
            raise ModelError(model.name, ModelFailure.EMPTY)
        await self.line.close(turn.number)
        self.tell(Kind.GUARD_RULED, turn.number, decision="allow")
        self._tell_said(turn, said, first_word_ms)

    async def _say_instead(self, turn: Turn, blocked: Blocked, said: str, first_word_ms: int) -> None:
        """The rest of the reply is not spoken: the safe line closes the sentence, or a person takes over."""
        instead = f" {blocked.say_instead}" if said and not said[-1].isspace() else blocked.say_instead
        hands_off = blocked.action is Action.HANDOFF
        if hands_off:
            self.caller.leaving = EscalationReason.PROHIBITED_UTTERANCE
        await self.line.say(turn.number, instead, last=True)
        self.tell(
            Kind.GUARD_RULED,
            turn.number,
            decision=blocked.action,
            rule=blocked.rule,
            planned=said + (f"[{blocked.rule}]" if blocked.rule.startswith(PREFIX) else blocked.text),
            spoken=said + instead,
            false_success=blocked.rule.startswith(claims.PREFIX),
        )
        self._tell_said(turn, said + instead, first_word_ms)
        if hands_off:
            await self._end(EscalationReason.PROHIBITED_UTTERANCE)

    async def _leave(self, turn: Turn, reason: EscalationReason, words: str) -> None:
        """A person takes the call: say so, and end the session. Twilio plays what is queued first."""
        self.caller.leaving = reason
        await self._until(turn.heard_at + MERGE_WINDOW)
        await self.line.say(turn.number, self._line(words), Purpose.FAREWELL, last=True)
        self.tell(Kind.SAID, turn.number, text=words, purpose=Purpose.FAREWELL)
        await self._end(reason)

    async def _end(self, reason: EscalationReason) -> None:
        await self.line.send(self.session.end(handoff_data(reason, uuid.uuid4().hex)))

    async def _apologise(self, turn: Turn) -> None:
        """Close what was begun, or say what would else be silence: never a guess, never nothing."""
        try:
            await self._until(turn.heard_at + MERGE_WINDOW)
            words = self._line(self.lines.trouble)
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
            await self.line.fill(turn.number, self._line(self.lines.one_moment))
        except (OutOfTurn, LineLost):
            return
        self.tell(Kind.SAID, turn.number, text=self.lines.one_moment, purpose=Purpose.FILLER)

    async def _until(self, moment: float) -> None:
        if (wait := moment - self.clock()) > 0:
            await asyncio.sleep(wait)

    def _line(self, words: str) -> str:
        """A line of our own passes the guard like any other: what is known of this caller may be in it."""
        rulings = judge(self.gates.rulebook, words, self.language, self.caller.known.canaries)
        return "".join(
            ruling.say_instead if isinstance(ruling, Blocked) else ruling.text
            for ruling in rulings
            if isinstance(ruling, Allowed | Blocked)
        )

    def _context(self, turn: Turn) -> Context:
        """Gate 1: what of that which is known by now may enter this turn, and why."""
        caller = self.caller
        caller.heard.append(turn.text)
        if intent := self.gates.intents.recognise(turn.text):
            caller.intent = intent
            if intent not in caller.intents:
                caller.intents.append(intent)
            self.tell(Kind.INTENT_RULED, turn.number, intent=intent)
        rules = self.gates.context
        entered = context.select(rules, caller.facts, caller.situation())
        caller.entered |= {entry.fact.name: entry for entry in entered.entries}
        self.tell(
            Kind.CONTEXT_RULED,
            turn.number,
            entered=list(entered.entered),
            withheld=list(entered.withheld),
            why=[*map(str, entered.entries), *map(str, entered.refused)],
            tokens=entered.tokens,
            missing=list(entered.missing) if caller.settled else [],
        )
        return entered

    def _request(self, entered: Context) -> Request:
        to_ask = entered.to_ask if self.caller.settled else ()
        facts = context_text.render(entered.entries, to_ask, self.caller.fence)
        done = context_text.done(so_far(self.caller.actions.values()), self.caller.fence)
        history = self.session.history
        return Request(
            self.instructions,
            messages(history, "\n".join(filter(None, (facts, done)))),
            self.language,
            self.toolbox.offered(),
            heard=messages(history)[-1].text,
        )

    def _tell_said(self, turn: Turn, text: str, first_word_ms: int) -> None:
        self.caller.said.append(text)
        purpose = Purpose.REPLY
        self.tell(Kind.SAID, turn.number, text=text.strip(), purpose=purpose, first_word_ms=first_word_ms)


def _where(error: BaseException) -> str:
    """File and line of a fault, for the log: its text may quote what somebody said."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
