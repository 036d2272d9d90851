"""The TwiML we answer webhooks with; elements and attributes are the vendor SDK's.

Source: Twilio, "<ConversationRelay>" (docs/voice/twiml/connect/conversationrelay). The SDK emits a misspelt
attribute without complaint, so all names come from the agent file's model, which is tested against the SDK.
"""

from __future__ import annotations

from collections.abc import Mapping

from twilio.twiml.voice_response import Connect, ConversationRelay, VoiceResponse

from policies.agent_voice import Voice


def connect(
    voice: Voice, language: str, *, socket: str, action: str, parameters: Mapping[str, str], greeted: bool
) -> str:
    """Connect the call to our socket; when the session ends, Twilio asks `action` what comes next.

    `greeted`: the caller was on this call before, so Twilio's own greeting is left out.
    """
    attributes = {"language": language, **voice.attributes()}
    if greeted:
        attributes.pop("welcome_greeting", None)
    noun = ConversationRelay(url=socket, **attributes)
    for each in voice.languages:
        noun.language(**each.attributes())
    for name, value in {**voice.parameters, **parameters}.items():
        noun.parameter(name=name, value=value)
    verb = Connect(action=action, method="POST")
    verb.append(noun)
    response = VoiceResponse()
    response.append(verb)
    return str(response)


def goodbye(words: str, language: str) -> str:
    """Say a last sentence in Twilio's own voice and end the call."""
    response = VoiceResponse()
    response.say(words, language=language)
    response.hangup()
    return str(response)


def hang_up() -> str:
    response = VoiceResponse()
    response.hangup()
    return str(response)


def nothing() -> str:
    """There is nothing left to do: the call has ended."""
    return str(VoiceResponse())
