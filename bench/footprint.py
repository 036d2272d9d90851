"""What a core install costs: size on disk, import time, memory at rest; and that it answers a call.

Installs from `requirements.lock` into a throw-away environment. Sizes in MiB (2**20 bytes), times in seconds,
the median of five.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MIB = 2**20


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        python = install(home / "env")
        packages = next((home / "env" / "lib").glob("python*/site-packages"))
        print(f"installed size   {size(packages) / MIB:7.1f} MiB, without pip")
        for module in ("relay.session", "relay.app", "relay.cli"):
            print(f"import {module:<13} {import_time(python, module):5.2f} s")
        print(f"idle memory      {idle_memory(python, home) / MIB:7.1f} MiB resident")
        run(python.parent / "fivegates", "demo", "--once", "--port", "0", cwd=home)
        print("a call           answered")


def install(env: Path) -> Path:
    run(sys.executable, "-m", "venv", env)
    pip = (env / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(*pip, "--no-deps", "--no-build-isolation", ROOT)
    run(env / "bin" / "python", "-m", "pip", "uninstall", "-q", "-y", "hatchling", "editables")
    return env / "bin" / "python"


def size(packages: Path) -> int:
    files = (file for file in packages.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files if "pip" not in file.relative_to(packages).parts[0])


def import_time(python: Path, module: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        run(python, "-c", f"import {module}")
        return time.perf_counter() - began

    def bare() -> float:
        began = time.perf_counter()
        run(python, "-c", "pass")
        return time.perf_counter() - began

    once()
    return statistics.median(once() for _ in range(5)) - statistics.median(bare() for _ in range(5))


def idle_memory(python: Path, home: Path) -> int:
    command = [python.parent / "fivegates", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("listening on")
        status = Path(f"/proc/{server.pid}/status").read_text()
        server.terminate()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) * 1024


def run(*command: object, cwd: Path = ROOT) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
