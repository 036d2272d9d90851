"""Composition: every concrete part of one process is chosen and put together here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import httpx
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from compliance.briefs import Briefs, Question
from compliance.controls import ControlStore
from compliance.database import Database, DatabaseUnavailable
from compliance.delivery import Delivery, Schedule, Sender
from compliance.do_not_call import DoNotCall
from compliance.events import Event, Fact, Kind, Recorder
from compliance.follow_ups import FollowUps
from compliance.journal import Journal, journal_url
from compliance.outbox import Entry, Outbox, State
from compliance.past_calls import PastCalls
from compliance.record import CallLine, Record, StoredEvent
from compliance.spool import Spool, spool_path
from console import pages
from console.access import Access
from console.briefs import BriefPages
from evaluation.phone import Account, Phone, Seen, Target
from handoff.links import sign
from handoff.port import Urls
from handoff.twilio_rest import TwilioRest
from policies.agent_file import AgentFile
from policies.agent_handoff import FollowUp as FollowUpConfig
from policies.gates import compile_gates
from policies.outcome import Stopped
from relay import addresses, aftercall, declared, desks, places, providers
from relay.actions import Actions, ActionSender
from relay.agents import AgentsInvalid
from relay.clock import clock
from relay.control import Control
from relay.forms import Forms
from relay.handings import Handings, SlotAttempts
from relay.left_to_do import LeftToDo
from relay.live import LiveCalls
from relay.llm import http
from relay.lookup import Lookups
from relay.outbound import Outbound
from relay.places import Choice, choices
from relay.settings import Settings, local_key
from relay.signature import Keys
from relay.socket import RelaySocket
from relay.state import WriteBehind, open_store
from relay.studio import StudioRoutes
from relay.switchboard import Agent, Switchboard
from relay.transfer_routes import TransferRoutes
from relay.transfers import Transfers
from relay.webhooks import Webhooks

DOING = Schedule(attempts=8, first=0.5, longest=3600.0, check_after=0.0)  # a caller waits for it
"""When a side effect is tried: at first while the caller waits, and for some hours after that."""

BRIEF_OPEN = 8 * 3600.0  # seconds that the link to a brief opens: a working day

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Both:
    """Records with the journal, and shows each event to somebody who watches."""

    journal: Recorder
    watcher: Recorder

    def record(self, event: Event) -> None:
        self.journal.record(event)
        self.watcher.record(event)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The journal's reading side, opened for each reading: it may not have been written yet."""

    url: str

    def events(self, call_sid: str, after: int = 0) -> Sequence[StoredEvent]:
        with Record(self.url) as record:
            return record.events(call_sid, after)

    def calls(self, limit: int = 50) -> Sequence[CallLine]:
        with Record(self.url) as record:
            return record.calls(limit)


