"""Agent files from disk: one file, several, or the `*.yaml` of a folder that are agent files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from policies.agent_faults import AgentFileInvalid
from policies.agent_file import AgentFile, conflicts, parse
from policies.gates import compile_gates
from policies.guard.rulebook import RulesInvalid

SHIPPED = Path(str(files("agents").joinpath("demo.yaml")))


class AgentsInvalid(Exception):
    """Mend the agent files: every fault of all of them, a line each."""


def load(paths: Iterable[Path]) -> tuple[AgentFile, ...]:
    """Read and check them all. Raises `AgentsInvalid` with every fault of every file."""
    faults: list[str] = []
    found: list[AgentFile] = []
    for path in paths:
        for source in _sources(path, faults):
            try:
                found.append(parse(source.read_text("utf-8"), source=str(source)))
            except AgentFileInvalid as error:
                faults.append(str(error))
            except (OSError, UnicodeDecodeError) as error:
                faults.append(f"{source}: cannot be read ({type(error).__name__})")
    faults += map(str, conflicts(found))
    if faults:
        raise AgentsInvalid("\n".join(faults))
    return tuple(found)


def rule_faults(files: Iterable[AgentFile]) -> list[str]:
    """What is wrong with the rules of the files, and with the lines that break them: a fault a line."""
    faults: list[str] = []
    for file in files:
        try:
            compile_gates(file)
        except RulesInvalid as error:
            faults += [f"{file.source}: guard: {fault}" for fault in error.faults]
    return faults


def _sources(path: Path, faults: list[str]) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    sources = [each for each in sorted(path.glob("*.yaml")) if _is_agent_file(each)]
    if not sources:
        faults.append(f"{path}: no agent file in this folder (a .yaml file with `agent:` and `llm:`)")
    return sources


def _is_agent_file(path: Path) -> bool:
    """A folder also holds scripts and other data; an agent file has a top-level `agent:` or `llm:`."""
    text = path.read_text("utf-8", errors="replace")
    return any(line.startswith(("agent:", "llm:")) for line in text.splitlines())
