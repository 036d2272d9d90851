"""The lines we speak by ourselves, in each language we know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

NAMING: Final = "{organisation}"
NOT_WHOLE: Final = frozenset({"language", "link"})  # no line by itself


@dataclass(frozen=True, slots=True)
class Lines:
    """One language's lines. Each is said as it stands, so each passes the guard when an agent file loads.

    None of them agrees, promises or claims that something was done: what the caller asked is not known here.
    """

    language: str
    disclosed: str  # the disclosure with `{organisation}` in it; recording is off
    disclosed_unnamed: str  # the disclosure of a file that names no organisation
    greeting: str
    one_moment: str  # the reply is late
    trouble: str  # the reply failed; ends with a question, so that the caller has the floor
    not_understood: str
    resumed: str  # after the connection dropped and came back
    not_said: str  # in place of what must not be said
    colleague: str  # a person takes over
    apology: str  # the last words before we hang up
    link: str  # spoken in place of a web address
    # while the answer is prepared: several of each, for they rotate
    acknowledgements: tuple[str, ...]  # no yes among them: "sure" to "may I have it for less?" is a promise
    waiting: tuple[str, ...]
    tool: tuple[str, ...]  # only while one runs
    fallbacks: tuple[str, ...]  # something the caller can act on
    # silence, one rung after the other
    still_there: str
    still_here: str  # the second time
    silence_goodbye: str
    # what was not understood, by what went wrong; two of each, so that none is asked twice in the same words
    reask_unheard: tuple[str, ...]  # no words reached us
    reask_unclear: tuple[str, ...]  # words, but not what was said
    reask_mistaken: tuple[str, ...]  # we took them wrongly
    spell_by_keypad: str
    keypad_offer: str
    clarify: str  # before the same thing is said in other words
    # towards a person, or the end
    emergency: str  # "emergency never queues": what to do before anybody answers
    person_offer: str
    callback_offer: str
    callback_noted: str
    goodbye: str
    # calls we place
    voicemail_message: str  # an answering machine, with `{organisation}` in it
    voicemail_unnamed: str
    wrong_party: str

    def disclosure(self, organisation: str) -> str:
        """Who is speaking: an AI, and whose. `organisation` may be empty."""
        return self.disclosed.format(organisation=organisation) if organisation else self.disclosed_unnamed

    def for_machine(self, organisation: str) -> str:
        """All that an answering machine hears. Anybody may play it: it does not say why we call."""
        if not organisation:
            return self.voicemail_unnamed
        return self.voicemail_message.format(organisation=organisation)

    def spoken(self) -> Iterator[tuple[str, str]]:
        """Every line that is said as it stands, by its name; of several, each with its place: `waiting 2`."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                yield from ((f"{field.name} {at}", str(text)) for at, text in enumerate(value, 1))
            elif field.name not in NOT_WHOLE and NAMING not in value:
                yield field.name, str(value)


ENGLISH = Lines(
    language="en",
    disclosed="Hi, this is {organisation}'s AI assistant.",
    disclosed_unnamed="Hi, this is an AI assistant.",
    greeting="How can I help you today?",
    one_moment="One moment, please.",
    trouble="Sorry, something went wrong on my side. Could you say that again?",
    not_understood="Sorry, I didn't get that. Could you say it again?",
    resumed="Sorry, we were cut off for a moment. Where were we?",
    not_said="Let me have a colleague confirm that for you.",
    colleague="A colleague will take it from here.",
    apology="I'm sorry, I can't help you any further right now. Please call again later. Goodbye.",
    link="the link",
    acknowledgements=("Let me see.", "Mm, one second.", "Let me think.", "Hm, let's see."),
    waiting=(
        "One moment, please.",
        "Just a little longer, please.",
        "Thanks for waiting.",
        "I'm still here, bear with me.",
    ),
    tool=(
        "Let me look that up.",
        "I'm checking that now.",
        "I'm still looking, one moment.",
        "Let me see what I can find.",
    ),
    fallbacks=(
        "I'm still on it. Is there anything you'd like to add?",
        "Still working on it. For a colleague, just say so.",
        "Sorry for the wait. You can also ask for a colleague.",
    ),
    still_there="Are you still there?",
    still_here="I'm still on the line. Take your time, and tell me when you're ready.",
    silence_goodbye="I can't hear you, so I'll end the call here. Please call again. Goodbye.",
    reask_unheard=(
        "Sorry, I didn't catch any words. Could you say that again?",
        "I couldn't hear that. Could you speak a little closer to the phone?",
    ),
    reask_unclear=(
        "Sorry, that wasn't clear on my side. Could you say it again, a little more slowly?",
        "I only got part of that. Could you say it once more in a short sentence?",
    ),
    reask_mistaken=(
        "Sorry, I got that wrong. What is it exactly that you need?",
        "I'd like to get this right. Could you put it in other words?",
    ),
    spell_by_keypad="Let's try it another way. Please type it on your keypad, then press the pound key.",
    keypad_offer="You can also type it on your keypad and press the pound key.",
    clarify="Let me put that another way.",
    emergency="If anybody is in danger, please hang up and call nine one one now.",
    person_offer="Would you like me to get a colleague?",
    callback_offer="Would you like a colleague to call you back?",
    callback_noted="All right, I've noted that you'd like a call back.",
    goodbye="Thank you for your time. Goodbye.",
    voicemail_message=(
        "Hello, this is the AI assistant of {organisation}. "
        "Sorry we missed you. Please call us back when it suits you. Goodbye."
    ),
    voicemail_unnamed=(
        "Hello, this is an AI assistant. Sorry we missed you. Please call us back when it suits you. Goodbye."
    ),
    wrong_party="I'm sorry, I must have the wrong number. Please excuse the call. Goodbye.",
)

