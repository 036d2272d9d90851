"""Asking the server of a data folder to load its agent files anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path

PID_FILE = "serve.pid"


def signal_reload(data: Path) -> bool:
    """False when no server is running there. A number left behind by one that was killed is not signalled:
    by now it may be another program's, which would end."""
    try:
        pid = int((data / PID_FILE).read_text())
        if pid < 1 or not _serves(pid):
            return False
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _serves(pid: int) -> bool:
    """Is this process `fivegates serve`? Where the system cannot tell, it is believed."""
    if not Path("/proc/self/cmdline").exists():
        return True
    return b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
