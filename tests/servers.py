"""Real servers for tests: from the PATH, else from Debian's packages, unpacked and not installed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

ROOT: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 10.0


class ServerMissing(Exception):
    """A program the tests need is neither installed nor to be had: the text says what to install."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, its names on a PATH, the Debian packages that hold it, and its path inside them."""

    names: tuple[str, ...]
    packages: tuple[str, ...]
    inside: str  # glob, because some packages name their version in the path


PROGRAMS: Final = {
    "redis-server": Program(("redis-server", "valkey-server"), ("redis-server",), "usr/bin/redis-server"),
    "chromium": Program(
        ("chromium", "chromium-browser", "google-chrome"),
        ("chromium", "fonts-dejavu-core", "fonts-nanum"),
        "usr/lib/chromium/chromium",
    ),
}

# A program of the cache finds its libraries, fonts and data beside itself, wherever the cache is moved to.
# The C library is the machine's own: a second one would not fit the machine's loader.
LAUNCHER: Final = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/root
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
if [ ! -e /etc/fonts/fonts.conf ]; then export FONTCONFIG_FILE="$here/etc/fonts/fonts.conf"; fi
export XDG_DATA_DIRS="$here/usr/share:${{XDG_DATA_DIRS:-/usr/local/share:/usr/share}}"
exec "$here/{inside}" "$@"
"""
NEVER_UNPACKED: Final = frozenset({"libc6", "libc-bin"})

# Everything apt would write goes into the cache; what apt does after an update on the machine is left out.
APT_SETTINGS: Final = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "{apt}/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "{apt}/cache";
Dir::Log "{apt}/log";
APT::Sandbox::User "{user}";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::Retries "2";
"""


def redis_server() -> Path:
    return program("redis-server")


def chromium() -> Path:
    return program("chromium")


def program(name: str) -> Path:
    """The path of an executable that runs as it is: the machine's own, else one from the cache.

    The cache is `FIVEGATES_TEST_CACHE`, default `.cache/debian` in the project. A lock keeps parallel test
    workers from downloading twice. Raises `ServerMissing`.
    """
    wanted = PROGRAMS[name]
    for installed in wanted.names:
        if found := shutil.which(installed):
            return Path(found)
    cache = Path(os.environ.get("FIVEGATES_TEST_CACHE") or ROOT / ".cache" / "debian").resolve()
    home = cache / name
    launcher = home / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not launcher.exists():
                _bring(wanted, home, launcher)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerMissing(
            f"The tests need {name}: install the package `{wanted.packages[0]}` "
            f"(no {' or '.join(wanted.names)} on the PATH, and Debian's packages could not be downloaded: "
            f"{_reason(error)})."
        ) from error
    return launcher


def _bring(wanted: Program, home: Path, launcher: Path) -> None:
    """Download, unpack, and write the launcher last: its presence says that all before it succeeded."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise FileNotFoundError("no apt-get and dpkg here")
    shutil.rmtree(home, ignore_errors=True)
    root = home / "root"
    root.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=home) as downloads:
        for package in _download(wanted.packages, Path(downloads), home.parent / "apt"):
            _run("dpkg", "-x", str(package), str(root))
    found = sorted(root.glob(wanted.inside))
    if not found:
        raise FileNotFoundError(f"no {wanted.inside} in the packages")
    inside = found[-1].relative_to(root)
    libraries = [*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*")]
    libraries += [folder for parent in libraries for folder in (parent / "pulseaudio",) if folder.exists()]
    path = ":".join(f"$here/{folder.relative_to(root)}" for folder in libraries)
    draft = home / "launcher"
    draft.write_text(LAUNCHER.format(libraries=path, inside=inside), encoding="utf-8")
    draft.chmod(0o755)
    draft.rename(launcher)


def _download(packages: tuple[str, ...], into: Path, apt: Path) -> list[Path]:
    """The packages, and what they need that this machine lacks; apt checks Debian's signatures."""
    for folder in ("state/lists/partial", "cache/archives/partial", "log"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    settings = apt / "apt.conf"
    user = "root" if os.geteuid() == 0 else ""  # root may not be able to lend this folder to apt's own user
    settings.write_text(APT_SETTINGS.format(apt=apt, user=user), encoding="utf-8")
    _run("apt-get", "-c", str(settings), "-q", "update")
    plan = _run("apt-get", "-c", str(settings), "-q", "--simulate", "install", *packages)
    needed = [
        f"{words[1]}={version}"
        for words in (line.split() for line in plan.splitlines())
        if words[:1] == ["Inst"] and words[1] not in NEVER_UNPACKED
        for version in [next(word for word in words if word.startswith("(")).removeprefix("(")]
    ]
    _run("apt-get", "-c", str(settings), "-q", "download", *needed, cwd=into)
    return sorted(into.glob("*.deb"))


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.stdout


def _reason(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in str(error.stderr).splitlines() if line.startswith("E:")]
        return lines[0] if lines else f"{Path(error.cmd[0]).name} failed"
    return str(error)


@dataclass(slots=True)
class RedisServer:
    """One redis-server of our own on loopback, in memory only: `stop` loses its keys, `start` brings it back
    on the same port."""

    port: int
    home: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(redis_server()), *self.arguments, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.home), "--logfile", "redis.log", "--daemonize", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        patience = Retry(ConstantBackoff(0.02), int(START_SECONDS / 0.02))
        try:
            with Redis(port=self.port, retry=patience, socket_timeout=START_SECONDS) as client:
                client.ping()
        except RedisError as error:
            self.stop()
            raise ServerMissing(f"redis-server did not start: see {self.home / 'redis.log'}") from error

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def running_redis(*arguments: str) -> Iterator[RedisServer]:
    """A redis-server on a free port of loopback with a folder of its own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="fivegates-redis-") as home:
        server = RedisServer(_free_port(), Path(home), (*arguments, "--save", "", "--appendonly", "no"))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running_cluster() -> Iterator[str]:
    """A Redis Cluster of one node that owns every slot; gives its `redis+cluster://` address."""
    with running_redis("--cluster-enabled", "yes") as server:
        patience = Retry(ConstantBackoff(0.02), int(START_SECONDS / 0.02), (_NotYet,))
        with Redis(port=server.port, decode_responses=True) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)

            def check() -> None:
                if "cluster_state:ok" not in str(client.execute_command("CLUSTER", "INFO")):
                    raise _NotYet

            patience.call_with_retry(check, lambda _: None)
        yield f"redis+cluster://127.0.0.1:{server.port}"


@contextlib.contextmanager
def running_sentinel() -> Iterator[str]:
    """A redis-server watched by one Sentinel; gives its `redis+sentinel://` address."""
    with running_redis() as server, tempfile.TemporaryDirectory(prefix="fivegates-sentinel-") as home:
        settings = Path(home) / "sentinel.conf"
        settings.write_text(f"sentinel monitor fivegates 127.0.0.1 {server.port} 1\n", encoding="utf-8")
        sentinel = RedisServer(_free_port(), Path(home), (str(settings), "--sentinel"))
        try:
            sentinel.start()
            yield f"redis+sentinel://127.0.0.1:{sentinel.port}/fivegates/0"
        finally:
            sentinel.stop()


class _NotYet(Exception):
    """What is waited for has not come."""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    for wish in sys.argv[1:] or sorted(PROGRAMS):
        try:
            sys.stdout.write(f"{program(wish)}\n")
        except (KeyError, ServerMissing) as error:
            known = ", ".join(sorted(PROGRAMS))
            sys.exit(str(error) if isinstance(error, ServerMissing) else f"{wish} is unknown: one of {known}")
