"""What Twilio plays, reports and cuts, told from times alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.playback import (
    ChunkPlayed,
    Cut,
    Playback,
    Signal,
    SpeakingChanged,
    speech_seconds,
    spoken_part,
)
from evaluation.wire import Input, Inputs, Play, SendDigits, Text

ON, OFF = SpeakingChanged(True), SpeakingChanged(False)
LONG = "Sentence 1 of twelve: the quick brown fox jumps. Sentence 2 of twelve: it jumps again. And again."


def said(*tokens: str, now: float = 0.0, playback: Playback | None = None) -> Playback:
    """A whole talk cycle, sent at once."""
    playback = playback or Playback()
    for token in tokens:
        assert playback.feed(Text(token), now) == []
    assert playback.feed(Text("", last=True), now) == []
    return playback


def texts(signals: list[Signal]) -> list[str]:
    return [signal.text for signal in signals if isinstance(signal, ChunkPlayed)]


def test_chunks_end_at_clauses_and_keep_their_leading_space() -> None:
    playback = said("I", " heard:", " Holding.")
    assert playback.advance(10.0) == [ON, ChunkPlayed("I heard:"), ChunkPlayed(" Holding."), OFF]


def test_speech_starts_a_moment_after_the_first_token_and_takes_its_time() -> None:
    playback = said("Fifteen letters")
    assert playback.due() == pytest.approx(0.3)
    assert playback.advance(0.31) == [ON]
    assert playback.due() == pytest.approx(1.3)
    assert playback.advance(1.29) == []
    assert playback.advance(1.31) == [ChunkPlayed("Fifteen letters"), OFF]
    assert playback.due() is None


def test_an_open_cycle_plays_whole_clauses_and_holds_its_tail() -> None:
    playback = Playback()
    playback.feed(Text("One. Two"), 0.0)
    assert playback.advance(60.0) == [ON, ChunkPlayed("One."), OFF]
    assert playback.silent
    assert playback.cycle_open
    assert playback.feed(Text("", last=True), 60.0) == [ON]
    assert playback.advance(120.0) == [ChunkPlayed(" Two"), OFF]
    assert not playback.cycle_open


@pytest.mark.parametrize("number", ["1,000", "3.14", "10:30"])
def test_a_mark_inside_a_word_ends_no_clause(number: str) -> None:
    assert texts(said(number).advance(10.0)) == [number]


def test_korean_and_japanese_clauses_need_no_blank() -> None:
    assert texts(said("はい。いいえ。").advance(10.0)) == ["はい。", "いいえ。"]


def test_an_empty_cycle_says_nothing() -> None:
    playback = said("")
    assert playback.due() is None
    assert playback.silent


def test_a_barge_in_reports_the_chunk_up_to_the_cut_and_nothing_of_the_rest() -> None:
    playback = said(LONG)
    first = speech_seconds("Sentence 1 of twelve:")
    second = speech_seconds(" the quick brown fox jumps.")
    cut_at = 0.3 + first + second + 0.684
    before = playback.advance(cut_at)
    assert texts(before) == ["Sentence 1 of twelve:", " the quick brown fox jumps."]
    played, cut = playback.barge_in(Input.SPEECH, cut_at)
    assert played == ChunkPlayed("Sentence 2")
    assert isinstance(cut, Cut)
    assert cut.heard == "Sentence 2"
    assert cut.after == pytest.approx(0.684)
    assert playback.advance(cut_at) == [OFF]
    assert playback.due() is None


def test_a_second_sound_while_nothing_plays_interrupts_nothing() -> None:
    playback = said(LONG)
    assert len(playback.barge_in(Input.SPEECH, 1.0)) == 3
    assert playback.barge_in(Input.SPEECH, 1.2) == [OFF]
    assert playback.barge_in(Input.SPEECH, 1.4) == []


def test_a_caller_who_speaks_before_the_first_sound_interrupts_nothing() -> None:
    playback = said("Hello.")
    assert playback.barge_in(Input.SPEECH, 0.1) == []
    assert texts(playback.advance(10.0)) == ["Hello."]


def test_tokens_after_a_cut_play_again_and_can_be_cut_again() -> None:
    playback = Playback()
    playback.feed(Text("One, two, three. "), 0.0)
    assert Cut in map(type, playback.barge_in(Input.SPEECH, 0.5))
    playback.feed(Text("Four.", last=True), 0.6)
    assert Cut in map(type, playback.barge_in(Input.SPEECH, 1.0))


@pytest.mark.parametrize(
    ("session", "message", "by", "cut"),
    [
        (Inputs.ANY, None, Input.SPEECH, True),
        (Inputs.ANY, None, Input.DTMF, True),
        (Inputs.SPEECH, None, Input.DTMF, False),
        (Inputs.DTMF, None, Input.SPEECH, False),
        (Inputs.NONE, None, Input.SPEECH, False),
        (Inputs.ANY, False, Input.SPEECH, False),
        (Inputs.ANY, Inputs.DTMF, Input.SPEECH, False),
        (Inputs.NONE, True, Input.SPEECH, True),
        (Inputs.NONE, Inputs.SPEECH, Input.SPEECH, True),
    ],
)
def test_the_message_overrides_the_session_in_what_may_cut_it(
    session: Inputs, message: bool | Inputs | None, by: Input, cut: bool
) -> None:
    playback = Playback(session)
    text = Text(LONG, last=True) if message is None else Text(LONG, last=True, interruptible=message)
    playback.feed(text, 0.0)
    assert any(isinstance(signal, Cut) for signal in playback.barge_in(by, 1.0)) is cut


def test_what_may_not_be_interrupted_outlives_the_purge() -> None:
    playback = said(LONG)
    playback.feed(Text("This call may be recorded.", last=True, interruptible=False), 0.0)
    playback.barge_in(Input.SPEECH, 1.0)
    assert playback.advance(20.0) == [OFF, ON, ChunkPlayed("This call may be recorded."), OFF]


def test_preemptible_speech_falls_to_the_next_message_without_an_interrupt() -> None:
    playback = Playback()
    playback.feed(Text(LONG, last=True, preemptible=True), 0.0)
    playback.advance(1.0)
    assert playback.feed(Text("Stop.", last=True), 1.0) == [ChunkPlayed("Sentence 1"), OFF]
    assert playback.due() == pytest.approx(3.0)
    assert playback.advance(20.0) == [ON, ChunkPlayed("Stop."), OFF]


def test_media_preempts_too() -> None:
    playback = Playback(preemptible=True)
    playback.feed(Text(LONG, last=True), 0.0)
    playback.advance(1.0)
    assert playback.feed(Play("https://example.com/a.mp3"), 1.0) == [ChunkPlayed("Sentence 1"), OFF]


def test_preemptible_marks_the_victim_and_not_the_intruder() -> None:
    playback = Playback()
    playback.feed(Text("The first message.", last=True), 0.0)
    playback.feed(Text("The second.", last=True, preemptible=True), 0.5)
    assert texts(playback.advance(20.0)) == ["The first message.", "The second."]


def test_the_tokens_of_one_cycle_do_not_displace_each_other() -> None:
    playback = Playback(preemptible=True)
    signals = playback.feed(Text("One."), 0.0)
    signals += playback.feed(Text(" Two."), 0.1)
    signals += playback.feed(Text(" Three.", last=True), 0.9)
    assert texts(signals + playback.advance(20.0)) == ["One.", " Two.", " Three."]


def test_digits_wait_their_turn_and_are_reported() -> None:
    playback = said("One moment.")
    playback.feed(SendDigits("1234#"), 0.1)
    assert playback.advance(20.0) == [ON, ChunkPlayed("One moment."), OFF, ON, ChunkPlayed("1234#"), OFF]


def test_media_takes_time_and_reports_no_tokens() -> None:
    playback = Playback()
    playback.feed(Play("https://example.com/a.mp3", loop=2), 0.0)
    assert playback.advance(5.0) == [ON]
    assert playback.advance(7.0) == [OFF]


def test_cut_media_has_an_interrupt_without_words() -> None:
    playback = Playback()
    playback.feed(Play("https://example.com/a.mp3"), 0.0)
    *_, cut = playback.barge_in(Input.SPEECH, 1.0)
    assert isinstance(cut, Cut)
    assert cut.heard == ""


def test_the_greeting_is_one_chunk() -> None:
    playback = Playback()
    playback.greet("This is the spike. Say something, or press a key.", Inputs.ANY, 0.0)
    assert len(texts(playback.advance(20.0))) == 1


@pytest.mark.parametrize(
    ("text", "seconds", "heard"),
    [
        ("This is the spike.", 0.015, "This"),
        (" This is the spike.", 0.015, "This"),
        ("This is the spike.", 0.5, "This is"),
        ("This is the spike.", 9.0, "This is the spike."),
        ("This is the spike.", 0.0, ""),
    ],
)
def test_a_cut_falls_at_the_end_of_the_word_being_said(text: str, seconds: float, heard: str) -> None:
    assert spoken_part(text, seconds) == heard


words = st.text(alphabet="ab1 .,:!", max_size=12)
cycles = st.lists(st.lists(words, min_size=1, max_size=4), min_size=1, max_size=4)
moments = st.lists(st.floats(0, 8), max_size=6)


@given(cycles, st.floats(0, 1))
def test_what_is_played_is_what_was_sent(sent: list[list[str]], pause: float) -> None:
    playback, now, played = Playback(), 0.0, []
    for cycle in sent:
        for number, token in enumerate(cycle, 1):
            played += playback.feed(Text(token, last=number == len(cycle)), now)
            now += pause
    played += playback.advance(1000.0)
    spoken = "".join("".join(cycle) for cycle in sent)
    assert "".join("".join(texts(played)).split()) == "".join(spoken.split())
    assert [signal for signal in played if isinstance(signal, SpeakingChanged)][::2] == [ON] * sum(
        signal == ON for signal in played
    )
    assert playback.silent


@given(cycles, moments)
def test_after_a_purge_nothing_is_played_and_one_purge_has_one_interrupt(
    sent: list[list[str]], at: list[float]
) -> None:
    playback = Playback()
    for cycle in sent:
        playback.feed(Text("".join(cycle), last=True), 0.0)
    signals: list[Signal] = []
    for moment in sorted(at):
        signals += playback.barge_in(Input.SPEECH, moment)
    signals += playback.advance(1000.0)
    cuts = [number for number, signal in enumerate(signals) if isinstance(signal, Cut)]
    assert len(cuts) <= 1
    for cut in cuts:
        assert signals[cut + 1 :] == [OFF]


@given(cycles, moments)
def test_time_in_small_steps_is_time_in_one(sent: list[list[str]], at: list[float]) -> None:
    once, stepwise, signals = Playback(), Playback(), []
    for playback in (once, stepwise):
        for cycle in sent:
            playback.feed(Text("".join(cycle), last=True), 0.0)
    for moment in sorted(at):
        signals += stepwise.advance(moment)
    assert signals + stepwise.advance(1000.0) == once.advance(1000.0)