@dataclass(frozen=True, slots=True)
class Relay:
    """One process of the server. `base` is its own address, http://HOST:PORT, for the browser phone."""

    settings: Settings
    files: Sequence[AgentFile]
    base: str
    watcher: Recorder | None = None
    again: Callable[[], Sequence[AgentFile]] | None = None  # reads the agent files anew, for SIGHUP
    live: LiveCalls = field(default_factory=LiveCalls)

    def app(self) -> Starlette:
        """The ASGI application. Its lifespan opens what calls need and closes it, queues written first."""
        return Starlette(
            routes=[
                Route("/twilio/voice", _voice, methods=["POST"]),
                Route("/twilio/action", _action, methods=["POST"]),
                Route("/twilio/status", _status, methods=["POST"]),
                Route("/twilio/fallback", _fallback, methods=["POST"]),
                Route("/twilio/amd", _answered_by, methods=["POST"]),
                Route("/calls", _place, methods=["POST"]),
                WebSocketRoute(addresses.SOCKET, _relay),
                Route("/healthz", _alive),
                Route("/readyz", _ready),
                *TransferRoutes(_webhooks).all(),
                *StudioRoutes(_webhooks).routes(),
                *self._briefs().routes(),
                *pages.routes(self._console()),
            ],
            lifespan=self._lifespan,
        )

    async def drain(self) -> None:
        await self.live.drain(self.settings.drain_seconds)

    def phone(self, observe: Callable[[Seen], None]) -> Phone:
        """A phone that calls this server as Twilio would: through its public address, signed."""
        settings = self.settings
        voice = f"{settings.public_url or self.base}/twilio/voice"
        target = Target(webhook=voice, via=self.base if settings.public_url else None)
        account = Account(auth_token=settings.auth_token or "")
        if settings.account_sid:
            account = replace(account, sid=settings.account_sid)
        return Phone(target, account, observe=observe)

    def _briefs(self) -> BriefPages:
        """Opened by their own signed links, also where the console is closed."""
        settings = self.settings

        def template(agent: str) -> str:
            own = [file for file in self.files if file.agent.name == agent]
            return own[0].handoff.brief.template if own else ""

        def store(request: Request) -> Briefs:
            calls: Switchboard = request.app.state.calls
            return calls.briefs

        def now(request: Request) -> float:
            calls: Switchboard = request.app.state.calls
            return calls.clock()

        def answered(request: Request, call_sid: str, question: Question, yes: bool) -> None:
            calls: Switchboard = request.app.state.calls
            calls.tell(call_sid, Kind.BRIEF_ANSWERED, question=question.value, yes=yes)

        return BriefPages(store, announcement_key(settings), now, template, answered)

    def _console(self) -> pages.Console:
        settings = self.settings
        return pages.Console(
            reader=Recorded(journal_url(settings.data)),
            access=Access(settings.public_url, settings.console_token),
            dial=self.phone,
            agents=tuple(
                pages.Answering(file.agent.name, next(iter(file.agent.numbers), ""), file.language)
                for file in self.files
            ),
            version=version("fivegates"),
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with self._opened() as calls:
            token = self.settings.auth_token
            keys = Keys(token, self.settings.shared_keys) if token else None
            where = addresses.Addresses(self.settings.public_url, keys)
            transfers = self._transfers(calls)
            app.state.calls = calls
            app.state.webhooks = Webhooks(calls, where, Forms(where, self.settings.account_sid), transfers)
            app.state.relay = RelaySocket(calls, where)
            app.state.outbound = Outbound(
                calls, app.state.webhooks.forms, self.settings.public_url, self.settings.api_token
            )
            with self._reloading(calls):
                yield
            await transfers.close()

    def _transfers(self, calls: Switchboard) -> Transfers:
        def choices_of(name: str) -> Mapping[str, Choice]:
            agent = calls.agent_named(name)
            return agent.choices if agent else places.always()

        def follow_up_of(name: str) -> FollowUpConfig | None:
            agent = calls.agent_named(name)
            return agent.file.handoff.follow_up if agent else None

        async def ended(call_sid: str, stopped: Stopped) -> None:
            calls.finalise(call_sid, stopped, await calls.snapshot(call_sid))

        base = self.settings.public_url or self.base
        return Transfers(
            handings=calls.handings,
            attempts=SlotAttempts(calls.store),
            urls=Urls(base),
            clock=calls.clock,
            choices=choices_of,
            brief_url=lambda ref: f"{base}/brief/{sign(calls.key, ref, calls.clock() + BRIEF_OPEN)}",
            left_to_do=LeftToDo(calls.follow_ups, calls.tell, calls.clock, follow_up_of),
            tell=calls.tell,
            ended=ended,
        )

    @contextmanager
    def _reloading(self, calls: Switchboard) -> Iterator[None]:
        """SIGHUP reads the agent files anew: new calls get the new ones, live calls keep theirs."""
        if self.again is None:
            yield
            return
        loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def begin() -> None:
            task = loop.create_task(self._reload(calls))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        loop.add_signal_handler(signal.SIGHUP, begin)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _reload(self, calls: Switchboard) -> None:
        """All of the files or, when anything is wrong with any of them, none."""
        assert self.again is not None  # noqa: S101  - only called when it is set
        try:
            files = await asyncio.to_thread(self.again)
        except AgentsInvalid as error:
            log.error("agent files refused, the old ones stay", faults=str(error))  # noqa: TRY400
            return
        calls.agents[:] = [await calls.connect(file) for file in files]
        log.warning("agent files loaded anew", agents=[f"{f.agent.name} {f.version}" for f in files])

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Switchboard]:
        settings = self.settings
        async with AsyncExitStack() as stack:
            journal = await asyncio.to_thread(Journal, journal_url(settings.data))
            stack.push_async_callback(asyncio.to_thread, journal.close)
            recorder: Recorder = Both(journal, self.watcher) if self.watcher else journal
            store = open_store(settings.redis_url, settings.data)
            stack.push_async_callback(store.close)
            snapshots = await stack.enter_async_context(WriteBehind(store, self.live.supersede))
            session = await stack.enter_async_context(http.session())
            crm_http = await stack.enter_async_context(httpx.AsyncClient())
            past = PastCalls(journal_url(settings.data))
            stack.callback(past.close)
            lookups = Lookups()
            stack.push_async_callback(lookups.close)
            now = clock()

            senders: dict[str, Sender] = {}

            def tell(entry: Entry, state: State, reason: str) -> None:
                facts = aftercall.told(entry, state, reason)
                recorder.record(
                    Event(entry.call_sid, now(), Kind.WRITE_BACK, session=entry.session, facts=facts)
                )

            outbox = Outbox(journal_url(settings.data))
            stack.callback(outbox.close)
            spool = Spool(spool_path(settings.data))
            delivery = Delivery(outbox, spool, senders, time.time, tell, jitter=random.random)
            delivering = asyncio.create_task(delivery.run())
            stack.push_async_callback(_cancelled, delivering)
            after = aftercall.Aftercall(past, delivery)
            stack.push_async_callback(after.close)

            actions = Actions(time.time)
            doers: dict[str, Sender] = {}

            def done(entry: Entry, state: State, reason: str) -> None:
                actions.told(entry, state, reason)
                facts = {**aftercall.told(entry, state, reason), "what": _tool_of(entry)}
                recorder.record(
                    Event(entry.call_sid, now(), Kind.SIDE_EFFECT, session=entry.session, facts=facts)
                )

            kept = Spool(spool_path(settings.data).with_name("actions.spool"))
            doing = Delivery(outbox, kept, doers, time.time, done, jitter=random.random, schedule=DOING)
            stack.push_async_callback(_cancelled, asyncio.create_task(doing.run()))

            rest = twilio_rest(settings, crm_http)
            database = Database(journal_url(settings.data))
            stack.callback(database.close)

            def tell_of(call_sid: str, kind: Kind, turn: int = 0, session: int = 1, **facts: Fact) -> None:
                recorder.record(Event(call_sid, now(), kind, turn, session, facts))

            control = Control(ControlStore(database), self.live, tell_of, now)
            with contextlib.suppress(DatabaseUnavailable):
                await control.look()  # what was paused is paused from the first call on
            stack.push_async_callback(_cancelled, asyncio.create_task(control.run()))

            async def connect(file: AgentFile) -> Agent:
                model = providers.connect(file, settings, session)
                gates = await asyncio.to_thread(compile_gates, file)
                desk = desks.open_desk(file, past, now, http=crm_http)
                if desk.crm and desk.channel:
                    senders[desk.channel] = aftercall.CrmSender(desk.crm.adapter)
                    delivery.wake()
                tools = declared.connect(file, crm_http)
                for each in tools.values():
                    reads = each.tool.read_back is not None
                    doers[each.channel] = ActionSender(each.receiver, reads, actions.answered)
                doing.wake()
                return Agent(
                    file,
                    model,
                    gates,
                    desk,
                    tools,
                    choices(file, rest, now),
                    providers.prices(file, model),
                )

            yield Switchboard(
                settings=settings,
                agents=[await connect(file) for file in self.files],
                connect=connect,
                key=announcement_key(settings),
                journal=recorder,
                store=store,
                snapshots=snapshots,
                live=self.live,
                lookups=lookups,
                aftercall=after,
                handings=Handings(store),
                actions=actions,
                doing=doing,
                control=control,
                follow_ups=FollowUps(database),
                briefs=Briefs(database),
                do_not_call=DoNotCall(database),
                rest=rest,
                clock=now,
            )


