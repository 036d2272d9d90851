"""The models an agent file names, made ready: the one place that maps `provider:` to a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from policies.agent_file import AgentFile
from policies.agent_llm import ModelEntry, Price
from relay.llm import anthropic, echo, openai, openai_realtime, scripted
from relay.llm.cues import BadScript
from relay.llm.deadlines import Deadlines, InTime
from relay.llm.hedge import DELAY, Backend, Hedged
from relay.llm.port import LanguageModel
from relay.settings import OPENAI, Settings

Connect = Callable[[aiohttp.ClientSession], LanguageModel]


def faults(files: Sequence[AgentFile], settings: Settings) -> list[str]:
    """What keeps the models from answering and can be known before the port opens."""
    found: list[str] = []
    for file in files:
        for index, entry in enumerate(file.llm):
            where = f"{file.source}: llm[{index}]"
            ours = entry.provider in ("openai", "openai_realtime")
            if ours and not settings.openai_api_key and _hosted(entry, settings):
                found.append(f"{where}: OPENAI_API_KEY is not set")
            if entry.provider == "anthropic" and not settings.anthropic_api_key:
                found.append(f"{where}: ANTHROPIC_API_KEY is not set")
            if entry.provider == "scripted":
                try:
                    _scripted(file, entry)
                except (BadScript, OSError, UnicodeDecodeError) as error:
                    found.append(f"{where}.script: {error}")
    return found


def connect(file: AgentFile, settings: Settings, http: aiohttp.ClientSession) -> Hedged:
    """The file's models in their order, each within its deadlines: the first is asked, the next ones are
    hedges and fallbacks."""
    backends = [
        Backend(
            InTime(
                _connect(file, entry, settings, http),
                Deadlines(entry.first_token_timeout, entry.stall_timeout, entry.total_timeout),
            ),
            entry.hedge_after or DELAY,
        )
        for entry in file.llm
    ]
    return Hedged(backends, hedge_alone=file.llm[0].hedge_after is not None)


def prices(file: AgentFile, model: Hedged) -> Mapping[str, Price]:
    """By the names of the models."""
    priced = zip(file.llm, model.backends, strict=True)
    return {backend.model.name: entry.price for entry, backend in priced if entry.price}


def _connect(
    file: AgentFile, entry: ModelEntry, settings: Settings, http: aiohttp.ClientSession
) -> LanguageModel:
    match entry.provider:
        case "openai":
            return openai.connect(
                model=entry.model,
                http=http,
                api_key=settings.openai_api_key,
                base_url=entry.base_url or settings.openai_base_url,
                max_tokens=entry.max_tokens,
                temperature=entry.temperature,
            )
        case "anthropic":
            return anthropic.connect(
                model=entry.model,
                http=http,
                api_key=settings.anthropic_api_key,
                base_url=entry.base_url or settings.anthropic_base_url,
                max_tokens=entry.max_tokens,
                temperature=entry.temperature,
            )
        case "openai_realtime":
            return openai_realtime.connect(
                model=entry.model,
                api_key=settings.openai_api_key,
                base_url=entry.base_url or settings.openai_base_url,
                max_tokens=entry.max_tokens,
                reopen_after=entry.reopen_after,
            )
        case "scripted":
            return _scripted(file, entry)
        case "echo":
            return echo.connect()


def _scripted(file: AgentFile, entry: ModelEntry) -> LanguageModel:
    return scripted.connect(
        script=Path(file.source).parent / entry.script, delay=entry.delay or scripted.DELAY
    )


def _hosted(entry: ModelEntry, settings: Settings) -> bool:
    """A server of one's own may need no key; the vendor's does."""
    return (entry.base_url or settings.openai_base_url) == OPENAI
