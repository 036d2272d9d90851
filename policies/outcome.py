"""How a call ended, as far as the record alone can say."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from policies.vocabulary import NextAction, Outcome

WORST_FIRST: Final = (
    NextAction.WRONG,
    NextAction.DUPLICATE,
    NextAction.MISSING,
    NextAction.UNVERIFIED,
    NextAction.CORRECT,
)


class Stopped(StrEnum):
    """Why the agent stopped."""

    CALLER_HUNG_UP = "the caller hung up"
    AGENT_ENDED = "the agent ended the call"
    SESSION_LOST = "the connection was lost and could not be resumed"
    NOBODY_TOOK_IT = "a person was to take the call, and there is nobody to take it yet"
    HANDED_OVER = "a person took the call"
    CALLBACK = "nobody was free, and a callback is noted"
    VOICEMAIL = "nobody was free, and the caller left a message"
    LEFT_WAITING = "the caller hung up while waiting for a person"
    MACHINE = "an answering machine answered"
    CARRIER_FAILED = "the carrier reported a failure"


OF_HANDOFF: Final = {
    Stopped.HANDED_OVER: Outcome.HANDED_OFF,
    Stopped.CALLBACK: Outcome.CALLBACK_SCHEDULED,
    Stopped.VOICEMAIL: Outcome.CALLBACK_SCHEDULED,
    Stopped.LEFT_WAITING: Outcome.ABANDONED_BY_CALLER,
}


def outcome(stopped: Stopped, *, turns: int, unanswered: bool) -> Outcome:
    """`turns` counts the caller's utterances; `unanswered`: the last of them got no reply."""
    if stopped in OF_HANDOFF:
        return OF_HANDOFF[stopped]
    if stopped in (Stopped.SESSION_LOST, Stopped.CARRIER_FAILED, Stopped.NOBODY_TOOK_IT):
        return Outcome.FAILED_BY_SYSTEM
    if turns == 0 or stopped is Stopped.MACHINE:
        return Outcome.NOT_A_CONVERSATION
    return Outcome.ABANDONED_BY_CALLER if unanswered else Outcome.RESOLVED


def next_action(labels: Iterable[NextAction]) -> NextAction:
    """Of a call with several actions the worst label: one mistake is what the caller remembers."""
    return min(labels, key=WORST_FIRST.index, default=NextAction.NOT_REQUIRED)
