"""The tools an agent file declares, made ready: the one place that maps `url` and `python` to a module."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from policies.agent_file import AgentFile
from policies.agent_tools import Tool
from relay.action_http import HttpTool
from relay.action_python import NoSuchFunction, PythonTool, load
from relay.actions import Declared, Receiver


def faults(files: Sequence[AgentFile], env: Mapping[str, str] | None = None) -> list[str]:
    """What keeps tools from working and can be known before the port opens.

    `env` holds the secrets; None: the environment of the process is not looked at.
    """
    found: list[str] = []
    for file in files:
        for index, tool in enumerate(file.tools):
            where = f"{file.source}: tools[{index}] ({tool.name})"
            found += [
                f"{where}: {secret.variable} is not set in the environment"
                for secret in tool.headers.values()
                if env is not None and not env.get(secret.variable)
            ]
            if tool.python:
                try:
                    _beside(file)
                    load(tool.python)
                except NoSuchFunction as error:
                    found.append(f"{where}: {error}")
    return found


def connect(
    file: AgentFile, http: httpx.AsyncClient, env: Mapping[str, str] = os.environ
) -> Mapping[str, Declared]:
    """By name. Raises `NoSuchFunction`."""
    return {
        tool.name: Declared(tool, _receiver(file, tool, http, env), f"tool:{file.agent.name}:{tool.name}")
        for tool in file.tools
    }


def _receiver(file: AgentFile, tool: Tool, http: httpx.AsyncClient, env: Mapping[str, str]) -> Receiver:
    if tool.python:
        _beside(file)
        return PythonTool(load(tool.python), tool.name, tool.timeout)
    headers = {name: env.get(secret.variable, "") for name, secret in tool.headers.items()}
    return HttpTool(http, tool, headers)


def _beside(file: AgentFile) -> None:
    """A business keeps its functions beside its agent file."""
    folder = str(Path(file.source).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
