"""A tool that is a Python function, `package.module:function`, called with its arguments by name.

It is given `idempotency_key` where it takes one. A plain function runs in a thread, a coroutine on the loop.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from compliance.delivery import Refused, Retry
from relay.actions import Answer


class NoSuchFunction(Exception):
    """Mend `python:` in the agent file, or install the package."""


@dataclass(frozen=True, slots=True)
class PythonTool:
    function: Callable[..., object]
    name: str
    timeout: float

    async def call(self, arguments: Mapping[str, object], key: str) -> Answer:
        given: dict[str, object] = dict(arguments)
        if key and "idempotency_key" in inspect.signature(self.function).parameters:
            given["idempotency_key"] = key
        try:
            async with asyncio.timeout(self.timeout):
                if inspect.iscoroutinefunction(self.function):
                    answer = await self.function(**given)
                else:
                    answer = await asyncio.to_thread(self.function, **given)
        except TimeoutError as error:
            raise Retry("no answer in time") from error
        except Exception as error:
            raise Refused(f"{self.name} raised {type(error).__name__}") from error
        try:
            text = answer if isinstance(answer, str) else msgspec.json.encode(answer).decode()
        except (TypeError, ValueError) as error:
            raise Refused(f"{self.name} returned what is no JSON") from error
        return Answer(text)

    async def read_back(self, arguments: Mapping[str, object]) -> bool | None:
        return None


def load(path: str) -> Callable[..., object]:
    """Raises `NoSuchFunction`."""
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NoSuchFunction(f"{path}: {error}") from error
    if not callable(function):
        raise NoSuchFunction(f"{path} is no function")
    return function  # type: ignore[no-any-return]  # what callable() found
