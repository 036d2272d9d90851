"""Whose turn it is, what was heard, what may be sent: every rule of the session, told without a socket."""

from __future__ import annotations

import pytest

from policies.vocabulary import Speaker, Utterance
from relay.cycle import Purpose
from relay.messages import End, Text
from relay.session import Session
from relay.step import Heard, OutOfTurn, Step, Turn

CALLER, AGENT = Speaker.CALLER, Speaker.AGENT
CLOSED = Text(token="", last=True)


def disclosed() -> Session:
    return Session(disclosed=True)


def asked(session: Session, text: str = "Hello?", now: float = 0.0) -> int:
    turn = session.prompt(text, now).turn
    assert turn is not None
    return turn.number


def texts(session: Session) -> list[str]:
    return [entry.text for entry in session.history]


class TestOpening:
    def test_the_disclosure_comes_first_and_nothing_can_cut_it(self) -> None:
        frames = Session().open_with("I am an AI.", "How can I help?", 0.0)
        assert frames == (
            Text(token="I am an AI.", last=True, interruptible=False, preemptible=False),
            Text(token="How can I help?", last=True, preemptible=True),
        )

    def test_input_during_the_disclosure_is_queued_and_answered_after_it(self) -> None:
        session = Session()
        session.open_with("I am an AI.", "How can I help?", 0.0)
        session.agent_speaking(True, 0.3)
        assert session.prompt("What does", 0.5) == Step()
        assert session.prompt("it cost?", 0.6) == Step()
        step = session.played("I am an AI.", 1.2)
        assert step.turn == Turn(1, "What does it cost?", 1.2, merged=False)
        assert session.disclosed

    def test_keys_during_the_disclosure_are_queued_too(self) -> None:
        session = Session()
        session.open_with("I am an AI.", "", 0.0)
        session.agent_speaking(True, 0.3)
        assert [session.key(key, 0.4).turn for key in "42#"] == [None, None, None]
        turn = session.played("I am an AI.", 1.2).turn
        assert turn is not None
        assert turn.text == "[2 digits]"

    def test_without_reports_the_disclosure_ends_when_it_must_have_been_spoken(self) -> None:
        session = Session()
        session.open_with("x" * 40, "", 10.0)
        session.prompt("Hi", 10.1)
        assert session.wake_at == pytest.approx(12.3)
        assert session.wake(12.2) == Step()
        assert session.wake(12.3).turn is not None
        assert session.wake_at is None

    def test_once_it_is_heard_to_begin_it_is_given_its_time(self) -> None:
        session = Session()
        session.open_with("x" * 40, "", 10.0)
        session.agent_speaking(True, 10.7)
        assert session.wake_at == pytest.approx(14.7)

    def test_an_answer_is_not_held_up_by_a_greeting_that_was_never_played(self) -> None:
        session = Session()
        session.open_with("I am an AI.", "How can I help?", 0.0)
        session.prompt("Price?", 0.1)
        step = session.played("I am an AI.", 1.0)
        assert step.turn is not None
        session.say(step.turn.number, "Forty-nine.", last=True)
        session.played("Forty-nine.", 2.0)
        assert texts(session) == ["I am an AI.", "Price?", "Forty-nine."]

    def test_a_resumed_session_repeats_neither_disclosure_nor_greeting(self) -> None:
        before = (Utterance(AGENT, "I am an AI."), Utterance(CALLER, "Price?"))
        session = Session(before, turn=1, disclosed=True)
        assert session.resume_with("Where were we?") == (Text(token="Where were we?", last=True),)
        assert asked(session, "The price.") == 2