def twilio_rest(settings: Settings, http: httpx.AsyncClient) -> TwilioRest | None:
    """Twilio's REST API, where we may use it."""
    if not (settings.account_sid and settings.auth_token):
        return None
    return TwilioRest(settings.account_sid, settings.auth_token, http, base=settings.twilio_api_base)


def announcement_key(settings: Settings) -> bytes:
    """Shared by every process that may take the call: from the auth token, else from this machine's key."""
    secret = settings.auth_token.encode() if settings.auth_token else local_key(settings.data)
    return hmac.new(secret, b"fivegates announcement", hashlib.sha256).digest()


def _tool_of(entry: Entry) -> str:
    """The tool's name in the kind of an entry: `tool.NAME.DIGEST`."""
    return entry.kind.split(".")[1]


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _webhooks(request: Request) -> Webhooks:
    webhooks: Webhooks = request.app.state.webhooks
    return webhooks


async def _voice(request: Request) -> Response:
    return await _webhooks(request).voice(request)


async def _action(request: Request) -> Response:
    return await _webhooks(request).action(request)


async def _status(request: Request) -> Response:
    return await _webhooks(request).status(request)


async def _fallback(request: Request) -> Response:
    return await _webhooks(request).fallback(request)


async def _place(request: Request) -> Response:
    outbound: Outbound = request.app.state.outbound
    return await outbound.place(request)


async def _answered_by(request: Request) -> Response:
    outbound: Outbound = request.app.state.outbound
    return await outbound.answered_by(request)


async def _relay(socket: WebSocket) -> None:
    relay: RelaySocket = socket.app.state.relay
    await relay(socket)


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive\n")


async def _ready(request: Request) -> Response:
    """Ready for new calls? The reasons in words; what is down but does not stop a call is named as well."""
    calls: Switchboard = request.app.state.calls
    reasons = calls.not_ready()
    answer = {"ready": not reasons, "reasons": reasons, "impaired": await calls.impaired()}
    return JSONResponse(answer, 503 if reasons else 200)
