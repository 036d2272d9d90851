"""A bounded memory of calls: the oldest entry is forgotten when there are too many."""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """What this process knows of calls without asking a store. What is forgotten is asked of the store."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._values: dict[str, Value] = {}

    def get(self, key: str) -> Value | None:
        return self._values.get(key)

    def first(self, key: str, value: Value) -> Value:
        """Keep the value unless there is one already; what holds now."""
        if key in self._values:
            return self._values[key]
        self.put(key, value)
        return value

    def put(self, key: str, value: Value) -> None:
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def forget(self, key: str) -> None:
        self._values.pop(key, None)
