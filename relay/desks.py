"""The CRM an agent file names, made ready: the one place that maps `adapter:` to a module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compliance.past_calls import PastCalls
from crm_adapters import csv
from crm_adapters.breaker import Breaker
from crm_adapters.phones import region_of
from policies.agent_context import Crm as CrmSection
from policies.agent_file import AgentFile
from relay.clock import Clock
from relay.lookup import Crm, Desk


def faults(files: Sequence[AgentFile]) -> list[str]:
    """What keeps callers from being found and can be known before the port opens."""
    return [
        f"{file.source}: context.crm: {fault}"
        for file in files
        if file.context.crm
        for fault in csv.faults(_csv(file, file.context.crm))
    ]


def open_desk(file: AgentFile, past: PastCalls, clock: Clock) -> Desk:
    """Where the callers of this file are looked up."""
    section = file.context.crm
    return Desk(
        agent=file.agent.name,
        rules=file.context.rules(),
        dialled=file.context.sources.dialled_number,
        parameters=file.context.sources.parameters,
        crm=Crm(_csv(file, section), frozenset(section.fields), section.deadline, Breaker())
        if section
        else None,
        past=past,
        region=region(file),
        clock=clock,
    )


def region(file: AgentFile) -> str:
    """The line's own region (ISO 3166): of its number, else of its language."""
    default = file.language.partition("-")[2].upper() or "US"
    return region_of(next(iter(file.agent.numbers), ""), default)


def _csv(file: AgentFile, section: CrmSection) -> csv.Csv:
    return csv.Csv(Path(file.source).parent / section.path, section.fields, region(file))
