"""One utterance, top to bottom: gates, model, cleaner, guard, words on the wire."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog

from compliance.events import Kind
from policies import claims, context, context_text
from policies.context import Context
from policies.gates import Gates
from policies.guard.canaries import PREFIX
from policies.guard.guard import Allowed, Blocked, Noted, Redacted
from policies.guard.rules import Action
from policies.handoff import FAILURES_IN_A_ROW
from policies.lines import Lines
from policies.recovery import GO_ON_INSTRUCTION, MASKED, Climb, Move
from policies.understanding import Assessment, Failures, reask
from policies.vocabulary import EscalationReason
from relay.actions import so_far
from relay.asking import messages
from relay.caller import Caller
from relay.clock import Clock
from relay.company import Company
from relay.cycle import Purpose
from relay.deciding import Deciding
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.llm.port import LanguageModel, ModelError, ModelFailure, Request
from relay.messages import Language
from relay.recovering import Prompted, Recovery
from relay.reply import Replying
from relay.session import Session
from relay.step import OutOfTurn, Turn
from relay.tell import Tell
from relay.tools import Toolbox
from relay.voice import GOODBYE, MERGE_WINDOW, Voice

log = structlog.get_logger()


def _nobody(_: EscalationReason, __: str, ___: str) -> None:
    """Nobody wants to know of calls that leave."""


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers the turns of one session."""

    session: Session
    line: Line
    floor: Floor
    model: LanguageModel
    instructions: str
    clock: Clock
    tell: Tell
    toolbox: Toolbox
    recovery: Recovery
    gates: Gates = field(default_factory=Gates)
    caller: Caller = field(default_factory=Caller)
    multilingual: bool = False  # the recogniser finds the language by itself
    handed_over: Callable[[EscalationReason, str, str], None] = _nobody
    _tool: list[str] = field(default_factory=list)

    @property
    def voice(self) -> Voice:
        return Voice(
            self.session,
            self.line,
            self.floor,
            self.gates,
            self.caller,
            self.recovery,
            self.clock,
            self.tell,
            self.handed_over,
        )

    @property
    def deciding(self) -> Deciding:
        return Deciding(self.voice, self.caller, self.recovery, self.tell)

    @property
    def language(self) -> str:
        return self.recovery.language

    @property
    def lines(self) -> Lines:
        return self.recovery.lines

    async def answer(self, turn: Turn, prompted: Prompted) -> None:
        """Never raises, save for cancellation: whatever fails, the caller hears something."""
        if not turn.goes_on:
            self.tell(Kind.TURN_STARTED, turn.number, text=turn.text, merged=turn.merged)
        answering = asyncio.create_task(self._answer(turn, prompted))
        company = asyncio.create_task(self._company().keep(turn))
        try:
            await asyncio.wait([answering, company], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():  # the caller has waited long enough
                answering.cancel()
                await asyncio.wait([answering])
                self.tell(
                    Kind.MODEL_FAILED, turn.number, failure="given_up", detail="the caller waited too long"
                )
                await self._apologise(turn)
                return
            answering.result()
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
            for task in (answering, company):
                task.cancel()
            await asyncio.wait([answering, company])
            self.recovery.lanes.answered()

    async def climb(self, climb: Climb) -> None:
        """A rung of the silence ladder: the caller says nothing."""
        words = climb.words(self.language)
        self.tell(Kind.RECOVERY_RULED, self.session.turn, lane="silence", rung=climb.rung, move=climb.move)
        try:
            match climb.move:
                case Move.HANDOFF:
                    await self.voice.go(EscalationReason.SILENCE, words)
                case Move.END:
                    await self.voice.speak(words, Purpose.FAREWELL)
                    self.voice.part(GOODBYE, firm=False)
                case _:
                    if climb.move is Move.OFFER:
                        self.deciding.offer(EscalationReason.SILENCE)
                    self.recovery.collecting = climb.move is Move.KEYPAD
                    await self.voice.speak(words, Purpose.RECOVERY)
        except (OutOfTurn, LineLost):
            return

    async def _answer(self, turn: Turn, prompted: Prompted) -> None:
        if turn.goes_on:  # it was judged when it began
            await self._reply(turn, self._selected(), GO_ON_INSTRUCTION)
            return
        await self._follow_language(turn, prompted)
        assessed = self._assess(turn, prompted)
        entered = self._context(turn)
        if await self.deciding.before(turn, entered):
            return
        if await self._recovered(turn, assessed):
            return
        await self._reply(turn, entered)

    async def _reply(self, turn: Turn, entered: Context, note: str = "") -> None:
        await self._speak(turn, self._request(turn, entered, note))
        self.caller.system_failures = 0
        if await self.deciding.after(turn, entered):
            return
        if self.caller.ending:
            self.voice.part(GOODBYE, firm=False)

    # -- gate 2 ------------------------------------------------------------------------------------------

    async def _follow_language(self, turn: Turn, prompted: Prompted) -> None:
        """The caller speaks, or asks for, another language of the agent: from now on so do we."""
        tag = self.recovery.languages.heard(turn.text, prompted.lang)
        if tag is None:
            return
        self.recovery.change(tag)
        self.floor.language = tag
        self.tell(Kind.LANGUAGE_RULED, turn.number, language=tag)
        await self.line.send([Language(tag, None if self.multilingual else tag)])

    def _assess(self, turn: Turn, prompted: Prompted) -> Assessment:
        report = self.caller.report
        understood = report is None or report.understood
        if MASKED.search(turn.text):  # keys are never misheard
            return Assessment(1.0, ())
        assessed = self.recovery.assess(turn.text, prompted, self.caller.heard, understood=understood)
        self.recovery.bad_line.turn(self.clock(), assessed)
        if assessed.signals:
            self.tell(
                Kind.UNDERSTANDING_RULED,
                turn.number,
                score=round(assessed.score, 2),
                signals=[signal.value for signal in assessed.signals],
            )
        return assessed

    async def _recovered(self, turn: Turn, assessed: Assessment) -> bool:
        """Is something else said than an answer? What the caller means is not guessed."""
        circle = self.recovery.circling(turn.text)
        move = self.recovery.failures.turn(assessed)
        if circle in (Move.HANDOFF, Move.OFFER):  # who asks the same a third time needs no third re-ask
            move = None
        self.caller.failures = self.caller.failures + 1 if move else 0
        if move:
            self._ruled(turn, "understanding", move)
        match move:
            case Move.HANDOFF:
                await self.voice.hand_over(turn, Failures.reason, self.lines.colleague)
                return True
            case Move.KEYPAD:
                self.recovery.collecting = True
                await self.voice.answer(turn, self.lines.spell_by_keypad)
                return True
            case Move.CLARIFY:
                nth = self.recovery.failures.count - 1
                self.recovery.invited = True
                await self.voice.answer(turn, reask(assessed, self.language, nth))
                return True
        if circle:
            self._ruled(turn, "repeats", circle)
        match circle:
            case Move.HANDOFF:
                await self.voice.hand_over(turn, EscalationReason.REPEATED_FAILURE, self.lines.colleague)
                return True
            case Move.OFFER:
                self.deciding.offer(EscalationReason.REPEATED_FAILURE)
                await self.voice.answer(turn, self.lines.person_offer)
                return True
        return False

    def _ruled(self, turn: Turn, lane: str, move: Move) -> None:
        self.tell(Kind.RECOVERY_RULED, turn.number, lane=lane, move=move)

    def _company(self) -> Company:
        return Company(
            session=self.session,
            line=self.line,
            floor=self.floor,
            lanes=self.recovery.lanes,
            clock=self.clock,
            tell=self.tell,
            tool_running=lambda: bool(self._tool),
            approved=self.voice.approved,
        )

    # -- speaking ----------------------------------------------------------------------------------------

    async def _speak(self, turn: Turn, request: Request) -> None:
        """Say the reply as far as the guard allows. Raises `ModelError` when no model could finish one."""
        avoid: frozenset[str] = frozenset()
        while True:
            try:
                return await self._speak_with(turn, replace(request, avoid=avoid))
            except ModelError as error:
                if self.session.replying or error.model in avoid:
                    raise  # asking another would say it twice; or there is no other
                avoid |= {error.model}

    async def _speak_with(self, turn: Turn, request: Request) -> None:
        said, first_word_ms = "", 0
        replying = Replying(
            self.model,
            self.toolbox,
            self.gates,
            self.caller,
            self.language,
            self.clock,
            self.tell,
            turn,
            self._tool,
            [self._broken_off()] if turn.goes_on else [],
        )
        async with aclosing(replying.rulings(request)) as rulings:
            async for ruling in rulings:
                if not said:
                    await self.voice.until(turn.heard_at + MERGE_WINDOW)
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
        if not said and self.caller.ending:
            await self.line.say(turn.number, self.voice.approved(self.lines.goodbye), Purpose.FAREWELL)
            said = self.lines.goodbye
        if not said:
            name = replying.answered_by
            self.tell(Kind.MODEL_FAILED, turn.number, model=name, failure=ModelFailure.EMPTY)
            raise ModelError(name, ModelFailure.EMPTY)
        await self.line.close(turn.number)
        self.tell(Kind.GUARD_RULED, turn.number, decision="allow")
        self.recovery.answered(said)
        self._tell_said(turn, said, first_word_ms)

    def _broken_off(self) -> str:
        """What the caller heard of the reply they cut off, up to its last whole word."""
        text = next((each.text for each in reversed(self.session.history) if each.interrupted), "")
        return text if text.endswith((".", "!", "?")) else text.rpartition(" ")[0]

    async def _say_instead(self, turn: Turn, blocked: Blocked, said: str, first_word_ms: int) -> None:
        """The rest of the reply is not spoken: the safe line closes the sentence, or a person takes over."""
        self.caller.guard_hits += 1
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
            self.voice.part(EscalationReason.PROHIBITED_UTTERANCE, firm=True)

    async def _apologise(self, turn: Turn) -> None:
        """Close what was begun, or say what would else be silence: never a guess, never nothing."""
        self.recovery.invited = True
        self.caller.system_failures += 1
        self.caller.failures += 1
        try:
            if self.caller.system_failures >= FAILURES_IN_A_ROW and not self.session.replying:
                await self.voice.hand_over(turn, EscalationReason.SYSTEM_FAILURE, self.lines.colleague)
                return
            await self.voice.until(turn.heard_at + MERGE_WINDOW)
            words = self.voice.approved(self.lines.trouble)
            if self.session.replying:
                words = f" {words}"
            await self.line.say(turn.number, words, Purpose.FALLBACK, last=True)
        except (OutOfTurn, LineLost):
            return
        self.tell(Kind.SAID, turn.number, text=self.lines.trouble, purpose=Purpose.FALLBACK)

    # -- gate 1 ------------------------------------------------------------------------------------------

    def _context(self, turn: Turn) -> Context:
        """What of that which is known by now may enter this turn, and why."""
        caller = self.caller
        caller.heard.append(turn.text)
        if intent := self.gates.intents.recognise(turn.text):
            caller.intent = intent
            if intent not in caller.intents:
                caller.intents.append(intent)
            self.tell(Kind.INTENT_RULED, turn.number, intent=intent)
        entered = self._selected()
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

    def _selected(self) -> Context:
        return context.select(self.gates.context, self.caller.facts, self.caller.situation())

    def _request(self, turn: Turn, entered: Context, note: str) -> Request:
        to_ask = entered.to_ask if self.caller.settled else ()
        facts = context_text.render(entered.entries, to_ask, self.caller.fence)
        done = context_text.done(so_far(self.caller.actions.values()), self.caller.fence)
        history = self.session.history
        notes = (note, *self.recovery.notes.values(), self.recovery.bad_line.instruction(self.clock()))
        return Request(
            self.instructions,
            messages(history, "\n".join(filter(None, (facts, done))), tuple(filter(None, notes))),
            self.language,
            self.toolbox.offered(),
            heard=turn.text if turn.goes_on else messages(history)[-1].text,
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
