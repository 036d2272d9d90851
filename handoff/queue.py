"""A plain queue: people take callers from it in their own way; we hold the caller and watch the clock."""

from __future__ import annotations

from dataclasses import dataclass

from twilio.twiml.voice_response import VoiceResponse

from handoff import documents
from handoff.port import Case, Hold, Urls, Webhook
from policies.agent_destinations import Queue as Config


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    sla: float

    async def accept(self, case: Case, urls: Urls) -> str:
        """The queue is "created on demand"."""
        response = VoiceResponse()
        response.enqueue(
            self.name,
            action=urls.action(Webhook.RESULT, ref=case.ref),
            method="POST",
            wait_url=urls.action(Webhook.WAIT, ref=case.ref),
            wait_url_method="POST",
        )
        return str(response)

    async def wait(self, case: Case, urls: Urls, hold: Hold) -> str:
        return documents.hold(case.language, self.sla, hold)

    def rejoin(self, case: Case, urls: Urls) -> str:
        return documents.connecting(case, urls)

    async def abandon(self, case: Case) -> None:
        """Twilio takes a caller who is gone out of the queue; nobody is ringing."""


def connect(config: Config) -> Queue:
    return Queue(config.name, config.sla)
