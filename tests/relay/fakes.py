"""Small stand-ins at our own ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from compliance.events import Event, Fact, Kind
from relay.llm.port import Finish, FinishReason, ModelError, ReplyPart, Request, Text

Cue = str | ReplyPart | asyncio.Event | ModelError


@dataclass
class FakeModel:
    """Streams its cues: texts are spoken, events are waited for, errors are raised."""

    cues: Sequence[Cue]
    name: str = "fake/model"
    requests: list[Request] = field(default_factory=list)
    closed: int = 0  # streams that were left
    finished: int = 0  # streams that were read to their end

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[ReplyPart]]:
        self.requests.append(request)
        parts = self._parts()
        try:
            yield parts
        finally:
            self.closed += 1

    async def _parts(self) -> AsyncIterator[ReplyPart]:
        for cue in self.cues:
            match cue:
                case str():
                    yield Text(cue)
                case asyncio.Event():
                    await cue.wait()
                case ModelError():
                    raise cue
                case _:
                    yield cue
        self.finished += 1
        yield Finish(FinishReason.STOP)


@dataclass
class Told:
    """What the journal would hold."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, kind: Kind, turn: int = 0, **facts: Fact) -> None:
        self.events.append(Event("CA1", 0.0, kind, turn, 1, facts))

    def record(self, event: Event) -> None:
        self.events.append(event)

    def facts(self, kind: Kind) -> list[dict[str, Fact]]:
        return [dict(event.facts) for event in self.events if event.kind is kind]
