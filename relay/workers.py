"""Several server processes on one port: started together, restarted when one dies, stopped together."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import FrameType

Work = Callable[[socket.socket, Event], None]
Ready = Callable[[], None]
PATIENCE = 30.0  # seconds for a worker to begin
PAUSE = 1.0  # seconds before a dead worker's successor starts


class WorkerFailed(Exception):
    """A worker ended before it was ready: its own message says why."""


def serve(work: Work, listening: socket.socket, count: int, ready: Ready) -> None:
    """Run `work` in `count` processes until SIGTERM or SIGINT. Raises `WorkerFailed` at the start only."""
    context = multiprocessing.get_context("spawn")
    stopping = context.Event()

    def start() -> tuple[SpawnProcess, Event]:
        begun = context.Event()
        process = context.Process(target=work, args=(listening, begun))
        process.start()
        return process, begun

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = [start() for _ in range(count)]
    try:
        for process, begun in workers:
            if not begun.wait(PATIENCE) or not process.is_alive():
                raise WorkerFailed(f"worker {process.pid} did not begin")
        ready()
        while not stopping.wait(PAUSE):
            workers = [each if each[0].is_alive() else start() for each in workers]
    finally:
        for process, _ in workers:
            process.terminate()
        for process, _ in workers:
            process.join()
