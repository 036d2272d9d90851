"""Writing an agent file without being an engineer: new, lint, try, diff, rollback, schema."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NoReturn

import dotenv
import typer
from rich.console import Console
from rich.markup import escape

from policies import agent_new
from policies.agent_advice import advice, located, rule_faults, summary
from policies.agent_diff import differences
from policies.agent_faults import AgentFileInvalid, suggestion
from policies.agent_file import AgentFile, conflicts, parse
from policies.agent_new import LANGUAGES, Provider
from policies.agent_schema import schema as json_schema
from policies.context import Situation
from policies.gates import compile_gates
from policies.guard.rulebook import RulesInvalid
from policies.yaml_lines import read
from relay import agents, declared, desks, places, providers, trying, versions
from relay.reload import signal_reload
from relay.settings import Settings

KEYS = {Provider.OPENAI: "OPENAI_API_KEY", Provider.ANTHROPIC: "ANTHROPIC_API_KEY"}
WITH_KEYS = Settings(openai_api_key="set", anthropic_api_key="set")  # a file is in order without them

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

FileArgument = Annotated[Path, typer.Argument(help="An agent file.")]


def new(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("agent.yaml"),
    name: Annotated[str, typer.Option(help="The agent's name.")] = "my-agent",
    organisation: Annotated[str, typer.Option(help="Whose agent it is.")] = "Acme Home",
    language: Annotated[str, typer.Option(help=" or ".join(LANGUAGES) + ".")] = LANGUAGES[0],
    provider: Annotated[
        Provider | None, typer.Option(help="Who answers; else the one whose key is set.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write an agent file that takes a call within a minute, with a model's key or without one."""
    if language not in LANGUAGES:
        _stop(f"--language {language}: must be {' or '.join(LANGUAGES)}{suggestion(language, LANGUAGES)}")
    chosen = provider or _with_a_key()
    cues = file.with_name(f"{file.stem}-cues.yaml")
    text = agent_new.agent_file(
        file=str(file),
        cues=cues.name,
        name=name,
        organisation=organisation,
        language=language,
        provider=chosen,
    )
    try:
        compile_gates(parse(text, source=str(file)))
    except (AgentFileInvalid, RulesInvalid) as error:
        _stop(str(error))
    texts = {file: text} | ({cues: agent_new.cues(language)} if chosen is Provider.SCRIPTED else {})
    for path in texts:
        if path.exists() and not force:
            _stop(f"{path} exists already: choose another name, or --force to write over it")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for path, each in texts.items():
            path.write_text(each, "utf-8")
    except OSError as error:
        _stop(f"{file}: cannot be written ({error.strerror})")
    out.print(f"Wrote {' and '.join(map(str, texts))}. Now:", markup=False)
    if chosen in KEYS and chosen is not _with_a_key():
        out.print(f"  export {KEYS[chosen]}=…", markup=False)
    out.print(f"  fivegates serve --agent {shlex.quote(str(file))}\n  fivegates phone", markup=False)


def lint(files: Annotated[list[Path], typer.Argument(help="Agent files, or folders of them.")]) -> None:
    """Say what is wrong with agent files, each fault with its line; exit 1 if anything is."""
    found: list[AgentFile] = []
    faulty = False
    for path in dict.fromkeys(files):
        try:
            loaded = agents.load([path])
        except agents.AgentsInvalid as error:
            faulty = True
            for line in str(error).splitlines():
                out.print(f"[red]✗[/] {escape(line)}")
            continue
        for file in loaded:
            faulty |= not _in_order(file)
        found += loaded
    for conflict in conflicts({file.source: file for file in found}.values()):
        out.print(f"[yellow]![/] {escape(f'{conflict}: they cannot be served together')}")
    if faulty:
        raise typer.Exit(1)


def try_(
    file: FileArgument,
    sentence: Annotated[str, typer.Argument(help="What the agent would say; as the caller's, its intent.")],
    phone: Annotated[str | None, typer.Option(help="A caller to look up in the file's CRM.")] = None,
    to: Annotated[str | None, typer.Option(help="The number that is dialled.")] = None,
    returning: Annotated[bool | None, typer.Option(help="Is the caller known from before?")] = None,
    intent: Annotated[str | None, typer.Option(help="The caller's intent.")] = None,
    tier: Annotated[str | None, typer.Option(help="The caller's tier.")] = None,
) -> None:
    """Show which rule fires on a sentence and what would be said instead, and which context would enter."""
    try:
        agent = _read(file)
        gates = compile_gates(agent)
    except (AgentFileInvalid, RulesInvalid) as error:
        _stop(str(error))
    if intent is not None and intent not in (known := [*agent.intents, trying.OTHER]):
        _stop(f"--intent {intent}: the file declares {', '.join(known)}{suggestion(intent, known)}")
    out.print("[bold]Said by the agent[/]")
    for line in trying.judged(agent, gates, sentence):
        out.print(f"  {line}", markup=False)
    recognised = intent or gates.intents.recognise(sentence)
    out.print("[bold]Said by the caller[/]")
    out.print(f"  intent: {recognised or trying.OTHER}", markup=False)
    situation = Situation(returning, recognised, tier)
    found = None
    if phone is not None:
        says, found = trying.look_up(agent, gates, phone, _environment())
        out.print(f"  {says}", markup=False)
    for line in trying.entering(agent, gates, situation, dialled=to, found=found):
        out.print(f"  {line}", markup=False)


def diff(old: FileArgument, new: FileArgument) -> None:
    """Say in plain words what changed between two agent files."""
    try:
        lines = differences(_read(old), _read(new))
    except AgentFileInvalid as error:
        _stop(str(error))
    for line in lines or ["Nothing changed that an agent would do differently."]:
        out.print(line, markup=False)


def schema() -> None:
    """Print the JSON Schema of the agent file, for editors."""
    print(json.dumps(json_schema(), ensure_ascii=False, indent=2))  # noqa: T201  - data, not prose


def rollback(
    settings: Settings, file: Path, to: str | None, name: str, reason: str, *, list_only: bool
) -> None:
    """Put an earlier version of an agent file back, and have a running server take it."""
    try:
        text = file.read_text("utf-8", errors="replace") if file.exists() else None
        agent, kept = versions.of_file(settings.data, file, text)
        now = sha256((text or "").encode()).hexdigest()
        if list_only:
            for each in kept:
                out.print(f"{each}{'  (now)' if each.hash == now else ''}", markup=False)
            return
        wanted = versions.find(kept, now, to)
        earlier = parse(wanted.path.read_text("utf-8"), source=f"{file} as it was")
        compile_gates(earlier)
        if text is not None:
            versions.keep_text(settings.data, agent, text, file, time.time())
        versions.put_back(wanted, file)
        told = signal_reload(settings.data)
        entry = {"at": time.time(), "agent": agent, "from": now, "to": wanted.hash}
        _record(settings.data / "rollbacks.log", {**entry, "name": name, "reason": reason})
    except (AgentFileInvalid, RulesInvalid, versions.NoSuchVersion, OSError) as error:
        _stop(str(error))
    out.print(f"{file} is again {wanted}", markup=False)
    for line in _undone(text, earlier):
        out.print(f"  {line}", markup=False)
    out.print("The running server takes it for new calls." if told else "No server is running here.")


# -- what is said ----------------------------------------------------------------------------------------


def _in_order(file: AgentFile) -> bool:
    """Print what is wrong with a file that can be read, or what it does."""
    document = read(Path(file.source).read_text("utf-8"))
    faults = [
        *desks.faults([file]),
        *declared.faults([file]),
        *places.faults([file]),
        *providers.faults([file], WITH_KEYS),
    ]
    faults += [f"{file.source}:{located(fault, file, document)}" for fault in rule_faults(file)]
    for fault in faults:
        out.print(f"[red]✗[/] {escape(fault)}")
    if faults:
        return False
    for warning in advice(file, document):
        out.print(f"[yellow]![/] {escape(f'{file.source}:{warning}')}")
    out.print(f"[green]✓[/] {escape(f'{file.source}: {summary(file, compile_gates(file))}')}")
    return True


def _undone(text: str | None, earlier: AgentFile) -> Iterator[str]:
    """What is different now, if the text before could be read."""
    try:
        yield from differences(parse(text or ""), earlier)
    except AgentFileInvalid:
        return


def _record(path: Path, entry: dict[str, object]) -> None:
    """A line more, for its owner alone. Raises `OSError`."""
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8") as log:
        log.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _with_a_key() -> Provider:
    """Whose key is set; without one, the answers are scripted."""
    known = _environment()
    return next((each for each, key in KEYS.items() if known.get(key)), Provider.SCRIPTED)


def _environment() -> dict[str, str]:
    """The environment over `.env`, as `serve` has it."""
    return {**{k: v for k, v in dotenv.dotenv_values(".env").items() if v is not None}, **os.environ}


def _read(path: Path) -> AgentFile:
    try:
        return parse(path.read_text("utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path}: cannot be read ({type(error).__name__})")


def _stop(says: str) -> NoReturn:
    err.print(escape(says))
    raise typer.Exit(1)
