"""What the webhooks and the socket share about calls: who answers, what was announced, how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from compliance.briefs import Briefs, StoredBrief
from compliance.database import DatabaseUnavailable
from compliance.delivery import Delivery
from compliance.do_not_call import DoNotCall
from compliance.events import Event, Fact, Kind, Recorder
from compliance.follow_ups import FollowUps
from handoff import brief as briefs
from handoff.brief import Brief
from handoff.twilio_rest import TwilioRest
from policies.agent_file import AgentFile, choose
from policies.agent_llm import Price
from policies.gates import Gates
from policies.outcome import Stopped, outcome
from policies.outcome import next_action as worst
from policies.vocabulary import NextAction, Outcome
from relay import announcement
from relay.actions import Actions, Declared
from relay.aftercall import Aftercall, Ended
from relay.announcement import Announcement, NotAnnounced
from relay.caller import Caller
from relay.clock import Clock
from relay.control import Control
from relay.handings import Handing, Handings
from relay.live import LiveCalls
from relay.llm.hedge import Hedged
from relay.lookup import Desk, Lookups
from relay.messages import Setup
from relay.places import Choice
from relay.remembered import Remembered
from relay.settings import Settings
from relay.state import SessionStore, Snapshot, StoreUnavailable, WriteBehind

REQUEST = "request"  # the slot of the facts of `POST /calls`
REQUEST_KEPT = 6 * 3600.0  # seconds: longer than any call
STUDIO_PARAMETER = "fivegates_secret"  # set in the widget, whose calls never pass our webhook


log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent file, ready to take calls."""

    file: AgentFile
    model: Hedged
    gates: Gates
    desk: Desk
    tools: Mapping[str, Declared]
    choices: Mapping[str, Choice]  # where its calls can go, by name
    prices: Mapping[str, Price]  # by model


