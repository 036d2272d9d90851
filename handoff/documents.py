"""TwiML that several destinations share: hold, whisper, room, last words.

Sources: Twilio, "<Enqueue>" (waitUrl allows Play, Say, Pause, Hangup, Redirect, Leave, Gather; when the
document ends it is requested again), "<Conference>" (waitUrl allows Play, Say, Pause, Redirect), "<Gather>".
"""

from __future__ import annotations

from typing import Final

from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from handoff.port import Case, Hold, Leg, Urls, Webhook
from handoff.sayings import KOREAN, sayings, spoken_tag

TAKE: Final = "1"
LONGEST_PAUSE: Final = 8  # seconds of silence between two announcements
KEY_SECONDS: Final = 8
PERSON: Final = "agent"  # the participant's label
CALLER: Final = "caller"
NEVER_MET_SECONDS: Final = 15.0
"""A person who took the call and is not in the room by then has no working leg."""
TIMED_OUT: Final = "timed_out"  # why the caller was moved to the result's address
NOT_JOINED: Final = "not_joined"


def hold(language: str, sla: float, waited: Hold) -> str:
    """Say where the caller stands and pause, never beyond the SLA; `<Leave/>` once it is reached.

    "While in queue, the document is requested again when it ends": the loop is our timer.
    """
    response = VoiceResponse()
    if waited.over or waited.waited >= sla:
        response.leave()
        return str(response)
    words = sayings(language).waiting(waited.position, waited.average)
    _say_and_pause(response, language, words, sla - waited.waited)
    return str(response)


def hold_in_room(language: str, words: str, remaining: float) -> str:
    """The same in a conference, which has no `<Leave/>`: whoever asks for this moves the call at the SLA."""
    response = VoiceResponse()
    _say_and_pause(response, language, words, remaining)
    return str(response)


def whisper(case: Case, urls: Urls, leg: Leg) -> str:
    """The brief, then a key: a machine that picks up presses none, and the caller is not given to it."""
    language = case.persons_language
    texts, tag = sayings(language), spoken_tag(language)
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=KEY_SECONDS,
        finish_on_key="",
        action_on_empty_result=True,
        action=urls.action(
            Webhook.CHOICE,
            ref=case.ref,
            reservation=leg.reservation_sid,
            task=leg.task_sid,
            workspace=leg.workspace_sid,
        ),
        method="POST",
    )
    gather.say(texts.transfer.format(brief=case.brief or texts.no_brief), language=tag)
    gather.say(texts.choose, language=tag)
    response = VoiceResponse()
    response.append(gather)
    response.hangup()
    return str(response)


def person_in_room(case: Case, urls: Urls, room: str) -> str:
    """The room ends when the person leaves it, so that the caller's own verb is over then."""
    response = VoiceResponse()
    dial = Dial()
    dial.conference(
        room,
        start_conference_on_enter=True,
        end_conference_on_exit=True,
        beep="false",
        participant_label=PERSON,
        **_progress(case, urls),
    )
    response.append(dial)
    return str(response)


def caller_in_room(case: Case, urls: Urls, room: str, *, starts: bool) -> str:
    """`starts`: the person is there already; else the caller waits, and the room starts with the person."""
    response = VoiceResponse()
    dial = Dial(action=urls.action(Webhook.RESULT, ref=case.ref), method="POST")
    dial.conference(
        room,
        start_conference_on_enter=starts,
        end_conference_on_exit=False,
        beep="false",
        wait_url=urls.action(Webhook.WAIT, ref=case.ref),
        wait_method="POST",
        participant_label=CALLER,
        **_progress(case, urls),
    )
    response.append(dial)
    return str(response)


def connecting(case: Case, urls: Urls) -> str:
    """For a caller who left the queue at the moment a person took them: they are moved any second now."""
    response = VoiceResponse()
    response.say(sayings(case.language).connecting, language=spoken_tag(case.language))
    response.pause(length=LONGEST_PAUSE)
    response.redirect(urls.action(Webhook.RESULT, ref=case.ref, why=NOT_JOINED), method="POST")
    return str(response)


def last_words(words: str, language: str) -> str:
    response = VoiceResponse()
    response.say(words, language=spoken_tag(language))
    response.hangup()
    return str(response)


def nothing() -> str:
    return str(VoiceResponse())


def _progress(case: Case, urls: Urls) -> dict[str, str]:
    """On both legs: only the first participant's status callback counts."""
    return {
        "status_callback": urls.action(Webhook.ROOM, ref=case.ref),
        "status_callback_method": "POST",
        "status_callback_event": "start end join leave",
    }


def _say_and_pause(response: VoiceResponse, language: str, words: str, remaining: float) -> None:
    """The pause ends with the SLA, and words that would last beyond it are left out.

    How long they take is an estimate.
    """
    syllables_a_second = 5 if sayings(language) is KOREAN else 14  # letters, in English
    left = remaining - len(words) / syllables_a_second
    if left >= 1:
        response.say(words, language=spoken_tag(language))
    else:
        left = remaining
    response.pause(length=max(1, min(LONGEST_PAUSE, int(left))))
