"""What each gate did, in a few words a turn: the same words on a call's page and in the browser phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from compliance.events import Event, Fact, Kind

_NO_BREAK: Final = "\u00a0"


class Gate(StrEnum):
    """The five gates in the order of the page, and beside them the model that they stand around."""

    CONTEXT = "context"
    CONVERSATION = "conversation"
    HANDOFF = "handoff"
    NEVER_SAY = "never say"
    COMPLIANCE = "compliance"
    MODEL = "model"


class Tone(StrEnum):
    """How a ruling looks: it let pass, it changed something, it stopped something."""

    PASSED = "passed"
    ACTED = "acted"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Ruling:
    """`turn` 0 is the opening, before the caller has said anything."""

    turn: int
    gate: Gate
    says: str
    tone: Tone = Tone.PASSED


@dataclass(slots=True)
class Rulings:
    """Reads the events of one call in their order; `read` gives what an event adds."""

    _turn: int = 0
    _asked_after: dict[int, int] = field(default_factory=dict)  # ms from the caller's words, by turn

    def read(self, event: Event) -> tuple[Ruling, ...]:
        self._turn = max(self._turn, event.turn)
        facts = event.facts
        match event.kind:
            case Kind.CONTEXT_RULED:
                return (self._context(event.turn, facts.get("entered"), facts.get("withheld")),)
            case Kind.TURN_STARTED if facts.get("merged"):
                return self._one(event.turn, Gate.CONVERSATION, "joined to the words before", Tone.ACTED)
            case Kind.PROMPT_QUEUED:
                return self._queued()
            case Kind.PROMPT if facts.get("queued"):
                return self._queued()
            case Kind.INTERRUPT:
                heard = f" after “{facts['heard']}”" if facts.get("heard") else ""
                return self._one(self._turn, Gate.CONVERSATION, f"the caller cut in{heard}", Tone.ACTED)
            case Kind.UNDERSTANDING_RULED:
                return self._one(event.turn, Gate.CONVERSATION, _listed(facts))
            case Kind.HANDOFF_RULED:
                return (_handoff(event.turn, facts.get("decision"), facts.get("reason")),)
            case Kind.GUARD_RULED:
                return (_guard(event.turn, facts.get("decision"), facts.get("rule")),)
            case Kind.DISCLOSURE_SENT:
                return self._one(0, Gate.COMPLIANCE, "said that it is an AI")
            case Kind.HEARD if facts.get("purpose") == "disclosure":
                heard = "played in full" if facts.get("whole") else "not heard in full"
                tone = Tone.PASSED if facts.get("whole") else Tone.STOPPED
                return self._one(0, Gate.COMPLIANCE, f"disclosure {heard}", tone)
            case Kind.DISCLOSURE_RULED:
                return self._one(0, Gate.COMPLIANCE, f"disclosure proven: grade {facts.get('grade')}")
            case _:
                return self._model(event)

    def _model(self, event: Event) -> tuple[Ruling, ...]:
        facts = event.facts
        match event.kind, facts.get("after_ms"), facts.get("first_token_ms"):
            case Kind.MODEL_ASKED, int(after), _:
                self._asked_after[event.turn] = after
                return ()
            case Kind.MODEL_ANSWERED, _, int(first):
                waited = self._asked_after.get(event.turn, 0) + first
                total = _seconds(facts.get("total_ms"))
                says = f"first token {_seconds(waited)} after the caller's words, done in {total}"
                if facts.get("finish") == "abandoned":
                    says = f"first token {_seconds(waited)} after the caller's words, then cancelled"
                return self._one(event.turn, Gate.MODEL, says)
            case Kind.MODEL_ANSWERED, _, _:
                return self._one(event.turn, Gate.MODEL, "cancelled before its first token")
            case Kind.MODEL_FAILED, _, _:
                says = f"failed: {_words(facts.get('failure'))}"
                return self._one(event.turn, Gate.MODEL, says, Tone.STOPPED)
            case _:
                return ()

    def _queued(self) -> tuple[Ruling, ...]:
        """The words open the next turn, once the disclosure has been heard."""
        return self._one(self._turn + 1, Gate.CONVERSATION, "kept until the disclosure was heard", Tone.ACTED)

    @staticmethod
    def _one(turn: int, gate: Gate, says: str, tone: Tone = Tone.PASSED) -> tuple[Ruling, ...]:
        return (Ruling(turn, gate, says, tone),)

    @staticmethod
    def _context(turn: int, entered: Fact, withheld: Fact) -> Ruling:
        inside, outside = _names(entered), _names(withheld)
        says = f"entered: {inside}" if inside else "no facts entered"
        if outside:
            return Ruling(turn, Gate.CONTEXT, f"{says}; withheld: {outside}", Tone.ACTED)
        return Ruling(turn, Gate.CONTEXT, f"{says}, none withheld")


def _handoff(turn: int, decision: Fact, reason: Fact) -> Ruling:
    if decision == "go_on":
        return Ruling(turn, Gate.HANDOFF, "the agent goes on")
    why = f": {_words(reason)}" if reason else ""
    return Ruling(turn, Gate.HANDOFF, f"{_words(decision)}{why}", Tone.ACTED)


def _guard(turn: int, decision: Fact, rule: Fact) -> Ruling:
    if decision == "allow":
        return Ruling(turn, Gate.NEVER_SAY, "all words may be spoken")
    by = f" by {rule}" if rule else ""
    return Ruling(turn, Gate.NEVER_SAY, f"{_words(decision)}{by}", Tone.STOPPED)


def _names(fact: Fact) -> str:
    return ", ".join(fact) if isinstance(fact, Sequence) and not isinstance(fact, str) else ""


def _listed(facts: Mapping[str, Fact]) -> str:
    return ", ".join(f"{_words(name)} {_words(fact)}" for name, fact in facts.items())


def _words(fact: Fact) -> str:
    return str(fact).replace("_", " ")


def _seconds(milliseconds: Fact) -> str:
    """`840 ms`, from a second on `1.2 s`."""
    if not isinstance(milliseconds, int):
        return "some time"
    return (
        f"{milliseconds / 1000:.1f}{_NO_BREAK}s" if milliseconds >= 1000 else f"{milliseconds}{_NO_BREAK}ms"
    )
