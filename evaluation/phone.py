"""A simulated Twilio: dials any ConversationRelay server and lets a test, a script or a person be the caller.

    async with Phone(Target(webhook="http://127.0.0.1:8080/twilio/voice")).call() as call:
        await call.quiet()
        await call.say("What does the yearly check cost?")
        await call.quiet()
        print(call.heard)

All time is the event loop's, so `evaluation.clock.run_virtual` makes an hour of calls short.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from evaluation.call import Call, CallOver, NotHeard
from evaluation.carrier import WEBHOOK_TIMEOUT, Account, Carrier, Leg
from evaluation.exchange import CallRefused, Target, sid
from evaluation.seen import (
    ActionAnswered,
    AgentSpeaking,
    CallerPartial,
    CallerPressed,
    CallerSaid,
    Connected,
    Dialled,
    Ended,
    FrameIn,
    FrameOut,
    Heard,
    HungUp,
    Interrupted,
    Played,
    Seen,
    Status,
    Verb,
)

__all__ = [
    "Account",
    "ActionAnswered",
    "AgentSpeaking",
    "Call",
    "CallOver",
    "CallRefused",
    "CallerPartial",
    "CallerPressed",
    "CallerSaid",
    "Connected",
    "Dialled",
    "Ended",
    "FrameIn",
    "FrameOut",
    "Heard",
    "HungUp",
    "Interrupted",
    "NotHeard",
    "Phone",
    "Played",
    "Seen",
    "Status",
    "Target",
    "Verb",
    "ignore",
]


def ignore(_: Seen) -> None:
    """The observer that looks away."""


class Phone:
    """`observe` is told everything as it happens. `rehearsal` marks the webhooks as simulated.

    `end_waits`: `end` lets queued speech finish, as recordings show and no document promises.
    """

    def __init__(
        self,
        target: Target,
        account: Account = Account(),  # noqa: B008 - frozen
        *,
        caller: str = "+15550100002",
        called: str = "+15550100001",
        observe: Callable[[Seen], None] = ignore,
        rehearsal: bool = True,
        end_waits: bool = True,
    ) -> None:
        if target.webhook is None and target.socket is None:
            raise ValueError("a target needs a webhook or a socket")
        self._target = target
        self._account = account
        self._caller = caller
        self._called = called
        self._observe = observe
        self._rehearsal = rehearsal
        self._end_waits = end_waits

    @asynccontextmanager
    async def call(self, *, caller: str | None = None, called: str | None = None) -> AsyncIterator[Call]:
        """Dial; leaving hangs up. Raises CallRefused when the webhook or the handshake is refused."""
        leg = Leg(self._account.sid, sid("CA"), caller=caller or self._caller, called=called or self._called)
        async with httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT, trust_env=False) as http:
            carrier = Carrier(http, self._account, via=self._target.via, rehearsal=self._rehearsal)
            call = Call(leg, self._target, carrier, observe=self._observe, end_waits=self._end_waits)
            await call.dial()
            try:
                yield call
            finally:
                await call.hang_up()
