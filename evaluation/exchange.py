"""The network's side of a simulated call: webhook, TwiML, socket, action, and the next session.

A call is one coroutine, `run`; its face for the caller is `evaluation.call`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, TypedDict
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from evaluation.carrier import Carrier, Leg, WebhookFailed, reachable
from evaluation.line import Bell, By, Closing, Line
from evaluation.playback import speech_seconds
from evaluation.seen import (
    ActionAnswered,
    Connected,
    Dialled,
    Ended,
    Frame,
    HungUp,
    Played,
    Seen,
    Status,
    Verb,
)
from evaluation.twiml import BadTwiml, Instruction, Relay, Say, decisive, relay

USER_AGENT: Final = "Jetty/11.0.24"
CONNECT_LATENCY: Final = 0.4
CLOSE_TIMEOUT: Final = 5.0
_ACTION_LATENCY: Final = {
    By.CALLER: 0.4,
    By.SERVER_END: 0.7,
    By.MALFORMED: 0.2,
    By.NETWORK: 1.2,
    By.SERVER_CLOSE: 1.2,
}


class CallRefused(Exception):
    """The call never began. `status` is the HTTP status that refused it, None without an answer."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(f"{reason} (HTTP {status})" if status else reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call. One of `webhook` and `socket` is needed.

    `webhook` is the public voice webhook; `status` the number's status callback, if it is to be told.
    `socket` alone goes straight to a websocket, with TwiML's defaults but for `attributes`, and
    `parameters` as `customParameters`. `via` is where to connect when the public address cannot be
    reached from here; signatures stay over the public one.
    """

    webhook: str | None = None
    socket: str | None = None
    via: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A relay session to open, and the verbs that stand after it in the document."""

    relay: Relay
    rest: tuple[Instruction, ...] = ()


class _Address(TypedDict, total=False):
    host: str | None
    port: int | None


