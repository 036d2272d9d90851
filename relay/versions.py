"""Earlier versions of agent files, kept as they were served, so that the way back is one command."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from policies.agent_faults import AgentFileInvalid
from policies.agent_file import AgentFile, parse

FOLDER = "agents"


class NoSuchVersion(Exception):
    """Choose one of the versions that were kept; the text lists them."""


@dataclass(frozen=True, slots=True)
class Version:
    """`kept_at` is seconds since 1970; `path` holds the text as it was served."""

    path: Path
    kept_at: float
    version: str
    hash: str

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.kept_at, UTC)
        return f"{at:%Y-%m-%d %H:%M:%S} UTC  {self.version}  {self.hash[:12]}"


def keep(data: Path, file: AgentFile, now: float) -> None:
    """Keep what is served from now on; the same text again is kept once. Raises `OSError`."""
    text = Path(file.source).read_text("utf-8")
    if sha256(text.encode()).hexdigest() != file.hash:
        return  # it has been written over since it was read
    folder = data / FOLDER / file.agent.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    newest = next(iter(versions(data, file.agent.name)), None)
    if newest and newest.hash == file.hash:
        return
    _write(folder / f"{now:017.6f}-{file.hash}.yaml", text)


def versions(data: Path, agent: str) -> list[Version]:
    """The newest first."""
    found: list[Version] = []
    for path in sorted((data / FOLDER / agent).glob("*.yaml"), reverse=True):
        at, _, digest = path.stem.partition("-")
        name = _called(path.read_text("utf-8")) or digest[:12]
        found.append(Version(path, float(at), name, digest))
    return found


def find(data: Path, current: AgentFile, wanted: str | None) -> Version:
    """The version with this name or hash; without one, the newest but `current`. Raises `NoSuchVersion`."""
    kept = [each for each in versions(data, current.agent.name) if each.hash != current.hash]
    for each in kept:
        if wanted is None or each.version == wanted or (len(wanted) >= 6 and each.hash.startswith(wanted)):
            return each
    known = "\n".join(f"  {each}" for each in kept) or "  none was kept"
    raise NoSuchVersion(f"{current.agent.name} has no earlier version {wanted or ''}; there are:\n{known}")


def put_back(version: Version, file: Path) -> None:
    """Write the version's text over the file, at once or not at all. Raises `OSError`."""
    _write(file, version.path.read_text("utf-8"), mode=file.stat().st_mode & 0o777)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(name, path)


def _called(text: str) -> str:
    """`agent.version`, if the text still can be read by this program."""
    try:
        return parse(text).agent.version or ""
    except AgentFileInvalid:
        return ""
