"""Several server processes on one port: started together, replaced when one dies, stopped together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import FrameType

Work = Callable[[socket.socket, Event], None]
Ready = Callable[[], None]
PATIENCE = 30.0  # seconds for a worker to begin
PAUSE = 1.0  # seconds before a dead worker is replaced


class WorkerFailed(Exception):
    """A worker ended before it was ready: its own message says why."""


def serve(work: Work, listening: socket.socket, count: int, ready: Ready) -> None:
    """Run `work` in `count` processes until SIGTERM or SIGINT. Raises `WorkerFailed` at the start only."""
    context = multiprocessing.get_context("spawn")
    stopping, stop = os.pipe()

    def start() -> tuple[SpawnProcess, Event]:
        begun = context.Event()
        process = context.Process(target=work, args=(listening, begun))
        process.start()
        return process, begun

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        os.write(stop, b".")  # a lock here could be one that this very thread holds

    workers: list[tuple[SpawnProcess, Event]] = []

    def reload(_signal: int, _frame: FrameType | None) -> None:
        for process, _ in workers:
            if process.pid and process.is_alive():
                os.kill(process.pid, signal.SIGHUP)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGHUP, reload)
    workers += [start() for _ in range(count)]
    try:
        for process, begun in workers:
            if not _began(process, begun):
                raise WorkerFailed(f"worker {process.pid} did not begin")
        ready()
        while stopping not in wait([stopping, *(process.sentinel for process, _ in workers)]):
            if wait([stopping], PAUSE):
                break
            workers[:] = [each if each[0].is_alive() else start() for each in workers]
        os.read(stopping, 1)
    finally:
        _end([process for process, _ in workers], stopping)


def _began(process: SpawnProcess, begun: Event) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not begun.wait(0.1):
        if not process.is_alive() or time.monotonic() > deadline:
            return False
    return True


def _end(workers: list[SpawnProcess], stopping: int) -> None:
    """Ask them to end, and ask again at each further signal: a second one does not wait for live calls."""
    for process in workers:
        process.terminate()
    while alive := [process for process in workers if process.is_alive()]:
        if stopping in wait([stopping, *(process.sentinel for process in alive)]):
            os.read(stopping, 1)
            for process in alive:
                process.terminate()