class TestTurns:
    @pytest.mark.parametrize("blank", ["", "   ", "\n"])
    def test_a_blank_prompt_is_noise(self, blank: str) -> None:
        assert disclosed().prompt(blank, 0.0) == Step()

    def test_an_utterance_split_over_two_finals_is_one_turn(self) -> None:
        session = disclosed()
        old = asked(session, "I want to", 0.0)
        step = session.prompt("cancel my contract.", 0.08)
        assert step == Step(cancel=True, turn=Turn(2, "I want to cancel my contract.", 0.08, merged=True))
        with pytest.raises(OutOfTurn):
            session.say(old, "Sure")
        assert texts(session) == ["I want to cancel my contract."]

    def test_a_filler_is_no_reply_so_a_second_final_still_merges(self) -> None:
        session = disclosed()
        session.say(asked(session, "I want to"), "One moment.", Purpose.FILLER, last=True)
        assert not session.replying
        turn = session.prompt("cancel.", 2.0).turn
        assert turn is not None
        assert turn.text == "I want to cancel."

    def test_once_the_reply_has_begun_a_new_prompt_is_a_new_utterance(self) -> None:
        session = disclosed()
        turn = asked(session, "Hello?")
        session.say(turn, "Hi ")
        step = session.prompt("Are you there?", 1.0)
        assert step.cancel
        assert step.frames == (CLOSED,)
        assert step.turn == Turn(2, "Are you there?", 1.0, merged=False)

    def test_late_words_of_an_old_turn_are_refused(self) -> None:
        session = disclosed()
        old = asked(session)
        session.say(old, "Hi")
        asked(session, "Stop.", 1.0)
        with pytest.raises(OutOfTurn):
            session.say(old, " there")
        with pytest.raises(OutOfTurn):
            session.close(old)

    def test_nobody_speaks_before_the_caller_has(self) -> None:
        with pytest.raises(OutOfTurn):
            disclosed().say(0, "Hello")

    def test_after_the_end_nothing_is_heard_or_said(self) -> None:
        session = disclosed()
        turn = asked(session)
        session.say(turn, "Bye")
        assert session.end("{}") == (CLOSED, End(handoff_data="{}"))
        assert session.left
        assert session.prompt("Hello?", 1.0) == Step()
        assert session.key("1", 1.0) == Step()
        assert session.wake(99.0) == Step()
        with pytest.raises(OutOfTurn):
            session.say(turn, "x")


class TestCycles:
    def test_a_reply_is_one_cycle_from_its_first_word_to_its_close(self) -> None:
        session = disclosed()
        turn = asked(session)
        assert session.say(turn, "Hi ") == Text(token="Hi ", last=False)
        assert session.say(turn, "there.") == Text(token="there.", last=False)
        assert session.close(turn) == CLOSED
        assert session.close(turn) is None

    def test_a_barge_in_closes_the_open_cycle_and_silences_the_turn(self) -> None:
        session = disclosed()
        turn = asked(session)
        session.say(turn, "Hi there, how")
        assert session.interrupt("Hi", 1.0) == Step(
            cancel=True, frames=(CLOSED,), heard=(Heard(1, Purpose.REPLY, "Hi", whole=False),)
        )
        with pytest.raises(OutOfTurn):
            session.say(turn, " are you")

    def test_a_second_interrupt_of_the_same_speech_changes_nothing(self) -> None:
        session = disclosed()
        session.say(asked(session), "Hi there.", last=True)
        session.interrupt("Hi", 1.0)
        before = session.history
        assert session.interrupt("Hi", 1.1) == Step()
        assert session.history == before

    def test_an_interrupt_of_the_old_reply_does_not_stop_the_new_turn(self) -> None:
        session = disclosed()
        session.played("elsewhere", 0.0)  # this line reports what it plays
        session.say(asked(session), "A long story.", last=True)
        turn = asked(session, "Wait.", 1.0)
        step = session.interrupt("A long", 1.1)
        assert not step.cancel
        assert session.say(turn, "Yes?") == Text(token="Yes?", last=False)


