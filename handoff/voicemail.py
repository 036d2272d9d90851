"""A voicemail: the caller is told to speak after the tone; Twilio reports the recording when it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from twilio.twiml.voice_response import VoiceResponse

from handoff import documents
from handoff.port import Case, Urls, Webhook
from handoff.sayings import sayings, spoken_tag
from policies.agent_destinations import Voicemail as Config

LONGEST_MESSAGE: Final = 120  # seconds
SILENCE_ENDS: Final = 5


@dataclass(frozen=True, slots=True)
class Voicemail:
    """`greeting`: the business's own words in place of ours."""

    greeting: str = ""

    async def accept(self, case: Case, urls: Urls) -> str:
        """A message goes to `action`; "if no audio is recorded, the call goes on with the next verb"."""
        texts, tag = sayings(case.language), spoken_tag(case.language)
        response = VoiceResponse()
        response.say(self.greeting or texts.voicemail, language=tag)
        response.record(
            action=urls.action(Webhook.RESULT, ref=case.ref),
            method="POST",
            max_length=LONGEST_MESSAGE,
            timeout=SILENCE_ENDS,
            finish_on_key="#",
            play_beep=True,
            recording_status_callback=urls.action(Webhook.RECORDING, ref=case.ref),
            recording_status_callback_method="POST",
            recording_status_callback_event="completed absent",
        )
        response.say(texts.voicemail_empty, language=tag)
        response.hangup()
        return str(response)

    def kept(self, case: Case) -> str:
        """The answer to `action`, which tells of the recording itself."""
        return documents.last_words(sayings(case.language).voicemail_kept, case.language)

    async def abandon(self, case: Case) -> None:
        """What was recorded before the caller hung up is still reported."""


def connect(config: Config | None = None) -> Voicemail:
    """Voicemail needs no entry of its own in the agent file."""
    return Voicemail((config.greeting if config else None) or "")
