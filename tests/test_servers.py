"""Where a server can neither be found nor brought, one sentence says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_what_is_missing_is_told_in_one_sentence(tmp_path: Path) -> None:
    empty = {**os.environ, "PATH": str(tmp_path), "FIVEGATES_TEST_CACHE": str(tmp_path / "cache")}
    asked = subprocess.run(
        [sys.executable, "-m", "tests.servers", "redis-server"],
        env=empty, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 1
    assert asked.stdout == ""
    assert asked.stderr.startswith("The tests need redis-server: install the package `redis-server`")
    assert asked.stderr.count("\n") == 1
