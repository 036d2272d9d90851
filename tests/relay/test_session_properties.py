"""The session under every order of events: no two open cycles, no late word, no unheard history."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from policies.vocabulary import Speaker
from relay.cycle import Purpose, squeeze
from relay.messages import Outbound, Text
from relay.session import Session
from relay.step import OutOfTurn, Step

WORDS = st.sampled_from(["Yes. ", "No. ", "The price is $5. ", "네, 알겠습니다. ", "a", " ", "Hello there, "])


class Calls(RuleBasedStateMachine):
    """Drives one session and keeps, beside it, what a caller's ear and Twilio's socket would know."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.session = Session(disclosed=True)
        self.open = False  # on the wire
        self.sent: list[str] = []  # of each cycle, in order
        self.turns: list[int] = []
        self.ended = False
        self.silenced = False  # the caller has cut this turn's reply

    @initialize(opening=st.booleans(), greeting=st.sampled_from(["", "How can I help?"]))
    def begin(self, opening: bool, greeting: str) -> None:
        if opening:
            self.session = Session()
            self.wire(self.session.open_with("I am an AI.", greeting, self.now))

    def wire(self, frames: tuple[Outbound, ...]) -> None:
        for frame in frames:
            if not isinstance(frame, Text):
                assert not self.open
                self.ended = True
                continue
            assert not self.ended
            if not self.open:
                assert frame.token, "an empty cycle was opened"
                self.sent.append("")
            self.sent[-1] += frame.token
            self.open = not frame.last

    def perform(self, step: Step) -> None:
        self.wire(step.frames)
        if step.turn:
            assert not self.open, "a turn began while a cycle was open"
            assert step.turn.number not in self.turns
            self.turns.append(step.turn.number)
        self.silenced = not step.turn and (step.cancel or self.silenced)
        for heard in step.heard:
            assert any(squeeze(sent).startswith(squeeze(heard.text)) for sent in self.sent)

    @rule(seconds=st.floats(0.01, 3.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        wake_at = self.session.wake_at
        if wake_at is not None and self.now >= wake_at:
            self.perform(self.session.wake(self.now))

    @rule(text=st.sampled_from(["", "What does it cost?", "stop", "네"]))
    def prompt(self, text: str) -> None:
        self.perform(self.session.prompt(text, self.now))

    @rule(key=st.sampled_from("01#*"))
    def press(self, key: str) -> None:
        self.perform(self.session.key(key, self.now))

    @rule(
        text=WORDS,
        purpose=st.sampled_from([Purpose.REPLY, Purpose.FALLBACK]),
        last=st.booleans(),
    )
    def speak(self, text: str, purpose: Purpose, last: bool) -> None:
        try:
            self.wire((self.session.say(self.session.turn, text, purpose, last=last),))
        except OutOfTurn:
            assert self.ended or self.silenced or not self.turns
        else:
            assert not self.silenced
            assert self.session.replying

    @rule()
    def close(self) -> None:
        try:
            frame = self.session.close(self.session.turn)
        except OutOfTurn:
            assert self.ended
        else:
            self.wire((frame,) if frame else ())
            assert not self.open

    @precondition(lambda self: len(self.turns) > 1)
    @rule(data=st.data(), text=WORDS)
    def speak_late(self, data: st.DataObject, text: str) -> None:
        old = data.draw(st.sampled_from(self.turns[:-1]))
        try:
            self.session.say(old, text)
        except OutOfTurn:
            return
        raise AssertionError("a word of an old turn was sent")

    @rule(data=st.data())
    def played(self, data: st.DataObject) -> None:
        self.perform(self.session.played(self.fragment(data), self.now))

    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        self.perform(self.session.interrupt(self.fragment(data), self.now))

    @rule(on=st.booleans())
    def agent_speaking(self, on: bool) -> None:
        self.perform(self.session.agent_speaking(on, self.now))

    @precondition(lambda self: self.now > 30)
    @rule()
    def end(self) -> None:
        if not self.ended:
            self.wire(self.session.end())

    def fragment(self, data: st.DataObject) -> str:
        """Any slice of what was sent, or something that never was."""
        sent = data.draw(st.sampled_from([*self.sent, "Something else entirely."]))
        start = data.draw(st.integers(0, len(sent)))
        return sent[start : data.draw(st.integers(start, len(sent)))]

    @invariant()
    def the_wire_and_the_session_agree(self) -> None:
        assert self.session.left == self.ended

    @invariant()
    def history_is_what_was_heard(self) -> None:
        """Every agent entry is the beginning of a cycle that was sent, in the order of sending."""
        cycles = iter(self.sent)
        for entry in self.session.history:
            assert entry.text
            if entry.speaker is Speaker.AGENT:
                assert any(squeeze(cycle).startswith(squeeze(entry.text)) for cycle in cycles)

    @invariant()
    def nothing_waits_for_a_time_that_has_no_end(self) -> None:
        assert self.session.wake_at is None or self.session.wake_at <= self.now + 5


Calls.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestCalls = Calls.TestCase
