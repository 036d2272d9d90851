"""Nobody waits in silence: three lanes on one clock, never over speech, and never beside the answer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.agent_conversation import Latency
from policies.latency import (
    MOST_SILENCE,
    MOST_WAITS,
    STARTS_AFTER,
    Exhausted,
    Lane,
    Lanes,
    Phrase,
    phrases,
    speech_seconds,
)
from policies.lines import ENGLISH, KOREAN, Lines

TIMES = Latency()


def lanes(ours: Lines = ENGLISH, own: tuple[str, ...] = ()) -> Lanes:
    return Lanes(TIMES.acknowledge_after, TIMES.tool_phrase_after, TIMES.fallback_after, phrases(ours, own))


@dataclass
class Line:
    """A relay that does what it is told, and estimates the end of its speech."""

    lanes: Lanes
    tool_running: bool = False
    reports: bool = False  # does the carrier tell when speech has ended?
    speaking_until: float = 0.0
    said: list[tuple[float, Lane, str]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def wait(self, until: float) -> float | None:
        """Ask whenever something is due; the moment at which the answer is given up."""
        while (due_at := self.lanes.due_at) is not None and due_at <= until:
            now = due_at
            match self.lanes.due(
                now, speaking_until=self.speaking_until, tool_running=self.tool_running, replying=False
            ):
                case Phrase(text, lane):
                    assert now >= self.speaking_until, "said over running speech"
                    took = STARTS_AFTER + speech_seconds(text, self.lanes.phrases.language)
                    self.speaking_until = now + took
                    if self.reports:
                        self.speaking_until = now + took * 0.6
                        self.lanes.spoke(self.speaking_until)
                    self.said.append((round(now, 3), lane, text))
                    self.ends.append(self.speaking_until)
                case Exhausted():
                    return now
                case None:
                    pass
        return None


def test_without_a_tool_an_acknowledgement_is_followed_by_something_useful() -> None:
    line = Line(lanes())
    line.lanes.heard(10.0)
    line.wait(13.0)
    (first, acknowledged, _), (second, useful, _) = line.said
    assert (acknowledged, useful) == (Lane.ACKNOWLEDGEMENT, Lane.FALLBACK)
    assert first == 10.7
    assert 12.0 <= second <= 12.7


def test_while_a_tool_runs_the_caller_hears_so() -> None:
    line = Line(lanes(), tool_running=True)
    line.lanes.heard(0.0)
    line.wait(30.0)
    assert [lane for _, lane, _ in line.said][:4] == [
        Lane.ACKNOWLEDGEMENT,
        Lane.TOOL,
        Lane.FALLBACK,
        Lane.TOOL,
    ]


def test_a_lane_that_finds_quiet_speaks_on_its_second() -> None:
    line = Line(Lanes(0.2, 1.5, 2.0, phrases(ENGLISH)), tool_running=True)
    line.lanes.heard(0.0)
    line.wait(1.6)
    assert line.said[0][:2] == (0.2, Lane.ACKNOWLEDGEMENT)
    assert 1.5 <= line.said[1][0] <= 1.7
    useful = Line(Lanes(0.05, 1.5, 2.0, phrases(ENGLISH)))
    useful.lanes.heard(0.0)
    useful.wait(2.1)
    assert [lane for _, lane, _ in useful.said] == [Lane.ACKNOWLEDGEMENT, Lane.FALLBACK]


def test_nobody_is_acknowledged_while_we_are_speaking_anyway() -> None:
    line = Line(lanes(), speaking_until=5.0)
    line.lanes.heard(0.0)
    line.wait(8.0)
    assert Lane.ACKNOWLEDGEMENT not in [lane for _, lane, _ in line.said]
    assert 5.0 < line.said[0][0] <= 5.0 + MOST_SILENCE


def test_the_reply_that_arrives_at_the_same_moment_is_not_doubled() -> None:
    line = lanes()
    line.heard(0.0)
    assert line.due(0.7, speaking_until=0.0, tool_running=False, replying=True) is None
    assert line.due_at is None
    assert line.due(9.0, speaking_until=0.0, tool_running=False, replying=False) is None


def test_nothing_is_said_before_its_time_or_after_the_turn() -> None:
    line = lanes()
    assert line.due_at is None
    line.heard(0.0)
    assert line.due(0.69, speaking_until=0.0, tool_running=False, replying=False) is None
    line.answered()
    assert line.due_at is None
    line.spoke(1.0)
    assert line.due_at is None


@pytest.mark.parametrize("ours", [ENGLISH, KOREAN], ids=lambda each: each.language)
@pytest.mark.parametrize("tool_running", [False, True])
@pytest.mark.parametrize("reports", [False, True])
def test_silence_is_never_longer_than_promised_until_the_answer_is_given_up(
    ours: Lines, tool_running: bool, reports: bool
) -> None:
    line = Line(lanes(ours), tool_running, reports)
    line.lanes.heard(0.0)
    given_up = line.wait(120.0)
    assert given_up is not None
    moments = [*(at for at, _, _ in line.said), given_up]
    quiet = [moments[0], *(at - end for at, end in zip(moments[1:], line.ends, strict=True))]
    assert max(quiet) <= MOST_SILENCE
    assert line.said[-1][0] < given_up < 30.0
    assert len(line.said) <= 3 + MOST_WAITS


def test_an_end_that_is_reported_early_brings_the_next_phrase_forward() -> None:
    early, late = lanes(), lanes()
    for each in (early, late):
        each.heard(0.0)
        assert isinstance(each.due(2.5, speaking_until=0.0, tool_running=True, replying=False), Phrase)
        assert isinstance(each.due(6.0, speaking_until=0.0, tool_running=True, replying=False), Phrase)
    early.spoke(6.2)
    assert early.due_at is not None
    assert late.due_at is not None
    assert early.due_at == 7.7 < late.due_at


def test_over_a_whole_call_no_phrase_follows_itself() -> None:
    line = Line(lanes())
    for turn in range(12):
        line.lanes.heard(100.0 * turn)
        line.tool_running = turn % 3 == 0
        line.wait(100.0 * turn + 60.0)
    texts = [text for _, _, text in line.said]
    assert all(one != other for one, other in itertools.pairwise(texts))
    for lane in Lane:
        assert set(line.lanes.phrases.of(lane)) <= set(texts), f"{lane} does not rotate"


@pytest.mark.parametrize("own", [("Just a second.",), ("Let me see.", "One moment, please."), ("A.", "A.")])
def test_the_phrases_of_the_file_are_used_and_do_not_follow_themselves_either(own: tuple[str, ...]) -> None:
    line = Line(lanes(own=own))
    for turn in range(6):
        line.lanes.heard(100.0 * turn)
        line.wait(100.0 * turn + 60.0)
    texts = [text for _, _, text in line.said]
    assert set(own) <= set(texts)
    assert all(one != other for one, other in itertools.pairwise(texts))


def test_the_language_may_change_in_the_middle_of_a_call() -> None:
    line = lanes()
    line.phrases = phrases(KOREAN)
    line.heard(0.0)
    said = line.due(0.7, speaking_until=0.0, tool_running=False, replying=False)
    assert said == Phrase(KOREAN.acknowledgements[0], Lane.ACKNOWLEDGEMENT)


MOMENTS = st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 4.0), st.booleans()), max_size=40)


@given(MOMENTS)
def test_whenever_it_is_asked_it_never_speaks_over_speech_and_gives_up_once(
    moments: list[tuple[float, float, bool]],
) -> None:
    line = lanes()
    line.heard(0.0)
    now, until, said, given_up = 0.0, 0.0, 0, 0
    for wait, speech, tool_running in moments:
        now += wait
        match line.due(now, speaking_until=until, tool_running=tool_running, replying=False):
            case Phrase():
                assert now >= max(until, TIMES.acknowledge_after)
                said += 1
                until = now + speech
            case Exhausted():
                given_up += 1
            case None:
                pass
    assert given_up <= 1
    assert said <= 3 + MOST_WAITS


# -- how long words take ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [ENGLISH, KOREAN], ids=lambda each: each.language)
def test_an_estimate_is_long_enough_for_the_usual_rates_and_not_twice_as_long(ours: Lines) -> None:
    for name, text in ours.spoken():
        syllables = sum("\uac00" <= char <= "\ud7a3" for char in text)
        usual = syllables / 7 if ours is KOREAN else len(text) / 15
        assert usual <= speech_seconds(text, ours.language) <= 2 * usual + 0.2, name


def test_numerals_take_as_long_as_the_words_they_are() -> None:
    assert speech_seconds("$49") >= len("forty-nine dollars") / 15
    assert speech_seconds("49", "ko-KR") >= len("사십구") / 7
    assert speech_seconds("010-1234-5678") > 4.0
    assert speech_seconds("") == 0.0


@given(st.text(max_size=80), st.text(max_size=80))
def test_more_text_never_takes_less_time(one: str, more: str) -> None:
    assert speech_seconds(one + more) >= speech_seconds(one) >= 0.0


@pytest.mark.parametrize("ours", [ENGLISH, KOREAN], ids=lambda each: each.language)
def test_our_phrases_are_short_for_the_answer_may_come_at_any_moment(ours: Lines) -> None:
    longest = {Lane.ACKNOWLEDGEMENT: 1.6, Lane.WAITING: 2.7, Lane.TOOL: 2.7, Lane.FALLBACK: 4.7}
    for lane, most in longest.items():
        known = phrases(ours).of(lane)
        assert len(set(known)) >= 3
        assert max(speech_seconds(text, ours.language) for text in known) <= most
