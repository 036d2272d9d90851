"""`WS /twilio/relay`: who may open it, and the conversation that runs on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from compliance.events import Fact, Kind
from policies.handoff import Decider
from policies.keyed import without
from policies.outcome import Stopped
from policies.redaction import redact
from policies.vocabulary import Speaker, Utterance
from relay.actions import InCall
from relay.addresses import Addresses
from relay.announcement import Announcement, NotAnnounced
from relay.caller import Caller
from relay.conversation import Conversation, HungUp
from relay.cycle import Purpose
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.live import LiveCall
from relay.llm.hedge import Hedged
from relay.messages import Setup, handoff_data, parse
from relay.recovering import Recovery, recovery
from relay.session import Session
from relay.signature import genuine
from relay.state import SavedUtterance, Snapshot
from relay.switchboard import Agent, Switchboard, ref
from relay.tell import Tell
from relay.tools import Toolbox
from relay.turn import Responder

SPEECH = frozenset({"text", "heard", "planned", "spoken"})  # facts of events that hold what was said
SETUP_DEADLINE = 10.0  # seconds; Twilio sends `setup` within milliseconds
CLOSED_BY_CARRIER = 1000
REFUSED = 1008  # policy violation, RFC 6455 §7.4.1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RelaySocket:
    calls: Switchboard
    addresses: Addresses

    async def __call__(self, socket: WebSocket) -> None:
        if not self._allowed(socket):
            log.warning("handshake refused: wrong signature or address")
            await socket.close()  # before accept: the peer sees HTTP 403, Twilio raises 64102
            return
        await socket.accept()
        try:
            setup = await _setup(socket)
            found, agent = self.calls.admit(setup)
        except NotAnnounced as refusal:
            log.warning("session refused", reason=str(refusal))
            await socket.close(REFUSED)
        except HungUp:
            log.warning("session refused", reason="closed before setup")
        else:
            await CallSession(self.calls, socket, setup, found, agent).run()

    def _allowed(self, socket: WebSocket) -> bool:
        """The handshake is signed over the URL exactly as our TwiML gave it."""
        if self.addresses.keys is None:
            return self.addresses.local(socket)
        return genuine(self.addresses.keys, self.addresses.socket(socket), socket.headers)


@dataclass(frozen=True, slots=True)
class CallSession:
    """One admitted session: restored or new, opened, conversed, and its end recorded."""

    calls: Switchboard
    socket: WebSocket
    setup: Setup
    announced: Announcement
    agent: Agent

    async def run(self) -> None:
        sid, number = self.setup.call_sid, self.announced.number
        before = await self.calls.snapshot(sid, number) if number > 1 else None
        session = _restored(before)
        number_of = self._caller_number
        caller = self.calls.meet(sid, self.agent, number_of, session=number)
        if caller.recovery is None:
            caller.recovery = recovery(self.agent.file)
            rules = self.agent.file.handoff.rules
            keys = self.agent.file.conversation.keypad
            caller.decider = Decider(rules, {str(key): what for key, what in keys.items()})
        if number > 1:
            caller.recovery.bad_line.dropped(self.calls.clock())
        floor = Floor(caller.recovery.silence, caller.recovery.language, self.calls.clock)
        line = Line(session, partial(_send, self.socket), floor)

        def tell(kind: Kind, turn: int = 0, **facts: Fact) -> None:
            kept = {
                name: redact(without(session.keyed, fact))
                if name in SPEECH and isinstance(fact, str)
                else fact
                for name, fact in facts.items()
            }
            self.calls.tell(sid, kind, turn, number, **kept)

        live = LiveCall(sid, number, leave=partial(_leave, line, session), close=self.close)
        if older := self.calls.live.enter(live):
            await older.close()
        checking = asyncio.create_task(self._check_used())
        model, connections = self.agent.model.for_call()
        opening = [asyncio.create_task(connection.open()) for connection in connections]
        code = 1006
        try:
            tell(Kind.SESSION_STARTED, session_id=self.setup.session_id, resumed=session.disclosed)
            await self._open(line, session, tell, caller.recovery)
            self.calls.remember(self._snapshot(session, before))
            requested = await self.calls.request_of(sid) if self.setup.outbound else {}
            caller.given = self.agent.desk.given(self._our_number, self.setup.parameters, requested)
            code = await self._conversation(session, line, floor, tell, before, caller, model).run()
        except LineLost:
            log.warning("session lost: the carrier reads nothing")
        finally:
            for task in (checking, *opening):
                task.cancel()
            for connection in connections:
                await connection.aclose()
            self.calls.live.left(live)
            tell(Kind.SESSION_ENDED, close_code=code)
            snapshot = self._snapshot(session, before)
            self.calls.remember(snapshot)
            if code == CLOSED_BY_CARRIER and not session.left:
                self.calls.finalise(sid, Stopped.CALLER_HUNG_UP, snapshot)

    async def close(self) -> None:
        """Close the socket: a newer session owns the call, or this one should not have been opened."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            await self.socket.close(REFUSED)

    def _conversation(
        self,
        session: Session,
        line: Line,
        floor: Floor,
        tell: Tell,
        before: Snapshot | None,
        caller: Caller,
        model: Hedged,
    ) -> Conversation:
        file = self.agent.file
        responder = Responder(
            session=session,
            line=line,
            floor=floor,
            model=model,
            instructions=file.agent.instructions,
            clock=self.calls.clock,
            tell=tell,
            toolbox=self._toolbox(caller),
            recovery=caller.recovery or recovery(file),
            gates=self.agent.gates,
            caller=caller,
            multilingual=file.voice.transcription_language == "multi",
        )
        return Conversation(
            session=session,
            line=line,
            floor=floor,
            responder=responder,
            receive=partial(_receive, self.socket),
            changed=lambda: self.calls.remember(self._snapshot(session, before)),
            clock=self.calls.clock,
            tell=tell,
        )

    def _toolbox(self, caller: Caller) -> Toolbox:
        file = self.agent.file
        by = InCall(
            self.setup.call_sid,
            self.announced.number,
            file.agent.name,
            caller.may_claim,
            caller.actions,
        )
        return Toolbox(
            rules=self.agent.gates.context,
            intents=tuple(file.intents),
            caller=caller,
            declared=self.agent.tools,
            actions=self.calls.actions,
            delivery=self.calls.doing,
            by=by,
        )

    @property
    def _caller_number(self) -> str:
        return self.setup.called if self.setup.outbound else self.setup.caller

    @property
    def _our_number(self) -> str:
        return self.setup.caller if self.setup.outbound else self.setup.called

    async def _open(self, line: Line, session: Session, tell: Tell, recovery: Recovery) -> None:
        """The first words, at once: the disclosure and the greeting, or that we are back."""
        file = self.agent.file
        if session.disclosed:
            words = recovery.lines.resumed
            recovery.invited = True
            await line.send(session.resume_with(words))
            tell(Kind.SAID, text=words, purpose=Purpose.RESUME)
            return
        disclosure = file.disclosure(file.language)
        greeting = file.greeting(file.language)
        await line.send(session.open_with(disclosure, greeting, self.calls.clock()))
        tell(Kind.DISCLOSURE_SENT, text=disclosure)
        tell(Kind.SAID, text=greeting, purpose=Purpose.GREETING)

    async def _check_used(self) -> None:
        """Another process may have admitted the same announcement: the first words do not wait for that."""
        if await self.calls.used_elsewhere(self.setup, self.announced):
            log.warning("session refused", reason="the announcement was used in another process")
            await self.close()

    def _snapshot(self, session: Session, before: Snapshot | None) -> Snapshot:
        return Snapshot(
            call_sid=self.setup.call_sid,
            session=self.announced.number,
            turn=session.turn,
            agent=self.agent.file.agent.name,
            agent_hash=self.agent.file.hash,
            caller=self.setup.caller,
            called=self.setup.called,
            outbound=self.setup.outbound,
            history=tuple(
                SavedUtterance(entry.speaker, without(session.keyed, entry.text), entry.interrupted)
                for entry in (*session.history, *session.queued)
            ),
            disclosed=session.disclosed,
            unanswered=session.unanswered,
            resumes=before.resumes if before else 0,
            rehearsal=self.announced.rehearsal,
            updated_at=self.calls.clock(),
        )


