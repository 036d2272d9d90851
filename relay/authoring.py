"""Writing an agent file without being an engineer: new, lint, try, diff, rollback, schema."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from policies import agent_new, context
from policies.agent_diff import differences
from policies.agent_faults import AgentFileInvalid
from policies.agent_file import AgentFile, parse
from policies.agent_schema import schema as json_schema
from policies.context import Situation
from policies.facts import Fact, Trust
from policies.gates import Gates, compile_gates
from policies.guard.guard import Allowed, Blocked, Noted, Redacted, judge
from policies.guard.packs import pack
from policies.guard.rulebook import RulesInvalid
from policies.guard.rules import Rule, Verify
from relay import desks, versions
from relay.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

FileArgument = Annotated[Path, typer.Argument(help="An agent file.")]


def new(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("agent.yaml"),
    name: Annotated[str, typer.Option(help="The agent's name.")] = "my-agent",
    organisation: Annotated[str, typer.Option(help="Whose agent it is.")] = "Acme Home",
    language: Annotated[str, typer.Option(help="en-US or ko-KR.")] = "en-US",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write an agent file that takes a call within a minute, with a model's key or without one."""
    cues = file.with_name(f"{file.stem}-cues.yaml")
    if os.environ.get("OPENAI_API_KEY"):
        models = "  - {provider: openai, model: gpt-4.1-mini}"
    elif os.environ.get("ANTHROPIC_API_KEY"):
        models = "  - {provider: anthropic, model: claude-haiku-4-5}"
    else:
        models = (
            f"  - {{provider: scripted, script: {cues.name}}}   # answers from that file, without any key\n"
            "  # With OPENAI_API_KEY set: - {provider: openai, model: gpt-4.1-mini}"
        )
    text = agent_new.agent_file(
        file=str(file), name=name, organisation=organisation, language=language, models=models
    )
    try:
        compile_gates(parse(text, source=str(file)))
    except (AgentFileInvalid, RulesInvalid) as error:
        _stop(str(error))
    scripted = "provider: scripted" in text
    for path in (file, cues) if scripted else (file,):
        if path.exists() and not force:
            _stop(f"{path} exists already: choose another name, or --force to write over it")
    file.write_text(text, "utf-8")
    if scripted:
        cues.write_text(agent_new.cues(language), "utf-8")
    out.print(f"Wrote {file}" + (f" and {cues}" if scripted else "") + ". Now:", markup=False)
    out.print(f"  fivegates serve --agent {file}\n  fivegates phone", markup=False)


def lint(files: Annotated[list[Path], typer.Argument(help="Agent files.")]) -> None:
    """Say what is wrong with agent files, each fault with its line; exit 1 if anything is."""
    faulty = False
    for path in files:
        try:
            file = _read(path)
            gates = compile_gates(file)
        except (AgentFileInvalid, RulesInvalid) as error:
            faulty = True
            prefix = "" if isinstance(error, AgentFileInvalid) else f"{path}: guard: "
            for line in str(error).splitlines():
                out.print(f"[red]✗[/] {escape(prefix + line)}")
            continue
        for fault in desks.faults([file]):
            faulty = True
            out.print(f"[red]✗[/] {escape(fault)}")
        for warning in warnings(file):
            out.print(f"[yellow]![/] {escape(f'{path}: {warning}')}")
        out.print(f"[green]✓[/] {escape(f'{path}: {summary(file, gates)}')}")
    if faulty:
        raise typer.Exit(1)


def try_(
    file: FileArgument,
    sentence: Annotated[str, typer.Argument(help="What the agent would say, or the caller with --caller.")],
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
    out.print("[bold]Said by the agent[/]")
    for line in _judged(agent, gates, sentence):
        out.print(f"  {line}", markup=False)
    recognised = intent or gates.intents.recognise(sentence)
    out.print("[bold]Said by the caller[/]")
    out.print(f"  intent: {recognised or 'other'}", markup=False)
    for line in _entering(agent, gates, Situation(returning, recognised, tier)):
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
        current = _read(file)
        if list_only:
            for each in versions.versions(settings.data, current.agent.name):
                now = "  (now)" if each.hash == current.hash else ""
                out.print(f"{each}{now}", markup=False)
            return
        wanted = versions.find(settings.data, current, to)
        versions.keep(settings.data, current, time.time())
        versions.put_back(wanted, file)
    except (AgentFileInvalid, versions.NoSuchVersion, OSError) as error:
        _stop(str(error))
    told = signal_reload(settings.data)
    with open(settings.data / "rollbacks.log", "a", encoding="utf-8") as log:
        entry = {"at": time.time(), "agent": current.agent.name, "from": current.hash, "to": wanted.hash}
        log.write(json.dumps({**entry, "name": name, "reason": reason}, ensure_ascii=False) + "\n")
    out.print(f"{file} is again {wanted}", markup=False)
    out.print("The running server takes it for new calls." if told else "No server is running here.")


def signal_reload(data: Path) -> bool:
    """Ask the server of this data folder to load its agent files anew; False when none is running."""
    try:
        os.kill(int((data / "serve.pid").read_text()), signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


# -- what is said ----------------------------------------------------------------------------------------


def summary(file: AgentFile, gates: Gates) -> str:
    """What a file does, in one line."""
    models = ", ".join(f"{entry.provider} {entry.model}".strip() for entry in file.llm)
    packs = ", ".join(file.guard.packs_for(file.agent.languages)) or "no packs"
    rules = len(gates.rulebook.judges)
    fields = len(gates.context.must) + len(gates.context.conditional)
    return (
        f"{file.agent.name} {file.version} speaks {', '.join(file.agent.languages)} with {models}; "
        f"{rules} rules ({packs}); {fields} fields may enter, {len(gates.context.never)} never"
    )


def warnings(file: AgentFile) -> Iterator[str]:
    """What is allowed and probably not meant."""
    rules = file.context.rules()
    classed = {*rules.must, *rules.policy, *rules.never, *(name for name, _ in rules.conditional)}
    crm = set(file.context.crm.fields) if file.context.crm else set()
    sources = file.context.sources
    dialled = {name for facts in sources.dialled_number.values() for name in facts}
    given = crm | dialled | set(sources.parameters) | set(sources.request) | {"previous_call_summary"}
    for name in sorted(crm - classed):
        yield f"context.crm.fields.{name}: is in no class, so it is never fetched and never enters"
    for name in sorted(classed - given - rules.never):
        yield f"context: {name} has no source: no CRM field, dialled number, parameter or request gives it"
    own = [rule.rule(file.source) for rule in file.guard.rules]
    packs = [rule for name in file.guard.packs_for(file.agent.languages) for rule in pack(name)]
    if not file.guard.prices.approved and any(rule.verify is Verify.PRICE for rule in (*own, *packs)):
        yield "guard.prices.approved is empty: every price is blocked"
    yield from (_unproven(rule) for rule in own if not rule.examples.violates)


def _unproven(rule: Rule) -> str:
    return f"guard.rules: {rule.id} has no example that violates it: add one, and it is checked at each start"


def _judged(file: AgentFile, gates: Gates, sentence: str) -> Iterator[str]:
    rulings = judge(gates.rulebook, sentence, file.language)
    fired = False
    for ruling in rulings:
        match ruling:
            case Blocked(rule, text, say_instead, action):
                fired = True
                yield f"{action} by rule {rule}{_why(gates, rule)}, on: “{text}”"
                yield f"said instead: “{say_instead}”"
            case Redacted(rule, text, mask):
                fired = True
                yield f"redact by rule {rule}{_why(gates, rule)}: “{text}” becomes {mask}"
            case Noted(rule):
                fired = True
                yield f"log by rule {rule}{_why(gates, rule)}"
            case Allowed():
                pass
    if not fired:
        yield "no rule fires"
    spoken = "".join(
        ruling.say_instead if isinstance(ruling, Blocked) else ruling.text
        for ruling in rulings
        if isinstance(ruling, Allowed | Blocked)
    )
    yield f"the caller hears: “{spoken}”"


def _why(gates: Gates, rule: str) -> str:
    found = gates.rulebook.judges.get(rule)
    return f" ({found.rule.source}: {found.rule.reason})" if found and found.rule.reason else ""


def _entering(file: AgentFile, gates: Gates, situation: Situation) -> Iterator[str]:
    """With a value for every field there is a source for, which of them would enter."""
    names = set(context.to_fetch(gates.context)) | gates.context.never
    facts = [Fact(name, "…", "an example", Trust.CRM) for name in sorted(names)]
    ruled = context.select(gates.context, facts, situation)
    for entry in ruled.entries:
        yield f"enters: {entry.fact.name} ({entry.reason})"
    for withheld in ruled.refused:
        yield f"withheld: {withheld.name} ({withheld.why})"
    if not facts:
        yield f"nothing enters: {file.source} names no field in `context`"


def _read(path: Path) -> AgentFile:
    try:
        return parse(path.read_text("utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path}: cannot be read ({type(error).__name__})")


def _stop(says: str) -> NoReturn:
    err.print(escape(says))
    raise typer.Exit(1)
