"""A telephone or a SIP address: it rings, the person hears the brief and presses a key, the caller is joined.

The whisper's TwiML "runs on the called leg after answer, before bridging; the caller keeps hearing ringing".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from twilio.twiml.voice_response import Dial as DialVerb
from twilio.twiml.voice_response import VoiceResponse

from handoff import documents
from handoff.port import Case, Joined, Leg, Taken, Urls, Webhook
from handoff.sayings import sayings
from policies.agent_destinations import Dial as DialConfig
from policies.agent_destinations import Sip as SipConfig

SHORTEST_RING, LONGEST_RING = 5, 600  # seconds, what <Dial timeout> allows
REF_HEADER: Final = "X-FiveGates-Ref"


@dataclass(frozen=True, slots=True)
class Dial:
    """`numbers` ring at once, and the first who answers hears the brief. Or one SIP address."""

    sla: float
    asks: bool
    numbers: tuple[str, ...] = ()
    sip: str = ""

    async def accept(self, case: Case, urls: Urls) -> str:
        """From our own number: Twilio lets us show it, and it does not tell the caller's to a telephone."""
        verb = DialVerb(
            action=urls.action(Webhook.RESULT, ref=case.ref),
            method="POST",
            timeout=max(SHORTEST_RING, min(LONGEST_RING, int(self.sla))),
            answer_on_bridge=True,
            **({"caller_id": case.ours} if case.ours else {}),
        )
        options = self._leg(case, urls)
        for number in self.numbers:
            verb.number(number, **options)
        if self.sip:
            verb.sip(_with_ref(self.sip, case.ref), **options)
        response = VoiceResponse()
        response.append(verb)
        return str(response)

    def whisper(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.whisper(case, urls, leg)

    async def take(self, case: Case, urls: Urls, leg: Leg) -> Taken:
        """When the whisper's document ends, Twilio joins the two."""
        return Joined(self.room(case, urls, leg))

    def room(self, case: Case, urls: Urls, leg: Leg) -> str:
        return documents.nothing()

    async def pass_on(self, case: Case, leg: Leg) -> str:
        """Hanging up refuses: the caller is not joined, and the verb is over when nobody else rings."""
        return documents.last_words(sayings(case.persons_language).passed_on, case.persons_language)

    async def abandon(self, case: Case) -> None:
        """Legs that ring for a caller who is gone are ended by Twilio with the verb."""

    def _leg(self, case: Case, urls: Urls) -> dict[str, str]:
        options = {
            "status_callback": urls.action(Webhook.LEG, ref=case.ref),
            "status_callback_method": "POST",
            "status_callback_event": "initiated ringing answered completed",
        }
        if self.asks:
            options |= {"url": urls.action(Webhook.WHISPER, ref=case.ref), "method": "POST"}
        return options


def connect(config: DialConfig | SipConfig) -> Dial:
    match config:
        case DialConfig():
            numbers = config.numbers or ((config.number,) if config.number else ())
            return Dial(config.sla, config.whisper, numbers=numbers)
        case SipConfig():
            return Dial(config.sla, config.whisper, sip=config.uri)


def _with_ref(uri: str, ref: str) -> str:
    """Our reference for the person's own system: "custom data to SIP goes as ?X-Header=… on the URI"."""
    from_here = "&" if "?" in uri else "?"
    return f"{uri}{from_here}{REF_HEADER}={quote(ref, safe='')}"
