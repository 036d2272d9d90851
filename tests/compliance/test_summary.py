"""A call is told in three lines and a timeline that a sales lead can read."""

from __future__ import annotations

import pytest

from compliance.events import Event, Fact, Kind
from compliance.summary import Line, three_lines, timeline

START = 1_700_000_000.0


def told(kind: Kind, after: float = 0.0, turn: int = 0, **facts: Fact) -> Event:
    return Event("CA1", START + after, kind, turn, facts=facts)


ANNOUNCED: dict[str, Fact] = {
    "direction": "inbound",
    "from": "+1",
    "to": "+2",
    "agent": "a",
    "rehearsal": True,
}

ENDED = told(
    Kind.CALL_ENDED, 9.0, outcome="resolved", next_action="not_required", stopped="the caller hung up"
)


def test_a_call_that_ended_well() -> None:
    events = [
        told(Kind.CONTEXT_RULED, entered=["name", "tier"], withheld=["private_notes"]),
        told(Kind.CONTEXT_RULED, entered=["name", "inquiry_source"], withheld=[]),
        ENDED,
    ]
    assert three_lines(events) == (
        "Context: entered name, tier, inquiry_source; withheld private_notes",
        "Agent stopped: the caller hung up; outcome resolved",
        "Follow-up: nobody, nothing was left to do; next_action not_required",
    )


def test_a_running_call_is_not_told_as_ended() -> None:
    assert three_lines([told(Kind.CONTEXT_RULED, entered=[], withheld=[])]) == (
        "Context: entered nothing; withheld nothing",
        "Agent stopped: not yet, the call has no end in the record",
        "Follow-up: not decided yet",
    )


def test_work_left_over_is_not_hidden() -> None:
    ended = told(Kind.CALL_ENDED, outcome="failed_by_system", next_action="missing", stopped="x")
    assert three_lines([ended])[2] == "Follow-up: nobody owns it yet; next_action missing"


def test_a_call_whose_context_was_never_asked_for() -> None:
    assert "nothing entered" in three_lines([])[0]


def test_the_timeline_counts_from_the_first_event() -> None:
    events = [told(Kind.CALL_ANNOUNCED, direction="inbound", agent="acme"), told(Kind.PROMPT, 2.5, text="Hi")]
    assert timeline(events)[1] == Line(2.5, "caller", "says: “Hi”", Kind.PROMPT)
    assert timeline([]) == []


@pytest.mark.parametrize(
    ("event", "who", "text"),
    [
        (
            Event("CA1", START, Kind.CALL_ANNOUNCED, facts=ANNOUNCED),
            "call",
            "inbound call from +1 to +2, answered by a, a rehearsal",
        ),
        (told(Kind.SESSION_STARTED, resumed=True), "call", "session 1 resumed the call"),
        (told(Kind.PROMPT, text="Hi", queued=True), "caller", "says (answered after the disclosure): “Hi”"),
        (told(Kind.KEYS, text="[4 digits]"), "caller", "presses [4 digits]"),
        (told(Kind.INTERRUPT, heard="Sure, I"), "caller", "interrupts after hearing “Sure, I”"),
        (told(Kind.CONTEXT_RULED, entered=["name"]), "context", "entered name; withheld nothing"),
        (told(Kind.HANDOFF_RULED, decision="go_on"), "handoff", "no reason to hand off: the agent goes on"),
        (told(Kind.HANDOFF_RULED, decision="legal"), "handoff", "hands off: legal"),
        (told(Kind.GUARD_RULED, decision="allow"), "never say", "nothing prohibited in the reply"),
        (told(Kind.GUARD_RULED, decision="block", rule="price"), "never say", "block by rule price"),
        (told(Kind.DISCLOSURE_RULED, grade="A"), "compliance", "disclosure proven with grade A"),
        (
            told(Kind.MODEL_ASKED, model="m", after_ms=3),
            "model",
            "m was asked, 3 ms after the caller's words",
        ),
        (
            told(Kind.MODEL_ANSWERED, model="m", first_token_ms=210, total_ms=900),
            "model",
            "m answered, first word after 210 ms, 900 ms in all",
        ),
        (told(Kind.MODEL_FAILED, model="m", failure="busy", detail="429"), "model", "m failed: busy (429)"),
        (told(Kind.HEARD, text="Sure", whole=False), "agent", "was heard only as far as: “Sure”"),
        (told(Kind.ACTION, session_status="ended"), "carrier", "reports the session ended"),
        (ENDED, "call", "ended: the caller hung up; outcome resolved, next_action not_required"),
        (
            told(Kind.EVENTS_LOST, count=3),
            "compliance",
            "3 events of this call were lost before they could be recorded",
        ),
    ],
)
def test_how_an_event_reads(event: Event, who: str, text: str) -> None:
    line = timeline([event])[0]
    assert (line.who, line.text) == (who, text)


@pytest.mark.parametrize("kind", Kind)
def test_every_event_has_a_line_also_without_its_facts(kind: Kind) -> None:
    line = timeline([told(kind)])[0]
    assert line.who
    assert line.text
    assert "None" not in line.text
