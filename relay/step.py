"""What a session says to the shell: whose turn it is, what was heard, what to do now."""

from __future__ import annotations

from dataclasses import dataclass

from relay.cycle import Purpose
from relay.messages import Outbound


class OutOfTurn(Exception):
    """These words belong to a turn that is over: drop them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the caller to be answered. `heard_at` is when its last final prompt arrived."""

    number: int
    text: str
    heard_at: float
    merged: bool = False
    key: str = ""  # the one key that was pressed
    goes_on: bool = False  # its reply was cut off by a sign of listening


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one talk cycle, once nothing more of it will be played."""

    turn: int
    purpose: Purpose
    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What the shell does now: cancel the running reply, send the frames, then answer the turn."""

    cancel: bool = False
    frames: tuple[Outbound, ...] = ()
    turn: Turn | None = None
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class Parting:
    """We leave once our last words were heard. `firm`: what the caller says now is for somebody else."""

    handoff_data: str
    due: float  # at the latest
    firm: bool
