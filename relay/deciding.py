"""Gate 3 in a turn: what the decider is told, and what is done about its decision."""

from __future__ import annotations

from dataclasses import dataclass

from compliance.events import Kind
from policies import handoff
from policies.context import Context
from policies.handoff import Decider, Decision, Inputs
from policies.handoff import Kind as Decided
from policies.recognise import consents
from policies.vocabulary import EscalationReason
from relay.caller import Caller, Finding
from relay.places import CALLBACK
from relay.recovering import Recovery
from relay.step import Turn
from relay.tell import Tell
from relay.voice import Voice

IDENTITY_NOTE = "The caller asks who you are: say truthfully that you are an AI assistant, then go on."
OBJECTION_NOTE = "The caller hesitates. Answer this once, from instructions and facts only; do not press."


@dataclass(frozen=True, slots=True)
class Deciding:
    """Both methods are True when the turn is over with what they did."""

    voice: Voice
    caller: Caller
    recovery: Recovery
    tell: Tell

    async def before(self, turn: Turn, entered: Context) -> bool:
        """Before the model is asked. What it reported of the turn before counts here."""
        offered, self.recovery.callback_offered = self.recovery.callback_offered, False
        if offered and consents(turn.text):
            reason = self.caller.decided.reason if self.caller.decided else None
            words = self.recovery.lines.callback_noted
            await self.voice.hand_over(turn, reason or EscalationReason.OUT_OF_SCOPE, words, CALLBACK)
            return True
        decision = self._decider.before(self._inputs(turn, entered))
        self.caller.report = None
        self._ruled(turn, decision)
        return await self._carry_out(turn, decision)

    async def after(self, turn: Turn, entered: Context) -> bool:
        """After its words and its tools."""
        decision = self._decider.after(self._inputs(turn, entered))
        if decision.kind is Decided.GO_ON:
            return False
        self._ruled(turn, decision)
        return await self._carry_out(turn, decision)

    def offer(self, reason: EscalationReason) -> None:
        """A recovery lane offers a person: the caller's next words may accept."""
        self._decider.offer(reason)

    @property
    def _decider(self) -> Decider:
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

    def _ruled(self, turn: Turn, decision: Decision) -> None:
        self.tell(
            Kind.HANDOFF_RULED,
            turn.number,
            decision=decision.kind,
            rule=decision.rule,
            reason=decision.reason,
            values=[f"{name} {value}" for name, value in decision.values.items()],
        )

    async def _carry_out(self, turn: Turn, decision: Decision) -> bool:
        self.recovery.notes.pop("decision", None)
        lines = self.recovery.lines
        match decision.kind:
            case Decided.HANDOFF if decision.reason:
                self.caller.decided = decision
                urgent = decision.reason is EscalationReason.EMERGENCY
                words = f"{lines.emergency} {lines.colleague}" if urgent else lines.colleague
                await self.voice.hand_over(turn, decision.reason, words)
                return True
            case Decided.OFFER:
                self.caller.decided = decision
                await self.voice.answer(turn, lines.person_offer)
                return True
            case Decided.IDENTITY:
                self.recovery.notes["decision"] = IDENTITY_NOTE
            case Decided.ANSWER_OBJECTION:
                self.recovery.notes["decision"] = OBJECTION_NOTE
        return False
