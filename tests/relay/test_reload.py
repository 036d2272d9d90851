"""Only a running server is asked to load its agent files anew; no other program is ever signalled."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from relay.reload import PID_FILE, signal_reload


def test_a_number_left_behind_is_not_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / PID_FILE).write_text(str(other.pid))
        assert not signal_reload(tmp_path)
        assert other.poll() is None
        other.terminate()
    assert other.returncode == -15  # of our own SIGTERM, not of SIGHUP
    assert not signal_reload(tmp_path)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "{ours}"])
def test_what_is_no_server_is_not_signalled(tmp_path: Path, text: str) -> None:
    (tmp_path / PID_FILE).write_text(text.format(ours=os.getpid()))
    assert not signal_reload(tmp_path)


def test_without_a_server_there_is_nobody_to_ask(tmp_path: Path) -> None:
    assert not signal_reload(tmp_path)