@dataclass(frozen=True, slots=True)
class Switchboard:
    settings: Settings
    agents: list[Agent]  # replaced in place when the files are loaded anew: calls keep theirs
    connect: Callable[[AgentFile], Awaitable[Agent]]  # makes a file ready to take calls
    key: bytes  # signs our announcements
    journal: Recorder
    store: SessionStore
    snapshots: WriteBehind
    live: LiveCalls
    lookups: Lookups
    aftercall: Aftercall
    handings: Handings
    actions: Actions
    doing: Delivery  # of side effects
    control: Control
    follow_ups: FollowUps
    briefs: Briefs
    do_not_call: DoNotCall
    rest: TwilioRest | None
    clock: Clock
    _used: Remembered[str] = field(default_factory=Remembered)  # announcements, by nonce
    _latest: Remembered[Snapshot] = field(default_factory=Remembered)  # by call
    _announced: Remembered[bool] = field(default_factory=Remembered)
    _ended: Remembered[bool] = field(default_factory=Remembered)
    _keeping: set[asyncio.Task[None]] = field(default_factory=set)
    _requested: Remembered[Mapping[str, str]] = field(default_factory=Remembered)

    def tell(self, call_sid: str, kind: Kind, turn: int = 0, session: int = 1, **facts: Fact) -> None:
        self.journal.record(Event(call_sid, self.clock(), kind, turn, session, facts))

    def agent_for(self, number: str) -> Agent | None:
        """Who answers on this number of ours. Where there is one agent only, it answers on any."""
        if len(self.agents) == 1:
            return self.agents[0]
        file = choose([agent.file for agent in self.agents], number)
        return next((agent for agent in self.agents if agent.file is file), None)

    def agent_named(self, name: str) -> Agent | None:
        return next((agent for agent in self.agents if agent.file.agent.name == name), None)

    def known(self, call_sid: str) -> bool:
        """Did this process announce the call?"""
        return self._announced.get(call_sid) is not None

    def meet(self, call_sid: str, agent: Agent, number: str, stir: str = "", session: int = 1) -> Caller:
        """Who is calling: looked up from the first request on that names the call, beside it."""

        def tell(kind: Kind, turn: int = 0, **facts: Fact) -> None:
            self.tell(call_sid, kind, turn, session, **facts)

        return self.lookups.begin(call_sid, agent.desk, number, stir, tell)

    async def requested(self, call_sid: str, facts: Mapping[str, str]) -> None:
        """Keep what `POST /calls` said of the person, for whichever process the call comes to."""
        self._requested.put(call_sid, facts)
        if facts:
            written = msgspec.json.encode(facts).decode()
            with contextlib.suppress(StoreUnavailable):
                await self.store.exchange(call_sid, REQUEST, None, written, REQUEST_KEPT)

    async def request_of(self, call_sid: str) -> Mapping[str, str]:
        """What `requested` kept; nothing where no store answers."""
        if (known := self._requested.get(call_sid)) is not None:
            return known
        with contextlib.suppress(StoreUnavailable):
            if written := await self.store.read(call_sid, REQUEST):
                return msgspec.json.decode(written, type=dict[str, str])
        return {}

    # -- announcing and admitting a session --------------------------------------------------------------

    def announce(self, account_sid: str, call_sid: str, number: int, *, rehearsal: bool) -> str:
        self._announced.put(call_sid, True)
        return announcement.announce(
            self.key, account_sid, call_sid, number, self.clock(), rehearsal=rehearsal
        )

    def admit(self, setup: Setup) -> tuple[Announcement, Agent]:
        """A session we asked for, and who answers it; from memory alone. Raises `NotAnnounced`."""
        agent = self.agent_for(setup.caller if setup.outbound else setup.called)
        if agent is None:
            raise NotAnnounced("no agent file answers on this number")
        account_sid = self.settings.account_sid
        if account_sid and setup.account_sid != account_sid:
            raise NotAnnounced("the call belongs to another account")
        secret = self.settings.studio_secret
        given = setup.parameters.get(STUDIO_PARAMETER, "")
        if secret and hmac.compare_digest(secret.encode(), given.encode()):
            return Announcement(1, 0, setup.session_id, by_widget=True), agent
        token = setup.parameters.get(announcement.PARAMETER, "")
        found = announcement.read(self.key, token, setup.account_sid, setup.call_sid, self.clock())
        if self._used.first(found.nonce, setup.session_id) != setup.session_id:
            raise NotAnnounced("the announcement of this call was used before")
        if self.live.newest(setup.call_sid) > found.number:
            raise NotAnnounced("a newer session of this call is live")
        return found, agent

    async def used_elsewhere(self, setup: Setup, found: Announcement) -> bool:
        """Has another process admitted this announcement? Asked while the first words are being said."""
        try:
            owner = await self.store.claim(
                setup.call_sid, f"announced-{found.nonce}", setup.session_id, 2 * announcement.LIFETIME
            )
        except StoreUnavailable:
            return False
        return owner != setup.session_id

    # -- the state of a call -----------------------------------------------------------------------------

    def remember(self, snapshot: Snapshot) -> None:
        """Keep the state of a call; what an older session still says of it is too late."""
        known = self._latest.get(snapshot.call_sid)
        if known and known.session > snapshot.session:
            return
        self._latest.put(snapshot.call_sid, snapshot)
        self.snapshots.put(snapshot)

    async def snapshot(self, call_sid: str, session: int | None = None) -> Snapshot | None:
        """The newest state of a call: this process's own, or what the store holds, if it answers.

        The store is not asked when this process itself had the given `session`.
        """
        mine = self._latest.get(call_sid)
        if mine and mine.session == session:
            return mine
        try:
            theirs = await self.store.load(call_sid)
        except StoreUnavailable:
            return mine
        if mine and theirs:
            return max(mine, theirs, key=lambda snapshot: (snapshot.session, snapshot.updated_at))
        return mine or theirs

    def not_ready(self) -> list[str]:
        """Why no new call should come here, in words."""
        reasons = [] if self.live.accepting else ["draining: live calls are ending, new ones go elsewhere"]
        if len(self.live) >= self.settings.max_calls:
            reasons.append(f"full: {len(self.live)} calls (FIVEGATES_MAX_CALLS)")
        return reasons

    async def impaired(self) -> list[str]:
        """What is down without stopping a call, in words."""
        try:
            await self.store.ping()
        except StoreUnavailable:
            return ["the session store does not answer: a call dropped now begins again"]
        return []

    def hand_over(self, handing: Handing, brief: Brief) -> None:
        """Keep what is known of a call that goes to a person, before Twilio asks where to."""
        task = asyncio.create_task(self._keep(handing, brief))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, handing: Handing, brief: Brief) -> None:
        await self.handings.keep(handing)
        stored = StoredBrief(
            ref=handing.brief_ref,
            call_sid=handing.call_sid,
            agent=handing.agent,
            language=handing.language,
            body=briefs.to_json(brief),
            created_at=brief.created_at,
        )
        try:
            await asyncio.to_thread(self.briefs.keep, stored)
        except DatabaseUnavailable as error:
            log.error("a brief was not kept", fault=str(error))  # noqa: TRY400  - its cause quotes nothing

    # -- the end of a call -------------------------------------------------------------------------------

    def finalise(self, call_sid: str, stopped: Stopped, snapshot: Snapshot | None) -> None:
        """Record how the call ended, once, however many requests and sockets say so."""
        if self._ended.get(call_sid):
            return
        self._ended.put(call_sid, True)
        self._latest.forget(call_sid)
        turns = snapshot.turn if snapshot else 0
        unanswered = snapshot.unanswered if snapshot else False
        session = snapshot.session if snapshot else 1
        how = outcome(stopped, turns=turns, unanswered=unanswered)
        caller = self.lookups.caller(call_sid) or Caller()
        missing = [NextAction.MISSING] if stopped is Stopped.NOBODY_TOOK_IT else []
        labels = [*(action.label for action in caller.actions.values()), *missing]
        next_action = worst(labels)
        if snapshot:
            self._leave_behind(snapshot, how, next_action)
        self.tell(
            call_sid,
            Kind.CALL_ENDED,
            session=session,
            outcome=how,
            next_action=next_action,
            stopped=stopped,
            turns=turns,
            input_tokens=caller.usage.input_tokens,
            output_tokens=caller.usage.output_tokens,
            cached_tokens=caller.usage.cached_tokens,
            cost=round(caller.usage.cost, 6),
        )

    def _leave_behind(self, snapshot: Snapshot, how: Outcome, next_action: NextAction) -> None:
        """What the next call and the CRM learn of this one."""
        agent = self.agent_for(snapshot.caller if snapshot.outbound else snapshot.called)
        if agent is None:
            return
        ended = Ended(
            call_sid=snapshot.call_sid,
            session=snapshot.session,
            agent=agent.file.agent.name,
            language=agent.file.language,
            region=agent.desk.region,
            number=snapshot.called if snapshot.outbound else snapshot.caller,
            outcome=how,
            next_action=next_action,
            turns=snapshot.turn,
            at=self.clock(),
            channel=agent.desk.channel,
            rehearsal=snapshot.rehearsal,
        )

        def tell(kind: Kind, turn: int = 0, **facts: Fact) -> None:
            self.tell(snapshot.call_sid, kind, turn, snapshot.session, **facts)

        self.aftercall.begin(ended, self.lookups.caller(snapshot.call_sid) or Caller(), tell)

    async def same_answer(self, call_sid: str, request: str, answer: str) -> str:
        """What was answered to this request the first time, wherever that was."""
        try:
            return await self.store.claim(call_sid, request, answer, 600.0)
        except StoreUnavailable:
            return answer


def ref() -> str:
    """An opaque reference for `handoffData`."""
    return uuid.uuid4().hex
