"""What is set, what answers, what is durable and what dies with the process: each in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.agent_file import AgentFile
from relay import agents, providers
from relay.settings import Settings, data_fault
from relay.state import StoreUnavailable, open_store


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` keeps calls from being answered; a `warning` costs something the sentence names."""

    says: str
    bad: bool = False
    warning: bool = False

    @property
    def mark(self) -> str:
        return "[red]✗[/]" if self.bad else "[yellow]![/]" if self.warning else "[green]✓[/]"


async def examine(settings: Settings, paths: Sequence[Path]) -> list[Finding]:
    found: tuple[AgentFile, ...] = ()
    findings = list(_entry(settings))
    try:
        found = agents.load(paths)
        findings += [Finding(_answers(file)) for file in found]
        findings += [Finding(fault, bad=True) for fault in providers.faults(found, settings)]
    except agents.AgentsInvalid as error:
        findings += [Finding(fault, bad=True) for fault in str(error).splitlines()]
    return [*findings, *_data(settings), *await _state(settings)]


def _entry(settings: Settings) -> Iterator[Finding]:
    if settings.public_url is None:
        yield Finding(
            "PUBLIC_URL and TWILIO_AUTH_TOKEN are not set: signatures are not checked, and only this machine "
            "is answered"
        )
        return
    yield Finding(f"Twilio reaches this server at {settings.public_url}; signatures are checked against it")
    if settings.account_sid is None:
        yield Finding(
            "TWILIO_ACCOUNT_SID is not set: any account that signs with this auth token is answered",
            warning=True,
        )
    if settings.redis_url is None:
        yield Finding(
            "serving publicly without Redis (REDIS_URL): only this machine can take a dropped call up again",
            warning=True,
        )


def _answers(file: AgentFile) -> str:
    numbers = ", ".join(file.agent.numbers) or "every number"
    models = ", then ".join(f"{entry.provider} {entry.model}".strip() for entry in file.llm)
    return f"{file.source}: {file.agent.name} {file.version} answers {numbers} with {models}"


def _data(settings: Settings) -> Iterator[Finding]:
    if fault := data_fault(settings.data):
        yield Finding(fault, bad=True)
        return
    yield Finding(
        f"the journal is durable in {settings.data}/journal.sqlite; "
        "the last events before a crash may be lost"
    )


async def _state(settings: Settings) -> list[Finding]:
    where = "Redis (REDIS_URL)" if settings.redis_url else f"{settings.data}/state.sqlite"
    shared = "shared by all machines" if settings.redis_url else "for this machine alone"
    store = open_store(settings.redis_url, settings.data)
    try:
        await store.ping()
    except StoreUnavailable:
        return [Finding(f"the state of calls: {where} does not answer; calls go on, unsaved", warning=True)]
    finally:
        await store.close()
    return [
        Finding(f"the state of each call is written behind each turn to {where}, {shared}"),
        Finding("keys a caller pressed and replies being spoken die with the process"),
    ]