class Exchange:
    """Dials once, then runs the call, session after session, until its TwiML leads elsewhere.

    `line` is the open session, None between two; `ended` is set when the call has left the relay.
    """

    def __init__(
        self,
        leg: Leg,
        target: Target,
        carrier: Carrier,
        *,
        tell: Callable[[Seen], None],
        bell: Bell,
        end_waits: bool,
    ) -> None:
        self.session_id = ""
        self.line: Line | None = None
        self.ended: Ended | None = None
        self._leg = leg
        self._target = target
        self._carrier = carrier
        self._tell = tell
        self._bell = bell
        self._end_waits = end_waits
        self._sessions = 0
        self._caller_gone = False
        self._dialled = asyncio.get_running_loop().time()

    def now(self) -> float:
        """Seconds since the call was dialled."""
        return asyncio.get_running_loop().time() - self._dialled

    async def dial(self) -> tuple[Session, Line] | None:
        """Fetch the TwiML and open the first session; None if it holds none. Raises CallRefused."""
        self._tell(Dialled(self._leg.caller, self._leg.called, self._leg.call_sid, self.now()))
        try:
            instructions = await self._first_instructions()
        except WebhookFailed as error:
            raise CallRefused(error.reason, error.status) from error
        session = await self._follow(instructions)
        if session is None:
            verb, spoken = decisive(instructions), _said(instructions)
            self._end(Ended(Status.NEVER_CONNECTED, None, None, None, verb, spoken))
            return None
        return session, await self._open(session.relay)

    async def run(self, session: Session, line: Line) -> None:
        """From the first open socket to the end of the call."""
        while True:
            opened = self.now()
            if self._caller_gone:
                line.hang_up()
            closing = await line.run(self._setup(session.relay))
            self.line = None
            ended, following = await self._action(session, closing, self.now() - opened)
            if following is None or self._caller_gone:
                break
            await asyncio.sleep(CONNECT_LATENCY)
            try:
                line = await self._open(following.relay)
            except CallRefused:
                ended = Ended(Status.FAILED, None, "64102", None, Verb.NONE)
                break
            session = following
        if self._target.status is not None:
            await self._tell_status(self._target.status)
        self._end(ended)

    def hang_up(self) -> None:
        self._caller_gone = True
        if self.line is not None:
            self.line.hang_up()

    async def _first_instructions(self) -> tuple[Instruction, ...]:
        if self._target.webhook is not None:
            answer = await self._carrier.ask(self._target.webhook, self._leg.voice_form())
            await asyncio.sleep(CONNECT_LATENCY)
            return answer.instructions
        try:
            return (relay(self._target.socket or "", self._target.attributes, self._target.parameters),)
        except BadTwiml as error:
            raise WebhookFailed(str(error)) from error

    async def _open(self, session: Relay) -> Line:
        socket = await self._connect(session.url)
        self._sessions += 1
        self.session_id = sid("VX")
        self.line = Line(
            socket,
            session,
            tell=self._tell,
            since_dialled=self.now,
            bell=self._bell,
            end_waits=self._end_waits,
        )
        self._tell(Connected(self.session_id, self._sessions, self.now()))
        self._bell.ring()
        return self.line

    async def _connect(self, url: str) -> ClientConnection:
        here = urlsplit(reachable(url, self._target.via))
        address: _Address = {} if self._target.via is None else {"host": here.hostname, "port": here.port}
        try:
            return await connect(
                urlunsplit(urlsplit(url)._replace(scheme=here.scheme)),
                additional_headers=self._carrier.signature(url, {}),
                user_agent_header=USER_AGENT,
                compression=None,
                ping_interval=None,
                close_timeout=CLOSE_TIMEOUT,
                max_size=None,
                proxy=None,
                **address,
            )
        except InvalidStatus as error:
            raise CallRefused("the websocket was refused", error.response.status_code) from error
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
            raise CallRefused(f"the websocket cannot be opened ({type(error).__name__})") from error

    def _setup(self, session: Relay) -> Frame:
        return {
            "type": "setup",
            "sessionId": self.session_id,
            "callSid": self._leg.call_sid,
            "parentCallSid": "",
            "from": self._leg.caller,
            "to": self._leg.called,
            "forwardedFrom": "",
            "callerName": "",
            "direction": "inbound",
            "callType": "PSTN",
            "callStatus": "RINGING" if self._sessions == 1 else "IN_PROGRESS",
            "accountSid": self._leg.account_sid,
            "customParameters": dict(session.parameters),
        }

    async def _action(self, on: Session, closing: Closing, seconds: float) -> tuple[Ended, Session | None]:
        """Ask `<Connect action>` how the call goes on, and go there; without one, on to the next verb."""
        status, extra = _outcome(closing)
        await asyncio.sleep(_ACTION_LATENCY[closing.by])
        instructions = on.rest
        if on.relay.action is not None:
            form = self._leg.form("completed" if closing.by is By.CALLER else "in-progress") | {
                "SessionId": self.session_id,
                "SessionStatus": status.value,
                "SessionDuration": str(round(seconds)),
                **extra,
            }
            instructions = await self._ask_action(on.relay.action, on.relay.method, form, status)
        ended = Ended(
            status, closing.handoff_data, extra.get("ErrorCode"), closing.code, decisive(instructions)
        )
        if closing.by is By.CALLER:
            return ended, None
        following = await self._follow(instructions)
        return replace(ended, spoken=_said(instructions)), following

    async def _ask_action(
        self, url: str, method: str, form: Mapping[str, str], status: Status
    ) -> tuple[Instruction, ...]:
        try:
            answer = await self._carrier.ask(url, form, method)
        except WebhookFailed as error:
            self._tell(ActionAnswered(status, error.status, Verb.NONE, self.now()))
            return ()
        self._tell(ActionAnswered(status, answer.code, decisive(answer.instructions), self.now()))
        return answer.instructions

    async def _follow(self, instructions: tuple[Instruction, ...]) -> Session | None:
        """Speak what is to be spoken, up to the verb that takes the call elsewhere."""
        for number, instruction in enumerate(instructions, 1):
            match instruction:
                case Say(text=text):
                    await asyncio.sleep(speech_seconds(text))
                    self._tell(Played(text, self.now()))
                case Relay():
                    return Session(instruction, instructions[number:])
                case _ if decisive((instruction,)) is not Verb.NONE:
                    return None
        return None

    async def _tell_status(self, url: str) -> None:
        form = self._leg.status_form(self.now(), format_datetime(datetime.now(UTC)))
        try:
            await self._carrier.tell(url, form)
        except WebhookFailed:
            return

    def _end(self, ended: Ended) -> None:
        self.ended = ended
        self._tell(HungUp(ended, self.now()))
        self._bell.ring()


def _outcome(closing: Closing) -> tuple[Status, dict[str, str]]:
    """SessionStatus and the form keys that come with it; absent keys are absent."""
    match closing.by:
        case By.CALLER:
            return Status.COMPLETED, {}
        case By.SERVER_END:
            data = closing.handoff_data
            return Status.ENDED, {} if data is None else {"HandoffData": data}
        case By.MALFORMED | By.NETWORK | By.SERVER_CLOSE:
            return Status.FAILED, {"ErrorCode": "64105", "ErrorMessage": "Websocket ended"}


def _said(instructions: tuple[Instruction, ...]) -> tuple[str, ...]:
    return tuple(instruction.text for instruction in instructions if isinstance(instruction, Say))


def sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex
