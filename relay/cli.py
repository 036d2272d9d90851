"""`fivegates`: the command line, and the composition of what each command needs."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

import dotenv
import structlog
import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from compliance.controls import EVERY_AGENT
from compliance.journal import journal_url
from compliance.record import CallLine, JournalUnreadable, NoJournal, Record
from compliance.summary import three_lines, timeline
from evaluation import flows
from evaluation.phone import Account, CallRefused, Phone, Target
from policies.agent_file import AgentFile
from policies.this_machine import loopback
from relay import (
    account_cli,
    agents,
    authoring,
    declared,
    desks,
    doctor,
    people_cli,
    places,
    providers,
    versions,
    workers,
)
from relay.app import Relay
from relay.server import Server, config
from relay.settings import Settings, SettingsInvalid, data_fault, load
from relay.terminal import Terminal, row, talk

cli = typer.Typer(
    name="fivegates",
    help="Answer phone calls through Twilio ConversationRelay, behind five gates.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AgentOption = Annotated[list[Path] | None, typer.Option("--agent", help="An agent file or a folder of them.")]
HostOption = Annotated[str, typer.Option(help="The address to listen on.")]
NameOption = Annotated[str, typer.Option("--name", help="Who does it, for the record.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
NumberArgument = Annotated[int, typer.Argument(help="Its id, as `follow-up list` shows it.")]
PortOption = Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)]


def main() -> None:
    cli()


@cli.command()
def serve(
    agent: AgentOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    workers_: Annotated[int, typer.Option("--workers", help="Processes on this port.", min=1)] = 1,
) -> None:
    """Take calls. Prints `listening on http://HOST:PORT` when ready."""
    settings, agent_files = _prepare(agent, host)
    _log_to_stderr()
    listening = _bind(host, port)
    address = f"http://{_in_url(host)}:{listening.getsockname()[1]}"
    tell = partial(print, f"listening on {address}", flush=True)
    if not agent and settings.agent is None:
        err.print("No agent file was named (--agent or FIVEGATES_AGENT): the demo agent answers.")
    again = partial(_load, _agent_paths(agent, settings), settings)
    try:
        with _pid_file(settings.data):
            if workers_ == 1:
                _run(Relay(settings, agent_files, address, again=again), listening, tell)
            else:
                work = partial(_work, settings, agent_files, address, again)
                workers.serve(work, listening, workers_, tell)
    except workers.WorkerFailed as error:
        _stop(str(error))


@cli.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit after the call.")] = False,
    port: PortOption = 8080,
) -> None:
    """Serve the demo agent, place one simulated call over the real websocket, and show it live."""
    # The demo is for this machine alone, whatever is configured for the real server.
    settings = Settings(data=load({"FIVEGATES_DATA": os.environ.get("FIVEGATES_DATA", "")}).data)
    _log_to_stderr()
    try:
        listening = _listen("127.0.0.1", port)
    except OSError:
        listening = _listen("127.0.0.1", 0)
    uvloop.run(_demo(settings, agents.load([agents.SHIPPED]), listening, once=once))


@cli.command()
def phone(
    url: Annotated[
        str, typer.Option(help="The ConversationRelay socket.")
    ] = "ws://127.0.0.1:8080/twilio/relay",
    webhook: Annotated[
        str | None, typer.Option(help="The voice webhook, when it is not beside the socket.")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="The number to dial.")] = "+15550100001",
    from_: Annotated[str, typer.Option("--from", help="The number to call from.")] = "+15550100002",
    script: Annotated[Path | None, typer.Option(help="A flow (YAML) to play instead of your typing.")] = None,
) -> None:
    """Call a ConversationRelay server from the terminal: type what you say; /press 12#, /bye."""
    settings = _settings()
    account = Account(auth_token=settings.auth_token or "")
    if settings.account_sid:
        account = replace(account, sid=settings.account_sid)
    terminal = Terminal(out)
    line = Phone(_target(url, webhook, settings), account, caller=from_, called=to, observe=terminal.see)
    try:
        flow = flows.parse(script.read_text("utf-8")) if script else None
        passed = asyncio.run(_play(flow, line) if flow else talk(line, terminal))
    except CallRefused as error:
        _stop(f"The call was refused: {error}")
    except (flows.FlowInvalid, OSError) as error:
        _stop(f"{script}: {error}")
    raise typer.Exit(0 if passed else 1)


@cli.command()
def calls(
    call_sid: Annotated[
        str | None, typer.Argument(help="One call; without it, the latest are listed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list.")] = 20,
    to: Annotated[str, typer.Option("--to", help="Send the live call to a person: a destination.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End the live call.")] = False,
    name: NameOption = "",
    reason: ReasonOption = "",
) -> None:
    """Show the record of calls, also while the server runs; or take a live call from the agent."""
    settings = _settings()
    if to or end:
        if call_sid is None or (to and end):
            _stop("Name one call, and either --to or --end: fivegates calls CALL_SID --to DEST")
        by = name or getpass.getuser()
        people_cli.order(settings, call_sid, ends=end, to=to, by=by, reason=reason)
        return
    try:
        record = Record(journal_url(settings.data))
        if call_sid is not None:
            _show(record, call_sid)
            return
        for each in record.calls(limit):
            out.print(_listed(each), markup=False, soft_wrap=True)
    except (NoJournal, JournalUnreadable) as error:
        _stop(str(error))


@cli.command()
def pause(
    agent: Annotated[str, typer.Argument(help="The agent's name; without it, every agent.")] = EVERY_AGENT,
    to: Annotated[str, typer.Option("--to", help="Where new calls go: a destination.")] = "",
    name: NameOption = "",
    reason: ReasonOption = "",
) -> None:
    """Stop an agent: new calls go to people, on all workers within 2 s."""
    people_cli.pause(_settings(), agent, to, name or getpass.getuser(), reason)


@cli.command()
def resume(
    agent: Annotated[str, typer.Argument(help="The agent's name; without it, every agent.")] = EVERY_AGENT,
    name: NameOption = "",
    reason: ReasonOption = "",
) -> None:
    """Let a paused agent answer again."""
    people_cli.resume(_settings(), agent, name or getpass.getuser(), reason)


follow_up = typer.Typer(help="What calls left to do.", no_args_is_help=True)
cli.add_typer(follow_up, name="follow-up")


@follow_up.command(name="list")
def follow_up_list(
    owner: Annotated[str, typer.Option(help="Only what this person owns.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Also what is done.")] = False,
) -> None:
    """What is left to do, the first that is due first."""
    people_cli.follow_ups(_settings(), owner, everything=all_)


@follow_up.command(name="assign")
def follow_up_assign(number: NumberArgument, owner: Annotated[str, typer.Argument()]) -> None:
    """Give a follow-up to somebody."""
    people_cli.assign(_settings(), number, owner)


@follow_up.command(name="done")
def follow_up_done(number: NumberArgument, name: NameOption = "") -> None:
    """A follow-up is done."""
    people_cli.done(_settings(), number, name or getpass.getuser())


twilio = typer.Typer(
    help="The Twilio account: point numbers at this server, read its alerts.", no_args_is_help=True
)
cli.add_typer(twilio, name="twilio")


@twilio.command()
def connect(
    numbers: account_cli.NumbersArgument = None,
    agent: AgentOption = None,
    fallback: Annotated[
        str | None, typer.Option(help="What Twilio asks when this server fails; /twilio/fallback here.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was there before.")] = False,
) -> None:
    """Set a number's voice URL, status callback and fallback URL, check them, and say what was changed."""
    settings = _settings()
    account_cli.connect(settings, _agent_paths(agent, settings), numbers or [], fallback, undo=undo)


