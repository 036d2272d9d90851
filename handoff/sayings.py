"""What a handoff says by itself, to the caller and to the person who takes over, in each language we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sayings:
    """One language's texts. To the caller, nothing is promised: a wait is always `about`."""

    language: str
    tag: str  # for `<Say>`, where the call's own tag names no country
    hold: str
    next_in_line: str
    position: str  # with `{position}`
    expected: str  # with `{minutes}`, of two or more
    expected_soon: str  # a minute or less
    connecting: str  # to both, when the person has taken the call
    nobody: str
    callback: str  # after a callback is stored
    voicemail: str  # ends in the tone
    voicemail_kept: str
    voicemail_empty: str
    transfer: str  # to the person, with `{brief}`
    no_brief: str  # in its place: the agent has not spoken with the caller
    choose: str  # to the person: take it or pass it on
    passed_on: str
    too_late: str  # to the person: the caller is no longer there to be taken

    def waiting(self, position: int | None, average: float | None) -> str:
        """The caller's place in the queue, or the expected wait; else that somebody is being looked for."""
        minutes = round(average / 60) if average else None
        expected = self._expected(minutes) if minutes is not None else ""
        if position == 1:
            return self.next_in_line
        if position is not None and position > 1:
            return " ".join(filter(None, (self.position.format(position=position), expected)))
        return expected or self.hold

    def _expected(self, minutes: int) -> str:
        return self.expected_soon if minutes <= 1 else self.expected.format(minutes=minutes)


ENGLISH: Final = Sayings(
    language="en",
    tag="en-US",
    hold="I'm looking for a colleague who is free. Please hold.",
    next_in_line="You are next in line. Please hold.",
    position="You are number {position} in line.",
    expected="The wait is about {minutes} minutes. Please hold.",
    expected_soon="The wait is about a minute. Please hold.",
    connecting="Connecting you now.",
    nobody="I'm sorry, none of my colleagues is free right now.",
    callback="I've asked a colleague to call you back. Thank you for calling. Goodbye.",
    voicemail=(
        "None of my colleagues is free right now. Please leave a message after the tone, "
        "and press the pound key when you are done."
    ),
    voicemail_kept="Thank you, your message has been recorded. Goodbye.",
    voicemail_empty="I didn't hear a message. Goodbye.",
    transfer="Transfer from the AI assistant: {brief}",
    no_brief="There is no summary of this call.",
    choose="Press 1 to take the call, or 2 to pass it on.",
    passed_on="All right, the call is passed on. Goodbye.",
    too_late="The caller is no longer waiting. Thank you. Goodbye.",
)

KOREAN: Final = Sayings(
    language="ko",
    tag="ko-KR",
    hold="통화 가능한 담당자를 찾고 있습니다. 잠시만 기다려 주세요.",
    next_in_line="다음 차례이십니다. 잠시만 기다려 주세요.",
    position="현재 {position}번째로 기다리고 계십니다.",
    expected="예상 대기 시간은 약 {minutes}분입니다. 잠시만 기다려 주세요.",
    expected_soon="예상 대기 시간은 약 1분입니다. 잠시만 기다려 주세요.",
    connecting="지금 연결합니다.",
    nobody="죄송합니다, 지금은 통화 가능한 담당자가 없습니다.",
    callback="담당자에게 다시 전화드리도록 전달했습니다. 전화 주셔서 감사합니다.",
    voicemail=(
        "지금은 통화 가능한 담당자가 없습니다. 삐 소리가 난 뒤 메시지를 남겨 주시고, "
        "마치시면 우물 정자를 눌러 주세요."
    ),
    voicemail_kept="메시지가 녹음되었습니다. 감사합니다.",
    voicemail_empty="메시지가 들리지 않았습니다. 감사합니다.",
    transfer="인공지능 상담원이 연결하는 전화입니다. {brief}",
    no_brief="이 통화의 상담 내용은 없습니다.",
    choose="전화를 받으시려면 1번, 다른 분께 넘기시려면 2번을 눌러 주세요.",
    passed_on="네, 다른 담당자에게 넘기겠습니다.",
    too_late="고객님께서 더 이상 기다리고 계시지 않습니다. 감사합니다.",
)


def sayings(language: str) -> Sayings:
    """The texts for a BCP-47 tag, by its primary subtag; English where we have none."""
    return KOREAN if language.casefold().partition("-")[0] == KOREAN.language else ENGLISH


def spoken_tag(language: str) -> str:
    """The tag that Twilio's voice gets: the call's own where our words are in that language."""
    ours = sayings(language)
    primary, _, country = language.partition("-")
    return language if primary.casefold() == ours.language and country else ours.tag
