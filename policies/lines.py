"""The lines we speak by ourselves, in each language we know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lines:
    """One language's lines. Each is said as it stands, so each passes the guard when an agent file loads."""

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

    def disclosure(self, organisation: str) -> str:
        """Who is speaking: an AI, and whose. `organisation` may be empty."""
        return self.disclosed.format(organisation=organisation) if organisation else self.disclosed_unnamed


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
)


def lines(language: str) -> Lines:
    """The lines for a BCP-47 tag, by its primary subtag; English where we have none."""
    return KOREAN if language.casefold().partition("-")[0] == KOREAN.language else ENGLISH