@twilio.command(name="doctor")
def twilio_doctor(
    hours: Annotated[float, typer.Option(help="How far to look back.", min=0.1, max=720)] = 24.0,
) -> None:
    """Read the account's errors and warnings, and explain them."""
    account_cli.doctor(_settings(), hours)


cli.command()(authoring.new)
cli.command()(authoring.lint)
cli.command(name="try")(authoring.try_)
cli.command()(authoring.diff)
cli.command()(authoring.schema)


@cli.command()
def rollback(
    file: Annotated[Path | None, typer.Argument(help="The agent file; else FIVEGATES_AGENT.")] = None,
    to: Annotated[str | None, typer.Option(help="A version or a hash; else the one before.")] = None,
    name: NameOption = "",
    reason: ReasonOption = "",
    list_: Annotated[bool, typer.Option("--list", help="Only list the versions that were kept.")] = False,
) -> None:
    """Put an earlier version of an agent file back; a running server takes it for new calls."""
    settings = _settings()
    path = file or settings.agent
    if path is None or path.is_dir():
        _stop("Name the agent file: fivegates rollback FILE")
    authoring.rollback(settings, path, to, name or getpass.getuser(), reason, list_only=list_)


@cli.command(name="doctor")
def doctor_() -> None:
    """Check the settings and every dependency, in words."""
    try:
        settings = load(_environment())
    except SettingsInvalid as error:
        for fault in error.faults:
            out.print(f"[red]✗[/] {escape(fault)}")
        raise typer.Exit(1) from None
    findings = asyncio.run(doctor.examine(settings, _agent_paths(None, settings)))
    for finding in findings:
        out.print(f"{finding.mark} {escape(finding.says)}")
    raise typer.Exit(1 if any(finding.bad for finding in findings) else 0)


# -- serving ---------------------------------------------------------------------------------------------


def _prepare(given: Sequence[Path] | None, host: str) -> tuple[Settings, tuple[AgentFile, ...]]:
    """Settings and agent files, every fault of both said at once before the port opens."""
    faults: list[str] = []
    settings = Settings()
    try:
        settings = load(_environment())
    except SettingsInvalid as error:
        faults += error.faults
    if not faults and settings.auth_token is None and not loopback(host):
        faults.append(
            f"--host {host}: without TWILIO_AUTH_TOKEN and PUBLIC_URL only this machine may call (127.0.0.1)"
        )
    if fault := data_fault(settings.data):
        faults.append(fault)
    found: tuple[AgentFile, ...] = ()
    try:
        found = _load(_agent_paths(given, settings), settings)
    except agents.AgentsInvalid as error:
        faults.append(str(error))
    if faults:
        _stop("\n".join(faults))
    return settings, found


def _load(paths: Sequence[Path], settings: Settings) -> tuple[AgentFile, ...]:
    """Read, check and keep the agent files. Raises `AgentsInvalid` with all that is wrong."""
    found = agents.load(paths)
    if faults := [
        *providers.faults(found, settings),
        *desks.faults(found, _environment()),
        *declared.faults(found, _environment()),
        *places.faults(found),
        *agents.rule_faults(found),
    ]:
        raise agents.AgentsInvalid("\n".join(faults))
    for file in found:
        with contextlib.suppress(OSError):  # serving does not depend on the way back
            versions.keep(settings.data, file, time.time())
    return found


@contextlib.contextmanager
def _pid_file(data: Path) -> Iterator[None]:
    """Tells `rollback` whom to signal."""
    path = data / "serve.pid"
    path.write_text(str(os.getpid()))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _run(relay: Relay, listening: socket.socket, tell: workers.Ready) -> None:
    uvloop.run(_server(relay, tell).serve([listening]))


def _work(
    settings: Settings,
    agent_files: Sequence[AgentFile],
    base: str,
    again: Callable[[], Sequence[AgentFile]],
    listening: socket.socket,
    begun: Flag,
) -> None:
    """One worker process."""
    _log_to_stderr()
    _run(Relay(settings, agent_files, base, again=again), listening, begun.set)


