"""Earlier versions of agent files, kept as they were served, so that the way back is one command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from policies.agent_faults import AgentFileInvalid
from policies.agent_file import AgentFile, parse
from policies.yaml_lines import read

FOLDER = "agents"
ORIGIN = "file"  # beside the versions: the path of the file they were read from


class NoSuchVersion(Exception):
    """Choose one of the versions that were kept; the text lists them."""


@dataclass(frozen=True, slots=True)
class Version:
    """`kept_at` is seconds since 1970; `path` holds the text; `usable`: this program can read it."""

    path: Path
    kept_at: float
    version: str
    hash: str
    usable: bool = True

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.kept_at, UTC)
        broken = "" if self.usable else "  (cannot be used)"
        return f"{at:%Y-%m-%d %H:%M:%S} UTC  {self.version}  {self.hash[:12]}{broken}"


def keep(data: Path, file: AgentFile, now: float) -> None:
    """Keep what is served from now on; the same text again is kept once. Raises `OSError`."""
    path = Path(file.source)
    text = path.read_text("utf-8")
    if _hash(text) == file.hash:  # else it has been written over since it was read
        keep_text(data, file.agent.name, text, path, now)


def keep_text(data: Path, agent: str, text: str, origin: Path, now: float) -> None:
    """Keep a text, one that is not in order, too. Raises `OSError`."""
    folder = data / FOLDER / agent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _known_origin(folder) != (here := str(origin.resolve())):
        _write(folder / ORIGIN, here)
    newest = next(iter(_paths(folder)), None)
    if newest is None or not newest.stem.endswith(f"-{_hash(text)}"):
        _write(folder / f"{now:017.6f}-{_hash(text)}.yaml", text)


def versions(data: Path, agent: str) -> list[Version]:
    """The newest first. Raises `OSError`."""
    return [_version(path) for path in _paths(data / FOLDER / agent)]


def of_file(data: Path, file: Path, text: str | None) -> tuple[str, list[Version]]:
    """The agent whose file this is, and its versions; `text` is what the file holds, None when it is gone.

    A file that is broken, or whose agent has been renamed, is known by its path. Raises `OSError` and
    `NoSuchVersion`.
    """
    here = str(file.resolve())
    folders = sorted((data / FOLDER).glob("*/"))
    names = [_called(text or ""), *(each.name for each in folders if _known_origin(each) == here)]
    for name in names:
        if name and (found := versions(data, name)):
            return name, found
    raise NoSuchVersion(f"{file}: no version of it was kept yet: `serve` keeps each one that it loads")


def find(kept: Sequence[Version], current: str, wanted: str | None) -> Version:
    """The version with this name or hash; without one, the newest usable but `current` (a hash).

    Raises `NoSuchVersion`.
    """
    others = [each for each in kept if each.hash != current]
    for each in others:
        if wanted is None and each.usable:
            return each
        if wanted and (each.version == wanted or (len(wanted) >= 6 and each.hash.startswith(wanted))):
            return each
    known = "\n".join(f"  {each}" for each in others) or "  none was kept"
    raise NoSuchVersion(f"there is no earlier version {wanted or ''}; there are:\n{known}")


def put_back(version: Version, file: Path) -> None:
    """Write the version's text over the file, at once or not at all. Raises `OSError`."""
    target = file.resolve()  # a link stays a link
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    _write(target, version.path.read_text("utf-8"), mode)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"), reverse=True)


def _version(path: Path) -> Version:
    at, _, digest = path.stem.partition("-")
    try:
        file = parse(path.read_text("utf-8"))
    except AgentFileInvalid:
        return Version(path, float(at), digest[:12], digest, usable=False)
    return Version(path, float(at), file.version, digest)


def _known_origin(folder: Path) -> str | None:
    try:
        return (folder / ORIGIN).read_text("utf-8")
    except FileNotFoundError:
        return None


def _called(text: str) -> str | None:
    """`agent.name`, of a file that is not in order, too."""
    try:
        return parse(text).agent.name
    except AgentFileInvalid:
        pass
    match read(text).value:
        case {"agent": {"name": str(name)}} if name and "/" not in name and not name.startswith("."):
            return name
        case _:
            return None


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(name, path)
