"""What is worth recording: one event a row, appended and never changed, all of a call on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

Fact = str | int | float | bool | None | list[str]


class Kind(StrEnum):
    """Every event the journal knows. The facts each one carries are listed beside it."""

    CALL_ANNOUNCED = "call_announced"  # direction, from, to, agent, agent_version, agent_hash, rehearsal
    CALL_PLACED = "call_placed"  # agent, consent (its basis), given_at: by `POST /calls`
    ANSWERED_BY = "answered_by"  # answered_by: a human or a machine, as Twilio heard it
    SESSION_STARTED = "session_started"  # session_id, caller_language, resumed
    PROMPT = "prompt"  # text (what the caller said), lang; merged: joined to the turn before
    PROMPT_QUEUED = "prompt_queued"  # spoken while the disclosure was playing: answered after it
    KEYS = "keys"  # text, always masked: "[4 digits]"
    INTERRUPT = "interrupt"  # heard (the part of our reply that was played), after_ms
    TURN_STARTED = "turn_started"  # text
    CRM_ASKED = "crm_asked"  # gate 1: adapter, fields (names that were asked for), stir
    CRM_ANSWERED = "crm_answered"  # gate 1: finding, detail, fields (names), returning, took_ms, not_armed
    CONTEXT_RULED = "context_ruled"  # gate 1: entered, withheld (names); why (a line each), tokens, missing
    CONTEXT_USED = "context_used"  # gate 1, at the end: used, unused (names that entered)
    INTENT_RULED = "intent_ruled"  # gate 1: intent
    UNDERSTANDING_RULED = "understanding_ruled"  # gate 2: score, signals
    RECOVERY_RULED = "recovery_ruled"  # gate 2: lane (silence, understanding, repeats, bad_line), move, rung
    LANGUAGE_RULED = "language_ruled"  # gate 2: language, from now on
    HANDOFF_RULED = "handoff_ruled"  # gate 3: decision, reason
    HANDOFF_OFFERED = "handoff_offered"  # gate 3: destination, reason, sla_s
    HANDOFF_REFUSED = "handoff_refused"  # gate 3: destination, reason: nobody can take it, known beforehand
    HANDOFF_ENDED = "handoff_ended"  # gate 3: destination, outcome, wait_s, sla_s, sla_met
    BRIEF_ANSWERED = "brief_answered"  # question (right_person, brief_right, asked_again), yes: by the person
    ORDERED = "ordered"  # what (end, to a destination), by, reason: a live call taken from the agent
    FOLLOW_UP = "follow_up"  # gate 3: what, state, owner, due_at: left to do by people
    GUARD_RULED = "guard_ruled"  # "never say": decision, rule, planned, spoken
    DISCLOSURE_SENT = "disclosure_sent"  # gate 5: text
    DISCLOSURE_RULED = "disclosure_ruled"  # gate 5: grade
    MODEL_ASKED = "model_asked"  # model, messages, after_ms (since the prompt)
    MODEL_ANSWERED = "model_answered"  # model, first_token_ms, total_ms, input_tokens, output_tokens, ...
    MODEL_FAILED = "model_failed"  # model, failure, detail
    TOOL_CALLED = "tool_called"  # tool, says: what it gave, without values
    SIDE_EFFECT = "side_effect"  # what (the tool), state, reason, next_action: as far as it has come
    SAID = (
        "said"  # text, purpose (disclosure, greeting, reply, filler, fallback, farewell); sent, not yet heard
    )
    HEARD = "heard"  # text, whole (bool), purpose: what was played of it, settled
    WIRE_ERROR = "wire_error"  # what (malformed frame in, error frame of the carrier), detail
    SESSION_ENDED = "session_ended"  # cause, close_code
    ACTION = "action"  # session_status, error_code, answer
    CALL_SUMMARISED = "call_summarised"  # text, tokens, retention: what the next call may know of this one
    WRITE_BACK = "write_back"  # what (outcome, ...), state, reason, next_action: the outbox's progress
    CALL_ENDED = "call_ended"  # outcome, next_action, stopped (why the agent stopped), turns, tokens, cost
    EVENTS_LOST = "events_lost"  # count: the writer fell behind, and says so


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a call's record. `at` is seconds since 1970 (UTC), from the one clock of the process."""

    call_sid: str
    at: float
    kind: Kind
    turn: int = 0
    session: int = 1
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Recorder(Protocol):
    """The side of the journal that the voice path sees: it never waits and never fails."""

    def record(self, event: Event) -> None: ...
