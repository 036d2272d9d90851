"""What each gate did, in words."""

from __future__ import annotations

import pytest

from compliance.events import Event, Fact, Kind
from compliance.rulings import Gate, Ruling, Rulings, Tone


def read(kind: Kind, facts: dict[str, Fact], turn: int = 1) -> tuple[Ruling, ...]:
    return Rulings().read(Event("CA1", 0.0, kind, turn, 1, facts))


@pytest.mark.parametrize(
    ("kind", "facts", "gate", "says", "tone"),
    [
        (
            Kind.CONTEXT_RULED,
            {"entered": [], "withheld": []},
            Gate.CONTEXT,
            "no facts entered, none withheld",
            Tone.PASSED,
        ),
        (
            Kind.CONTEXT_RULED,
            {"entered": ["name"]},
            Gate.CONTEXT,
            "entered: name, none withheld",
            Tone.PASSED,
        ),
        (Kind.UNDERSTANDING_RULED, {"score": 0.4}, Gate.CONVERSATION, "score 0.4", Tone.PASSED),
        (Kind.HANDOFF_RULED, {"decision": "go_on"}, Gate.HANDOFF, "the agent goes on", Tone.PASSED),
        (
            Kind.HANDOFF_RULED,
            {"decision": "now", "reason": "explicit_request"},
            Gate.HANDOFF,
            "now: explicit request",
            Tone.ACTED,
        ),
        (Kind.GUARD_RULED, {"decision": "allow"}, Gate.NEVER_SAY, "all words may be spoken", Tone.PASSED),
        (Kind.GUARD_RULED, {"decision": "block", "rule": "r1"}, Gate.NEVER_SAY, "block by r1", Tone.STOPPED),
        (
            Kind.INTERRUPT,
            {"heard": "It costs"},
            Gate.CONVERSATION,
            "the caller cut in after “It costs”",
            Tone.ACTED,
        ),
        (Kind.INTERRUPT, {"heard": ""}, Gate.CONVERSATION, "the caller cut in", Tone.ACTED),
        (Kind.MODEL_FAILED, {"failure": "busy"}, Gate.MODEL, "failed: busy", Tone.STOPPED),
        (
            Kind.MODEL_ANSWERED,
            {"finish": "abandoned"},
            Gate.MODEL,
            "cancelled before its first token",
            Tone.PASSED,
        ),
    ],
)
def test_a_decision_in_words(kind: Kind, facts: dict[str, Fact], gate: Gate, says: str, tone: Tone) -> None:
    assert read(kind, facts) == (Ruling(1, gate, says, tone),)


@pytest.mark.parametrize(
    ("kind", "facts", "says", "tone"),
    [
        (Kind.DISCLOSURE_SENT, {}, "said that it is an AI", Tone.PASSED),
        (Kind.DISCLOSURE_RULED, {"grade": "B"}, "disclosure proven: grade B", Tone.PASSED),
        (Kind.HEARD, {"purpose": "disclosure", "whole": True}, "disclosure played in full", Tone.PASSED),
        (Kind.HEARD, {"purpose": "disclosure", "whole": False}, "disclosure not heard in full", Tone.STOPPED),
    ],
)
def test_the_disclosure_belongs_to_the_opening(
    kind: Kind, facts: dict[str, Fact], says: str, tone: Tone
) -> None:
    assert read(kind, facts, 0) == (Ruling(0, Gate.COMPLIANCE, says, tone),)


def test_the_first_token_is_counted_from_the_callers_words() -> None:
    rulings = Rulings()
    assert rulings.read(Event("CA1", 0.0, Kind.MODEL_ASKED, 3, 1, {"after_ms": 2})) == ()
    answered: dict[str, Fact] = {"first_token_ms": 310, "total_ms": 1840, "finish": "stop"}
    (ruling,) = rulings.read(Event("CA1", 0.0, Kind.MODEL_ANSWERED, 3, 1, answered))
    assert ruling.says == "first token 312\u00a0ms after the caller's words, done in 1.8\u00a0s"


def test_words_said_during_the_disclosure_belong_to_the_turn_they_will_open() -> None:
    for kind in (Kind.PROMPT, Kind.PROMPT_QUEUED):
        (ruling,) = read(kind, {"text": "Hello", "queued": True}, 0)
        assert (ruling.turn, ruling.gate, ruling.tone) == (1, Gate.CONVERSATION, Tone.ACTED)


def test_a_barge_in_belongs_to_the_turn_that_was_being_answered() -> None:
    rulings = Rulings()
    rulings.read(Event("CA1", 0.0, Kind.TURN_STARTED, 2, 1, {"text": "Hi"}))
    (ruling,) = rulings.read(Event("CA1", 1.0, Kind.INTERRUPT, 0, 1, {"heard": "Well"}))
    assert ruling.turn == 2


def test_what_no_gate_decides_is_no_ruling() -> None:
    for kind in (Kind.SAID, Kind.SESSION_STARTED, Kind.PROMPT):
        assert read(kind, {"text": "Hello"}) == ()
