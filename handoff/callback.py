"""A person calls back: the caller is told, and the call ends. Whoever answers with this has stored it."""

from __future__ import annotations

from dataclasses import dataclass

from handoff import documents
from handoff.port import Case, Urls
from handoff.sayings import sayings


@dataclass(frozen=True, slots=True)
class Callback:
    async def accept(self, case: Case, urls: Urls) -> str:
        return documents.last_words(sayings(case.language).callback, case.language)

    async def abandon(self, case: Case) -> None:
        """A callback that is stored stays due when the caller hangs up during these words."""


def connect() -> Callback:
    return Callback()