def _server(relay: Relay, tell: workers.Ready) -> Server:
    return Server(config(relay.app()), relay.drain, tell)


async def _demo(
    settings: Settings, agent_files: Sequence[AgentFile], listening: socket.socket, *, once: bool
) -> None:
    terminal = Terminal(out)
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    relay = Relay(settings, agent_files, base, watcher=terminal)
    ready = asyncio.Event()
    server = _server(relay, ready.set)
    serving = asyncio.create_task(server.serve([listening]))
    try:
        await ready.wait()
        out.print(f"[bold]Five Gates[/] answers on {base}. One simulated call:\n")
        result = await flows.run(flows.shipped("demo"), relay.phone(terminal.see))
        await terminal.until_recorded()
        out.print("\n[bold]The record of the call[/]")
        await asyncio.to_thread(_show, Record(journal_url(settings.data)), terminal.call_sid)
        for failure in result.failures:
            err.print(f"[red]The call did not go as it should:[/] {escape(failure)}")
        if once or result.failures:
            server.stop()
        else:
            out.print(f"\nTalk to it yourself: [bold]{base}/phone[/]   (Ctrl-C ends)")
        await serving
    finally:
        serving.cancel()
    if result.failures:
        raise typer.Exit(1)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return _listen(host, port)
    except OSError as error:
        _stop(f"--host {host} --port {port}: cannot listen there ({error.strerror})")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on and each token waits for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


# -- small things ----------------------------------------------------------------------------------------


async def _play(flow: flows.Flow, line: Phone) -> bool:
    result = await flows.run(flow, line)
    for failure in result.failures:
        err.print(f"[red]✗[/] {escape(failure)}")
    return result.passed


def _target(url: str, webhook: str | None, settings: Settings) -> Target:
    """Our own server has its webhook beside the socket; any other is called on its socket alone."""
    beside = url.removesuffix("/relay") + "/voice" if url.endswith("/twilio/relay") else None
    if webhook is None and beside is not None:
        webhook = "http" + beside.removeprefix("ws")
    if webhook and settings.public_url and loopback(urlsplit(webhook).hostname or ""):
        via = webhook.removesuffix("/twilio/voice")
        return Target(webhook=f"{settings.public_url}/twilio/voice", via=via)
    return Target(webhook=webhook) if webhook else Target(socket=url)


def _show(record: Record, call_sid: str) -> None:
    events = [stored.event for stored in record.events(call_sid)]
    if not events:
        _stop(f"There is no call {call_sid} in the record.")
    for heading in three_lines(events):
        out.print(heading, style="bold", markup=False)
    out.print()
    for line in timeline(events):
        out.print(row(line.offset, line.who, line.text))


def _listed(call: CallLine) -> str:
    began = datetime.fromtimestamp(call.started_at, UTC).astimezone()
    seconds = f"{call.ended_at - call.started_at:4.0f} s" if call.ended_at else "  live"
    mark = "  rehearsal" if call.rehearsal else ""
    turns = f"{call.turns} turn{'' if call.turns == 1 else 's'}"
    return (
        f"{began:%Y-%m-%d %H:%M:%S}  {call.call_sid}  {call.caller} → {call.called}  {call.agent}  "
        f"{seconds}  {turns}  {call.outcome}{mark}"
    )


def _agent_paths(given: Sequence[Path] | None, settings: Settings) -> list[Path]:
    return list(given or ([settings.agent] if settings.agent else [agents.SHIPPED]))


def _environment() -> dict[str, str]:
    """The environment over `.env`, which is for development: a deployment sets the environment itself."""
    written = {name: value for name, value in dotenv.dotenv_values(".env").items() if value is not None}
    return {**written, **os.environ}


def _settings() -> Settings:
    try:
        return load(_environment())
    except SettingsInvalid as error:
        _stop("\n".join(error.faults))


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _stop(says: str) -> NoReturn:
    err.print(escape(says))
    raise typer.Exit(1)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
