"""One clock for everything that happens in a call: seconds since 1970, never stepping back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

Clock = Callable[[], float]


def clock() -> Clock:
    """The event loop's monotonic time, anchored to wall time once, now.

    Taken from the running loop, so that a loop with virtual time drives every timer and every record.
    """
    loop = asyncio.get_running_loop()
    anchor = time.time() - loop.time()
    return lambda: anchor + loop.time()
