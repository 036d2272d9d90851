"""One admitted session of a call: restored or new, opened, conversed, and its end recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from compliance.events import Fact, Kind
from handoff.sayings import sayings
from policies.handoff import Decider
from policies.keyed import without
from policies.outcome import Stopped
from policies.redaction import redact
from policies.vocabulary import EscalationReason, Speaker, Utterance
from relay.actions import InCall
from relay.announcement import Announcement
from relay.briefing import handing
from relay.caller import Caller
from relay.conversation import Conversation, HungUp
from relay.cycle import Purpose
from relay.floor import Floor
from relay.line import Line, LineLost
from relay.live import LiveCall
from relay.llm.hedge import Hedged
from relay.messages import Setup, handoff_data
from relay.recovering import Recovery, recovery
from relay.session import Session
from relay.state import SavedUtterance, Snapshot
from relay.step import OutOfTurn
from relay.switchboard import Agent, Switchboard, ref
from relay.tell import Tell
from relay.tools import Toolbox
from relay.turn import Responder
from relay.voice import Voice

SPEECH = frozenset({"text", "heard", "planned", "spoken"})  # facts of events that hold what was said
CLOSED_BY_CARRIER = 1000
REFUSED = 1008  # policy violation, RFC 6455 §7.4.1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CallSession:
    calls: Switchboard
    socket: WebSocket
    setup: Setup
    announced: Announcement
    agent: Agent

    async def run(self) -> None:
        sid, number = self.setup.call_sid, self.announced.number
        before = await self.calls.snapshot(sid, number) if number > 1 else None
        session = _restored(before)
        tell = partial(self._tell, session)
        caller, memory = self._caller(before)
        floor = Floor(memory.silence, memory.language, self.calls.clock)
        line = Line(session, partial(_send, self.socket), floor)
        model, connections = self.agent.model.for_call()
        responder = self._responder(session, line, floor, tell, caller, memory, model)
        live = LiveCall(
            sid,
            number,
            leave=partial(_leave, line, session),
            close=self.close,
            obey=partial(_obey, responder.voice),
        )
        if older := self.calls.live.enter(live):
            await older.close()
        beside = [asyncio.create_task(self._check_used())]
        beside += [asyncio.create_task(connection.open()) for connection in connections]
        code = 1006
        try:
            tell(Kind.SESSION_STARTED, session_id=self.setup.session_id, resumed=session.disclosed)
            await self._open(line, session, tell, memory, before)
            self.calls.remember(self._snapshot(session, before))
            requested = await self.calls.request_of(sid) if self.setup.outbound else {}
            caller.given = self.agent.desk.given(self._ours, self.setup.parameters, requested)
            conversation = Conversation(
                session=session,
                line=line,
                floor=floor,
                responder=responder,
                receive=partial(receive, self.socket),
                changed=lambda: self.calls.remember(self._snapshot(session, before)),
                clock=self.calls.clock,
                tell=tell,
            )
            code = await conversation.run()
        except LineLost:
            log.warning("session lost: the carrier reads nothing")
        finally:
            for task in beside:
                task.cancel()
            for connection in connections:
                await connection.aclose()
            self.calls.live.left(live)
            tell(Kind.SESSION_ENDED, close_code=code)
            self._closed(session, self._snapshot(session, before), code)

    async def close(self) -> None:
        """Close the socket: a newer session owns the call, or this one should not have been opened."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            await self.socket.close(REFUSED)

    # -- the parts ---------------------------------------------------------------------------------------

    def _tell(self, session: Session, kind: Kind, turn: int = 0, **facts: Fact) -> None:
        """Speech is kept redacted, and without the numbers that were keyed in."""
        kept = {
            name: redact(without(session.keyed, fact)) if name in SPEECH and isinstance(fact, str) else fact
            for name, fact in facts.items()
        }
        self.calls.tell(self.setup.call_sid, kind, turn, self.announced.number, **kept)

    def _caller(self, before: Snapshot | None) -> tuple[Caller, Recovery]:
        """What this process knows of the call, from its earlier sessions if it had them."""
        file, number = self.agent.file, self.announced.number
        caller = self.calls.meet(self.setup.call_sid, self.agent, self._theirs, session=number)
        memory = caller.recovery = caller.recovery or recovery(file)
        caller.usage.prices = self.agent.prices
        if caller.decider is None or (before and before.nobody_free):
            keys = {str(key): what for key, what in file.conversation.keypad.items()}
            caller.decider = Decider(file.handoff.rules, keys)
            caller.leaving = None
        if number > 1 and not (before and before.nobody_free):
            memory.bad_line.dropped(self.calls.clock())
        return caller, memory

    def _responder(
        self,
        session: Session,
        line: Line,
        floor: Floor,
        tell: Tell,
        caller: Caller,
        memory: Recovery,
        model: Hedged,
    ) -> Responder:
        file = self.agent.file

        def handed_over(reason: EscalationReason, reference: str, to: str) -> None:
            at = self.calls.clock()
            self.calls.hand_over(
                *handing(self.setup, self.announced, self.agent, caller, at, reason, reference, to)
            )

        return Responder(
            session=session,
            line=line,
            floor=floor,
            model=model,
            instructions=file.agent.instructions,
            clock=self.calls.clock,
            tell=tell,
            toolbox=self._toolbox(caller),
            recovery=memory,
            gates=self.agent.gates,
            caller=caller,
            multilingual=file.voice.transcription_language == "multi",
            handed_over=handed_over,
        )

    def _toolbox(self, caller: Caller) -> Toolbox:
        file, number = self.agent.file, self.announced.number
        by = InCall(self.setup.call_sid, number, file.agent.name, caller.may_claim, caller.actions)
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
    def _theirs(self) -> str:
        return self.setup.called if self.setup.outbound else self.setup.caller

    @property
    def _ours(self) -> str:
        return self.setup.caller if self.setup.outbound else self.setup.called

    # -- its beginning and its end -----------------------------------------------------------------------

    async def _open(
        self, line: Line, session: Session, tell: Tell, memory: Recovery, before: Snapshot | None
    ) -> None:
        """The first words, at once: the disclosure and the greeting, or that we are back."""
        file = self.agent.file
        if session.disclosed:
            words = memory.lines.resumed
            memory.invited = True
            if before and before.nobody_free:
                words = f"{sayings(memory.language).nobody} {memory.lines.callback_offer}"
                memory.callback_offered, memory.invited = True, False
            await line.send(session.resume_with(words))
            tell(Kind.SAID, text=words, purpose=Purpose.RESUME)
            return
        disclosure = file.disclosure(file.language)
        greeting = file.greeting(file.language)
        await line.send(session.open_with(disclosure, greeting, self.calls.clock()))
        tell(Kind.DISCLOSURE_SENT, text=disclosure)
        tell(Kind.SAID, text=greeting, purpose=Purpose.GREETING)

    def _closed(self, session: Session, snapshot: Snapshot, code: int) -> None:
        """Twilio's action request says what comes next; a widget of Studio has none that reaches us."""
        self.calls.remember(snapshot)
        if session.left:
            if self.announced.by_widget:
                self.calls.finalise(self.setup.call_sid, Stopped.AGENT_ENDED, snapshot)
        elif code == CLOSED_BY_CARRIER:
            self.calls.finalise(self.setup.call_sid, Stopped.CALLER_HUNG_UP, snapshot)
        elif self.announced.by_widget:
            self.calls.finalise(self.setup.call_sid, Stopped.SESSION_LOST, snapshot)

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


async def _obey(voice: Voice, to: str | None, end: bool) -> None:
    """Somebody takes the call out of the agent's hands."""
    try:
        if end:
            await voice.end()
        else:
            await voice.go(EscalationReason.OUT_OF_SCOPE, voice.recovery.lines.colleague, to or "")
    except (OutOfTurn, LineLost):
        return


async def _send(socket: WebSocket, frame: str) -> None:
    """Raises `LineLost` when the socket is closed, from either side."""
    if socket.application_state is not WebSocketState.CONNECTED:
        raise LineLost("the socket is closed")
    try:
        await socket.send_text(frame)
    except WebSocketDisconnect as error:
        raise LineLost("the carrier has closed the socket") from error


async def receive(socket: WebSocket) -> str | bytes:
    """The next frame, text or bytes. Raises `HungUp`."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise HungUp(message.get("code", 1005))
    frame: str | bytes = message.get("text") or message.get("bytes") or ""
    return frame
