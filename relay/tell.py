"""Telling the record what happens: how every part of a call sees the journal."""

from __future__ import annotations

from typing import Protocol

from compliance.events import Fact, Kind


class Tell(Protocol):
    """Record one event of this session. It never waits and never fails."""

    def __call__(self, kind: Kind, turn: int = 0, **facts: Fact) -> None: ...


class TellsOfCall(Protocol):
    """The same for any call, by its SID."""

    def __call__(self, call_sid: str, kind: Kind, turn: int = 0, session: int = 1, **facts: Fact) -> None: ...
