"""A model that keeps something open for one call: connected at setup, closed when the call is over."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from relay.llm.port import LanguageModel


class CallModel(LanguageModel, Protocol):
    """A model for one call. Replies come one after the other, never two at once."""

    async def open(self) -> None:
        """Connect ahead, so that the first turn need not. Never raises `ModelError`: the first reply tries
        again, and tells."""
        ...

    async def aclose(self) -> None:
        """The call is over. A reply that still runs fails, and later ones do."""
        ...


@runtime_checkable
class PerCall(Protocol):
    def for_call(self) -> CallModel: ...