class TestHeard:
    def test_only_what_was_played_is_history(self) -> None:
        session = disclosed()
        turn = asked(session)
        session.say(turn, "Sentence one. Sentence two of it. Sentence three.", last=True)
        session.played("Sentence one.", 1.0)
        session.played("Sentence two of", 2.0)
        session.interrupt("Sentence two of", 2.0)
        assert texts(session) == ["Hello?", "Sentence one. Sentence two of"]
        assert session.history[-1].interrupted

    def test_without_reports_the_fragment_is_looked_up_in_what_was_sent(self) -> None:
        session = disclosed()
        session.say(asked(session), "Sentence one. Sentence two of it.", last=True)
        session.interrupt("Sentence two", 2.0)
        assert texts(session) == ["Hello?", "Sentence one. Sentence two"]

    def test_an_interrupt_before_any_word_was_played_leaves_nothing(self) -> None:
        session = disclosed()
        session.say(asked(session), "Hello there.", last=True)
        session.interrupt("", 0.1)
        assert texts(session) == ["Hello?"]

    def test_without_reports_a_prompt_means_that_all_was_heard(self) -> None:
        session = disclosed()
        session.say(asked(session), "Forty-nine dollars.", last=True)
        asked(session, "Thanks.", 5.0)
        assert texts(session) == ["Hello?", "Forty-nine dollars.", "Thanks."]

    def test_cumulative_reports_are_understood(self) -> None:
        session = disclosed()
        session.say(asked(session), "One. Two. Three.", last=True)
        for report in ("One.", "One. Two.", "One. Two. Three."):
            session.played(report, 1.0)
        assert texts(session)[-1] == "One. Two. Three."

    def test_the_same_words_twice_are_heard_twice(self) -> None:
        session = disclosed()
        session.say(asked(session), "No. No. No.", last=True)
        session.played("No.", 1.0)
        session.played(" No.", 2.0)
        assert texts(session)[-1] == "No. No."

    def test_a_chunk_the_voice_reworded_is_bridged_by_the_next(self) -> None:
        session = disclosed()
        session.say(asked(session), "It costs $5. Shall I book it?", last=True)
        session.played("It costs five dollars.", 1.0)
        session.played(" Shall I book it?", 2.0)
        assert texts(session)[-1] == "It costs $5. Shall I book it?"

    def test_speech_of_the_carrier_itself_is_not_ours(self) -> None:
        session = disclosed()
        session.say(asked(session), "Hello there.", last=True)
        session.played("Welcome to Acme!", 1.0)
        assert texts(session) == ["Hello?"]

    def test_a_reply_is_settled_when_the_agent_falls_silent(self) -> None:
        session = disclosed()
        session.say(asked(session), "Hello there.", last=True)
        session.played("Hello there.", 1.0)
        step = session.agent_speaking(False, 1.0)
        assert step.heard == (Heard(1, Purpose.REPLY, "Hello there.", whole=True),)

    def test_a_pause_in_a_slow_reply_settles_nothing(self) -> None:
        session = disclosed()
        turn = asked(session)
        session.say(turn, "Hello. ")
        session.played("Hello.", 1.0)
        assert session.agent_speaking(False, 1.0) == Step()
        session.say(turn, "Still here.")
        session.played(" Still here.", 3.0)
        assert texts(session)[-1] == "Hello. Still here."

    def test_a_hang_up_leaves_what_was_played_by_then(self) -> None:
        session = disclosed()
        session.say(asked(session), "One. Two.", last=True)
        session.played("One.", 1.0)
        assert session.hang_up() == (Heard(1, Purpose.REPLY, "One.", whole=False),)


class TestKeys:
    def test_a_number_ends_at_the_hash_key_and_is_masked(self) -> None:
        session = disclosed()
        for key in "4111":
            assert session.key(key, 0.0) == Step()
        turn = session.key("#", 1.0).turn
        assert turn is not None
        assert turn.text == "[4 digits]"
        assert session.history[-1] == Utterance(CALLER, "[4 digits]", digits="4111")
        assert "4111" not in repr(session.history)

    def test_a_number_ends_after_a_pause(self) -> None:
        session = disclosed()
        session.key("1", 0.0)
        session.key("2", 1.0)
        assert session.wake_at == pytest.approx(2.5)
        assert session.wake(2.4) == Step()
        turn = session.wake(2.5).turn
        assert turn is not None
        assert turn.text == "[2 digits]"
        assert session.wake_at is None

    def test_a_lone_zero_waits_less(self) -> None:
        session = disclosed()
        session.key("0", 0.0)
        assert session.wake_at == pytest.approx(0.8)

    def test_a_late_hash_belongs_to_the_number_before(self) -> None:
        session = disclosed()
        session.key("1", 0.0)
        session.wake(1.5)
        assert session.key("#", 2.0) == Step()
        assert session.key("#", 9.0).turn is not None

    def test_keys_and_words_make_one_utterance(self) -> None:
        session = disclosed()
        session.key("7", 0.0)
        turn = session.prompt("is my number", 0.5).turn
        assert turn is not None
        assert turn.text == "[1 digit] is my number"
        assert session.wake_at is None