KOREAN = Lines(
    language="ko",
    disclosed="안녕하세요, {organisation}의 인공지능 상담원입니다.",
    disclosed_unnamed="안녕하세요, 인공지능 상담원입니다.",
    greeting="무엇을 도와드릴까요?",
    one_moment="네, 잠시만 기다려 주세요.",
    trouble="죄송합니다, 제 쪽에 문제가 생겼습니다. 다시 한번 말씀해 주시겠어요?",
    not_understood="죄송합니다, 잘 듣지 못했습니다. 다시 한번 말씀해 주시겠어요?",
    resumed="죄송합니다, 연결이 잠시 끊어졌습니다. 이어서 말씀해 주시겠어요?",
    not_said="그 부분은 담당자가 확인해 드리겠습니다.",
    colleague="지금부터는 담당자가 도와드리겠습니다.",
    apology="죄송합니다, 지금은 더 도와드리기 어렵습니다. 잠시 후 다시 전화해 주시기 바랍니다. 감사합니다.",
    link="링크",
    acknowledgements=("잠시만요.", "음, 잠깐만요.", "어디 볼까요.", "음, 한번 볼게요."),
    waiting=(
        "잠시만 기다려 주세요.",
        "조금만 더 기다려 주세요.",
        "기다려 주셔서 감사합니다.",
        "아직 보고 있습니다, 잠시만요.",
    ),
    tool=(
        "지금 조회하고 있습니다.",
        "확인하고 있습니다, 잠시만요.",
        "아직 찾고 있습니다, 조금만요.",
        "내용을 살펴보고 있습니다.",
    ),
    fallbacks=(
        "아직 확인하는 중입니다. 더 하실 말씀 있으신가요?",
        "조금 더 걸립니다. 담당자를 원하시면 말씀해 주세요.",
        "오래 걸려 죄송합니다. 담당자를 찾으셔도 됩니다.",
    ),
    still_there="듣고 계신가요?",
    still_here="저는 아직 듣고 있습니다. 천천히 말씀해 주세요.",
    silence_goodbye="말씀이 들리지 않아 전화를 마치겠습니다. 다시 전화해 주시기 바랍니다. 감사합니다.",
    reask_unheard=(
        "죄송합니다, 말씀이 들리지 않았습니다. 다시 한번 말씀해 주시겠어요?",
        "소리가 작게 들립니다. 전화기에 조금 더 가까이 대고 말씀해 주시겠어요?",
    ),
    reask_unclear=(
        "죄송합니다, 말씀이 또렷하게 들리지 않았습니다. 조금 천천히 다시 말씀해 주시겠어요?",
        "일부만 들렸습니다. 한 번 더 짧게 말씀해 주시겠어요?",
    ),
    reask_mistaken=(
        "죄송합니다, 제가 잘못 알아들었습니다. 정확히 어떤 것이 필요하신가요?",
        "정확히 이해하고 싶습니다. 다른 말로 한 번 더 말씀해 주시겠어요?",
    ),
    spell_by_keypad="다른 방법으로 해 볼까요? 전화기 숫자판으로 입력하신 뒤 우물 정자를 눌러 주세요.",
    keypad_offer="숫자판으로 입력하신 뒤 우물 정자를 누르셔도 됩니다.",
    clarify="다르게 설명해 드릴게요.",
    emergency="위급한 상황이라면 전화를 끊고 바로 일일구로 전화해 주세요.",
    person_offer="담당자를 연결해 드릴까요?",
    callback_offer="담당자가 다시 전화드리도록 할까요?",
    callback_noted="네, 전화를 받고 싶어 하신다고 적어 두었습니다.",
    goodbye="시간 내 주셔서 감사합니다. 안녕히 계세요.",
    voicemail_message=(
        "안녕하세요, {organisation}의 인공지능 상담원입니다. "
        "전화를 받지 않으셔서 메시지를 남깁니다. 편하실 때 다시 전화해 주시기 바랍니다. 감사합니다."
    ),
    voicemail_unnamed=(
        "안녕하세요, 인공지능 상담원입니다. "
        "전화를 받지 않으셔서 메시지를 남깁니다. 편하실 때 다시 전화해 주시기 바랍니다. 감사합니다."
    ),
    wrong_party="죄송합니다, 제가 전화를 잘못 건 것 같습니다. 실례했습니다. 안녕히 계세요.",
)


def lines(language: str) -> Lines:
    """The lines for a BCP-47 tag, by its primary subtag; English where we have none."""
    return KOREAN if language.casefold().partition("-")[0] == KOREAN.language else ENGLISH