def _restored(before: Snapshot | None) -> Session:
    if before is None:
        return Session()
    history = [Utterance(Speaker(entry.speaker), entry.text, entry.interrupted) for entry in before.history]
    return Session(history, turn=before.turn, disclosed=before.disclosed)


async def _leave(line: Line, session: Session) -> None:
    await line.send(session.end(handoff_data("resume", ref())))


async def _send(socket: WebSocket, frame: str) -> None:
    """Raises `LineLost` when the socket is closed, from either side."""
    if socket.application_state is not WebSocketState.CONNECTED:
        raise LineLost("the socket is closed")
    try:
        await socket.send_text(frame)
    except WebSocketDisconnect as error:
        raise LineLost("the carrier has closed the socket") from error


async def _receive(socket: WebSocket) -> str | bytes:
    """The next frame, text or bytes. Raises `HungUp`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise HungUp(message.get("code", 1005))
    frame: str | bytes = message.get("text") or message.get("bytes") or ""
    return frame


async def _setup(socket: WebSocket) -> Setup:
    """The first frame that says whose call this is. Raises `NotAnnounced` and `HungUp`."""
    try:
        async with asyncio.timeout(SETUP_DEADLINE):
            while True:
                message = parse(await _receive(socket))
                if isinstance(message, Setup):
                    return message
    except TimeoutError as error:
        raise NotAnnounced("no setup frame came") from error
