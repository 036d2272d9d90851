"""Where an agent's calls can go: its destinations, made ready by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from handoff import destinations
from handoff.brief import check_template
from handoff.port import Destination
from handoff.twilio_rest import TwilioRest
from policies import agent_destinations as configured
from policies.agent_file import AgentFile

CALLBACK: Final = "callback"
VOICEMAIL: Final = "voicemail"
ALWAYS: Final[Mapping[str, configured.Destination]] = {
    CALLBACK: configured.Callback.model_validate({"type": "callback", "sla": "1d"}),
    VOICEMAIL: configured.Voicemail.model_validate({"type": "voicemail", "sla": "1d"}),
}
"""A call can always be called back, and a message always left."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One destination, made ready. `on_timeout`: where the call goes when nobody has it."""

    name: str
    config: configured.Destination
    to: Destination
    on_timeout: str


def faults(files: Sequence[AgentFile]) -> list[str]:
    """What keeps a handoff from working and can be known before the port opens."""
    return [
        f"{file.source}: handoff.brief.template {fault}"
        for file in files
        if file.handoff.brief.template
        for fault in check_template(file.handoff.brief.template)
    ]


def choices(file: AgentFile, rest: TwilioRest | None, clock: Callable[[], float]) -> Mapping[str, Choice]:
    return _ready({**ALWAYS, **file.handoff.destinations}, rest, clock)


def always() -> Mapping[str, Choice]:
    """Where a call can go whose agent file is no longer served."""
    return _ready(ALWAYS, None, float)


def _ready(
    configs: Mapping[str, configured.Destination], rest: TwilioRest | None, clock: Callable[[], float]
) -> Mapping[str, Choice]:
    return {
        name: Choice(name, config, destinations.connect(config, rest, clock), config.on_timeout)
        for name, config in configs.items()
    }
