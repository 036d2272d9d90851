"""A call's record, told turn by turn."""

from __future__ import annotations

import pytest

from compliance.events import Event, Fact, Kind
from compliance.rulings import Gate, Tone
from console.story import Speech, Turn, tell, unheard
from policies.vocabulary import Speaker


def turns(*told: tuple[Kind, int, dict[str, Fact]]) -> list[Turn]:
    events = [Event("CA1", 10.0 + at, kind, turn, 1, facts) for at, (kind, turn, facts) in enumerate(told)]
    return list(tell(events).turns)


def spoken(turn: Turn) -> list[tuple[Speaker, str, str]]:
    return [(speech.speaker, speech.text, speech.unheard) for speech in turn.speeches]


@pytest.mark.parametrize(
    ("sent", "heard", "rest"),
    [
        ("one two three", "one two", "three"),
        ("one two three", "one\ntwo ", "three"),
        ("one two three", "onetwo", "three"),
        ("one two three", "one two three", ""),
        ("one two three", "", "one two three"),
        ("one two three", "something else", ""),
        ("one", "one two", ""),
        ("안녕하세요. 반갑습니다.", "안녕하세요.", "반갑습니다."),
    ],
)
def test_what_was_not_heard_is_the_rest_of_what_was_sent(sent: str, heard: str, rest: str) -> None:
    assert unheard(sent, heard) == rest


def test_the_opening_holds_the_disclosure_and_the_greeting() -> None:
    (opening,) = turns(
        (Kind.DISCLOSURE_SENT, 0, {"text": "I am an AI."}),
        (Kind.SAID, 0, {"text": "How can I help?", "purpose": "greeting"}),
        (Kind.HEARD, 0, {"text": "I am an AI.", "purpose": "disclosure", "whole": True}),
    )
    assert spoken(opening) == [(Speaker.AGENT, "I am an AI.", ""), (Speaker.AGENT, "", "How can I help?")]


def test_the_callers_words_stand_in_the_turn_they_open() -> None:
    opening, first, second = turns(
        (Kind.PROMPT, 0, {"text": "What does"}),
        (Kind.TURN_STARTED, 1, {"text": "What does"}),
        (Kind.PROMPT, 0, {"text": "it cost?"}),
        (Kind.TURN_STARTED, 2, {"text": "What does it cost?", "merged": True}),
        (Kind.PROMPT, 0, {"text": "Hello?"}),
    )
    assert opening.speeches == []
    assert spoken(first) == [(Speaker.CALLER, "What does", "")]
    assert spoken(second) == [(Speaker.CALLER, "it cost?", ""), (Speaker.CALLER, "Hello?", "")]


def test_a_reply_that_was_cut_while_it_was_made_is_known_as_heard_only() -> None:
    _, turn = turns(
        (Kind.TURN_STARTED, 1, {"text": "Hi"}),
        (Kind.HEARD, 1, {"text": "It costs", "purpose": "reply", "whole": False}),
    )
    assert turn.speeches == [Speech(Speaker.AGENT, 1.0, "It costs", cut=True, purpose="reply")]


def test_the_gates_stand_in_their_order() -> None:
    _, turn = turns(
        (Kind.TURN_STARTED, 1, {"text": "Hi", "merged": True}),
        (Kind.MODEL_FAILED, 1, {"failure": "no_first_token"}),
        (Kind.GUARD_RULED, 1, {"decision": "block", "rule": "no-guarantee"}),
        (Kind.CONTEXT_RULED, 1, {"entered": ["name", "tier"], "withheld": ["notes"]}),
    )
    assert [(gate, ruling.says, ruling.tone) for gate, rulings in turn.by_gate for ruling in rulings] == [
        (Gate.CONTEXT, "entered: name, tier; withheld: notes", Tone.ACTED),
        (Gate.CONVERSATION, "joined to the words before", Tone.ACTED),
        (Gate.NEVER_SAY, "block by no-guarantee", Tone.STOPPED),
        (Gate.MODEL, "failed: no first token", Tone.STOPPED),
    ]
