"""One utterance, top to bottom: gates, model, cleaner, guard, words on the wire."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog

from compliance.events import Kind
from policies import claims, context, context_text, handoff
from policies.context import Context
from policies.gates import Gates
from policies.guard.canaries import PREFIX
from policies.guard.guard import Allowed, Blocked, Noted, Redacted, judge
from policies.guard.rules import Action
from policies.handoff import FAILURES_IN_A_ROW, Decider, Decision, Inputs
from policies.handoff import Kind as Decided
from policies.latency import speech_seconds
from policies.lines import Lines
from policies.recovery import MASKED, Climb, Move
from policies.understanding import Assessment, Failures, reask
from policies.vocabulary import EscalationReason
from relay.actions import so_far
from relay.asking import messages
from relay.caller import Caller, Finding
from relay.clock import Clock
from relay.company import Company
from relay.cycle import Purpose
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.llm.port import LanguageModel, ModelError, ModelFailure, Request
from relay.messages import Language, handoff_data
from relay.recovering import Prompted, Recovery
from relay.reply import Replying
from relay.session import OutOfTurn, Session, Turn
from relay.tell import Tell
from relay.tools import Toolbox

IDENTITY_NOTE = "The caller asks who you are: say truthfully that you are an AI assistant, then go on."
OBJECTION_NOTE = (
    "The caller hesitates. Answer this once, only from your instructions and facts; do not press."
)
MERGE_WINDOW = 0.15  # seconds from a final prompt in which no word is sent: the utterance may not be over

log = structlog.get_logger()


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
    _tool: list[str] = field(default_factory=list)

    @property
    def language(self) -> str:
        return self.recovery.language

    @property
    def lines(self) -> Lines:
        return self.recovery.lines

    async def answer(self, turn: Turn, prompted: Prompted) -> None:
        """Never raises, save for cancellation: whatever fails, the caller hears something."""
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
                    await self._go(EscalationReason.SILENCE, words)
                case Move.END:
                    await self._speak_line(words, Purpose.FAREWELL)
                    self._part("goodbye", firm=False)
                case _:
                    self.recovery.collecting = climb.move is Move.KEYPAD
                    await self._speak_line(words, Purpose.RECOVERY)
        except (OutOfTurn, LineLost):
            return

    async def _answer(self, turn: Turn, prompted: Prompted) -> None:
        await self._follow_language(turn, prompted)
        assessed = self._assess(turn, prompted)
        entered = self._context(turn)
        if await self._decided(turn, self.decider.before(self._inputs(turn, entered))):
            return
        if await self._recovered(turn, assessed):
            return
        await self._speak(turn, self._request(entered))
        self.caller.system_failures = 0
        if await self._decided(turn, self.decider.after(self._inputs(turn, entered))):
            return
        if self.caller.ending:
            self._part("goodbye", firm=False)

    # -- gate 3 ------------------------------------------------------------------------------------------

    @property
    def decider(self) -> Decider:
        if self.caller.decider is None:
            self.caller.decider = Decider(self.recovery.file.handoff.rules, {})
        return self.caller.decider

    def _inputs(self, turn: Turn, entered: Context) -> Inputs:
        caller, report = self.caller, self.caller.report
        requested, caller.requested = caller.requested, None
        collecting, self.recovery.collecting = self.recovery.collecting, False
        return Inputs(
            turn=turn.number,
            text=turn.text,
            intent=caller.intent or "",
            tier=caller.tier,
            key="" if collecting else turn.key,
            failures=caller.failures,
            guard_hits=caller.guard_hits,
            tool_failures=caller.tool_failures,
            system_failures=caller.system_failures,
            negative=report is not None and report.sentiment == "negative",
            missing_must=handoff.missing(entered, looked_up=caller.settled),
            crm_failed=caller.known.finding is Finding.UNAVAILABLE,
            requested=requested,
        )

    async def _decided(self, turn: Turn, decision: Decision) -> bool:
        """Carry a decision out. True when the turn is over with it."""
        self.tell(
            Kind.HANDOFF_RULED,
            turn.number,
            decision=decision.kind,
            rule=decision.rule,
            reason=decision.reason,
            **{f"value_{name}": value for name, value in decision.values.items()},
        )
        self.recovery.notes.pop("decision", None)
        match decision.kind:
            case Decided.HANDOFF if decision.reason:
                self.caller.decided = decision
                urgent = decision.reason is EscalationReason.EMERGENCY
                words = f"{self.lines.emergency} {self.lines.colleague}" if urgent else self.lines.colleague
                await self._leave(turn, decision.reason, words)
                return True
            case Decided.OFFER:
                self.caller.decided = decision
                await self._say_instead_of_answer(turn, self.lines.person_offer)
                return True
            case Decided.IDENTITY:
                self.recovery.notes["decision"] = IDENTITY_NOTE
            case Decided.ANSWER_OBJECTION:
                self.recovery.notes["decision"] = OBJECTION_NOTE
        return False

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
        self.caller.report = None
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
        move = self.recovery.failures.turn(assessed)
        self.caller.failures = self.caller.failures + 1 if move else 0
        if move:
            self._ruled(turn, "understanding", move)
        match move:
            case Move.HANDOFF:
                await self._leave(turn, Failures.reason, self.lines.colleague)
                return True
            case Move.KEYPAD:
                self.recovery.collecting = True
                await self._say_instead_of_answer(turn, self.lines.spell_by_keypad)
                return True
            case Move.CLARIFY:
                nth = self.recovery.failures.count - 1
                self.recovery.invited = True
                await self._say_instead_of_answer(turn, reask(assessed, self.language, nth))
                return True
        circle = self.recovery.circling(turn.text)
        if circle:
            self._ruled(turn, "repeats", circle)
        match circle:
            case Move.HANDOFF:
                await self._leave(turn, EscalationReason.REPEATED_FAILURE, self.lines.colleague)
                return True
            case Move.OFFER:
                await self._say_instead_of_answer(turn, self.lines.person_offer)
                return True
        return False

    def _ruled(self, turn: Turn, lane: str, move: Move) -> None:
        self.tell(Kind.RECOVERY_RULED, turn.number, lane=lane, move=move)

    async def _say_instead_of_answer(self, turn: Turn, words: str) -> None:
        """A line of ours in the place of an answer, or behind it."""
        await self._until(turn.heard_at + MERGE_WINDOW)
        if self.session.replied:
            await self.line.speak(self._line(words), Purpose.RECOVERY)
        else:
            await self.line.say(turn.number, self._line(words), Purpose.RECOVERY, last=True)
        self.tell(Kind.SAID, turn.number, text=words, purpose=Purpose.RECOVERY)

    def _company(self) -> Company:
        return Company(
            session=self.session,
            line=self.line,
            floor=self.floor,
            lanes=self.recovery.lanes,
            clock=self.clock,
            tell=self.tell,
            tool_running=lambda: bool(self._tool),
            approved=self._line,
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
        if not said and self.caller.ending:
            await self.line.say(turn.number, self._line(self.lines.goodbye), Purpose.FAREWELL)
            said = self.lines.goodbye
        if not said:
            name = replying.answered_by
            self.tell(Kind.MODEL_FAILED, turn.number, model=name, failure=ModelFailure.EMPTY)
            raise ModelError(name, ModelFailure.EMPTY)
        await self.line.close(turn.number)
        self.tell(Kind.GUARD_RULED, turn.number, decision="allow")
        self.recovery.answered(said)
        self._tell_said(turn, said, first_word_ms)

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
            self._part(EscalationReason.PROHIBITED_UTTERANCE, firm=True)

    async def _apologise(self, turn: Turn) -> None:
        """Close what was begun, or say what would else be silence: never a guess, never nothing."""
        self.recovery.invited = True
        self.caller.system_failures += 1
        self.caller.failures += 1
        try:
            if self.caller.system_failures >= FAILURES_IN_A_ROW and not self.session.replying:
                await self._leave(turn, EscalationReason.SYSTEM_FAILURE, self.lines.colleague)
                return
            await self._until(turn.heard_at + MERGE_WINDOW)
            words = self._line(self.lines.trouble)
            if self.session.replying:
                words = f" {words}"
            await self.line.say(turn.number, words, Purpose.FALLBACK, last=True)
        except (OutOfTurn, LineLost):
            return
        self.tell(Kind.SAID, turn.number, text=self.lines.trouble, purpose=Purpose.FALLBACK)

    async def _speak_line(self, words: str, purpose: Purpose) -> None:
        """A line that answers no turn."""
        await self.line.speak(self._line(words), purpose)
        self.tell(Kind.SAID, self.session.turn, text=words, purpose=purpose)

    def _line(self, words: str) -> str:
        """A line of our own passes the guard like any other: what is known of this caller may be in it."""
        rulings = judge(self.gates.rulebook, words, self.language, self.caller.known.canaries)
        return "".join(
            ruling.say_instead if isinstance(ruling, Blocked) else ruling.text
            for ruling in rulings
            if isinstance(ruling, Allowed | Blocked)
        )

    # -- leaving -----------------------------------------------------------------------------------------

    async def _leave(self, turn: Turn, reason: EscalationReason, words: str) -> None:
        """A person takes the call: say so, and leave when it was heard."""
        self.caller.leaving = reason
        await self._until(turn.heard_at + MERGE_WINDOW)
        if self.session.replied:  # a rule fired behind the reply
            await self.line.speak(self._line(words), Purpose.FAREWELL)
        else:
            await self.line.say(turn.number, self._line(words), Purpose.FAREWELL, last=True)
        self.tell(Kind.SAID, turn.number, text=words, purpose=Purpose.FAREWELL)
        self._part(reason, firm=True)

    async def _go(self, reason: EscalationReason, words: str) -> None:
        """The same without a turn of the caller's."""
        self.caller.leaving = reason
        await self._speak_line(words, Purpose.FAREWELL)
        self._part(reason, firm=True)

    def _part(self, reason: str, *, firm: bool) -> None:
        seconds = speech_seconds(self.session.unheard, self.language)
        self.session.part(handoff_data(reason, uuid.uuid4().hex), self.clock(), seconds, firm=firm)
        self.floor.moved()

    async def _until(self, moment: float) -> None:
        if (wait := moment - self.clock()) > 0:
            await asyncio.sleep(wait)

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
        notes = (*self.recovery.notes.values(), self.recovery.bad_line.instruction(self.clock()))
        return Request(
            self.instructions,
            messages(history, "\n".join(filter(None, (facts, done))), tuple(filter(None, notes))),
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
