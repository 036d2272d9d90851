"""What the pages read of the record; both calls block, and are made in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from compliance.record import CallLine, StoredEvent


class Reader(Protocol):
    """As `compliance.record.Record`. Both raise NoJournal before the first record, and JournalUnreadable."""

    def events(self, call_sid: str, after: int = 0) -> Sequence[StoredEvent]:
        """A call's events in their order, those after the one of that id."""
        ...

    def calls(self, limit: int = 50) -> Sequence[CallLine]:
        """The newest first."""
        ...
