"""Virtual time over real sockets: the loop's clock jumps to the next timer when nothing else can happen.

Server and phone run in the same loop and the same process; then what is on its way between them is
already in a socket buffer when the loop looks. While work is pending in an executor thread, time does not
jump but runs at its real pace.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GRACE: Final = 0.0002
_GLANCE: Final = 0.00005


class _Selector(selectors.DefaultSelector):
    """Keeps the time: polls the sockets, and lets time pass only when they are silent."""

    def __init__(self, grace: float) -> None:
        super().__init__()
        self.now = 0.0
        self.threads_busy = 0
        self._grace = grace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(None)
        if self.threads_busy:
            return self._wait(timeout)
        until = time.monotonic() + self._grace
        while not ready and time.monotonic() < until:
            time.sleep(_GLANCE)
            ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready

    def _wait(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        """A thread's answer comes in real time, through the loop's own wake-up socket."""
        begun = time.monotonic()
        ready = super().select(timeout)
        self.now += min(timeout, time.monotonic() - begun) if ready else timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`grace`: real seconds the sockets are watched before each jump; peers elsewhere need more."""

    def __init__(self, grace: float = GRACE) -> None:
        self._time = _Selector(grace)
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._time.threads_busy += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: asyncio.Future[T]) -> None:
        self._time.threads_busy -= 1


def run_virtual(main: Coroutine[object, object, T], *, grace: float = GRACE) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(grace)) as runner:
        return runner.run(main)
