"""One session without I/O: whose turn it is, what was heard, what may be sent.

Everything that depends on the order of frames is decided in this file. It is told what happened, and
when, and answers with a `Step`: what the shell has to do, in order. *Sent is not spoken*: a reply enters the
history only as far as it was played.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from policies.vocabulary import Speaker, Utterance, masked
from relay.cycle import Cycle, Purpose, squeeze
from relay.keypad import Keypad
from relay.messages import End, Outbound, Text
from relay.step import Heard, OutOfTurn, Parting, Step, Turn

SPEECH_RATE = 20.0  # characters a second; faster than any voice seen (about 15), so never too late
DISCLOSURE_GRACE = 0.3  # seconds from the first token to the first sound
PARTING_GRACE = 1.5  # seconds more than our last words should take, before we leave without a report of them
PROVEN = 0.98  # share of the disclosure that must be reported as played to count as whole


class Session:
    """One relay session of a call. Every method that takes `now` takes seconds of one monotonic clock."""

    def __init__(self, history: Iterable[Utterance] = (), *, turn: int = 0, disclosed: bool = False) -> None:
        self.turn = turn
        self.disclosed = disclosed
        self._history: list[Utterance | Cycle] = list(history)
        self._cycles: list[Cycle] = []  # sent and not settled, in the order Twilio plays them
        self._open: Cycle | None = None
        self._may_speak = False  # for the current turn
        self._asked: Utterance | None = None  # what nobody has answered yet
        self._asked_at = 0  # and where it stands in the history
        self._queued: list[Utterance] = []  # said while the disclosure was playing
        self._keypad = Keypad()
        self._disclosure: Cycle | None = None
        self._disclosure_due = 0.0
        self._reports_playing = False  # has Twilio told us what it played?
        self._parting: Parting | None = None
        self._cut_off = ""  # what an interrupt kept the caller from hearing, of replies that were complete
        self._broken_off = False  # did it cut a reply that was not complete?
        self._ended = False
        self._left = False

    @property
    def history(self) -> tuple[Utterance, ...]:
        """What each side really heard, in order; it may still grow while a reply is playing."""
        entries = (_utterance(entry) if isinstance(entry, Cycle) else entry for entry in self._history)
        return tuple(entry for entry in entries if entry.text)

    @property
    def wake_at(self) -> float | None:
        """When `wake` has to be called, if nothing happens before."""
        if self._ended:
            return None
        due = (
            self._keypad.due,
            self._disclosure_due if self._disclosure else None,
            self._parting.due if self._parting else None,
        )
        return min((moment for moment in due if moment is not None), default=None)

    @property
    def left(self) -> bool:
        """We have sent `end`: Twilio will ask what comes next."""
        return self._left

    @property
    def unanswered(self) -> bool:
        """Has the caller said something that no reply was begun to?"""
        return self._asked is not None or bool(self._queued)

    @property
    def queued(self) -> tuple[Utterance, ...]:
        """Said during the disclosure, and to be answered after it."""
        return tuple(self._queued)

    @property
    def keyed(self) -> tuple[str, ...]:
        """Every number the caller keyed; to be masked wherever it turns up again."""
        return tuple(self._keypad.finished)

    @property
    def replying(self) -> bool:
        """Has the reply to the current turn begun? A filler is no reply."""
        return self._may_speak and self._asked is None

    @property
    def replied(self) -> bool:
        """Is the reply to the current turn complete? What we say now is a talk cycle of its own."""
        return self.replying and self._open is None

    @property
    def disclosing(self) -> bool:
        return self._disclosure is not None

    @property
    def parting(self) -> bool:
        return self._parting is not None

    @property
    def unheard(self) -> str:
        """What was sent and, as far as we know, not played yet."""
        return " ".join(cycle.unheard for cycle in self._cycles)

    # -- speaking ----------------------------------------------------------------------------------------

    def open_with(self, disclosure: str, greeting: str, now: float) -> tuple[Text, ...]:
        """The first words of a call: the disclosure, which nothing can cut, then the greeting.

        The greeting gives way to an answer (`preemptible`): a caller who already asked is not greeted first.
        """
        self._disclosure = self._cycle(Purpose.DISCLOSURE, disclosure)
        self._disclosure_due = now + DISCLOSURE_GRACE + len(disclosure) / SPEECH_RATE
        frames = [Text(token=disclosure, last=True, interruptible=False, preemptible=False)]
        if greeting:
            self._cycle(Purpose.GREETING, greeting)
            frames.append(Text(token=greeting, last=True, preemptible=True))
        return tuple(frames)

    def resume_with(self, words: str) -> tuple[Text, ...]:
        """The first words of a later session of the same call; nobody is greeted twice."""
        self._cycle(Purpose.RESUME, words)
        return (Text(token=words, last=True),)

    def speak(self, words: str, purpose: Purpose) -> Text:
        """Say a whole line that answers no turn. Raises `OutOfTurn` when we are about to leave."""
        if self._ended or self._parting:
            raise OutOfTurn(self.turn)
        self._cycle(purpose, words)
        return Text(token=words, last=True)

    def go_on(self, now: float) -> Step:
        """The caller only showed that they listen: what that cut off is said, or asked for, after all."""
        rest, self._cut_off = self._cut_off, ""
        broken_off, self._broken_off = self._broken_off, False
        if self._ended or self._parting:
            return Step()
        asked = self._history[self._asked_at] if broken_off else None
        if isinstance(asked, Utterance):
            self._asked, self._may_speak = asked, True
            return Step(turn=Turn(self.turn, asked.text, now, goes_on=True))
        if not rest:
            return Step()
        self._cycle(Purpose.REPLY, rest)
        return Step(frames=(Text(token=rest, last=True),))

    @property
    def asks(self) -> bool:
        """Did our last words end in a question?"""
        said = next((entry.sent for entry in reversed(self._history) if isinstance(entry, Cycle)), "")
        return said.rstrip().endswith(("?", "？"))

    @property
    def cut_off(self) -> bool:
        """Is there something that `go_on` would say?"""
        return bool(self._cut_off) or self._broken_off

    def say(self, turn: int, text: str, purpose: Purpose = Purpose.REPLY, *, last: bool = False) -> Text:
        """Speak for a turn; the first words open a talk cycle. Raises `OutOfTurn`."""
        if turn != self.turn or not self._may_speak or self._ended:
            raise OutOfTurn(turn)
        frame = Text(token=text, last=last)
        if self._open is None:
            self._open = self._cycle(purpose)
        self._open.add(text)
        if purpose is not Purpose.FILLER:
            self._asked = None
        if last:
            self._open = None
        return frame

    def close(self, turn: int) -> Text | None:
        """Close the turn's talk cycle, if it is open. Raises `OutOfTurn`."""
        if turn != self.turn or self._ended:
            raise OutOfTurn(turn)
        return next(iter(self._closing()), None)

    def part(self, handoff_data: str, now: float, seconds: float, *, firm: bool) -> None:
        """Leave when what was sent has been heard: `end` throws away what is still queued.

        `seconds` is how long that takes at the most, for a carrier that does not tell what it played.
        """
        self._parting = Parting(handoff_data, now + seconds + PARTING_GRACE, firm)
        self._may_speak = False

    def end(self, handoff_data: str | None = None) -> tuple[Outbound, ...]:
        """The last frames of the session; nothing can be said after them."""
        frames: tuple[Outbound, ...] = (*self._closing(), End(handoff_data=handoff_data))
        self._ended = self._left = True
        self._parting = None
        return frames

    def hang_up(self) -> tuple[Heard, ...]:
        """The socket is gone: what was not played by now never will be."""
        self._ended = True
        self._open = None
        if not self._reports_playing:
            self._assume_heard()
        return self._settle(self._cycles)

    # -- listening ---------------------------------------------------------------------------------------

    def prompt(self, text: str, now: float) -> Step:
        """Final caller speech. Blank prompts are noise; partial ones are not given to the session."""
        words = " ".join(text.split())
        if not words or self._ended:
            return Step()
        keys = self._keypad.finish(now)
        pressed = [_keyed(keys)] if keys else []
        return self._take((*pressed, Utterance(Speaker.CALLER, words)), now)

    def key(self, digit: str, now: float) -> Step:
        """One key press. A number ends at `#` or after a pause; a late `#` is none."""
        if self._ended:
            return Step()
        keys = self._keypad.press(digit, now)
        return self._take((_keyed(keys),), now) if keys else Step()

    def interrupt(self, fragment: str, now: float) -> Step:
        """The caller cut our speech, and Twilio has thrown away everything that was queued."""
        cut = self._find_cut(squeeze(fragment))
        if cut is None:
            return Step()
        for cycle in self._cycles[: self._cycles.index(cut)]:
            cycle.assume_heard()
        lost = self._cycles[self._cycles.index(cut) :]
        for cycle in lost:
            cycle.interrupted = True
        broken_off = self._open in lost
        self._cut_off = "" if broken_off else " ".join(cycle.unheard for cycle in lost).strip()
        replying = any(cycle.turn == self.turn and _starts_reply(cycle) for cycle in self._cycles)
        self._broken_off = broken_off and replying
        frames = self._closing()
        if replying:
            self._may_speak = False
        heard = self._settle(self._cycles)
        step = Step(cancel=replying, frames=frames, heard=heard)
        if self._parting and not self._parting.firm:
            self._parting = None  # the caller has more to say
            return step
        return self._after_words(step, now)

    def played(self, text: str, now: float) -> Step:
        """Twilio played this chunk."""
        self._reports_playing = True
        chunk = squeeze(text)
        if not chunk:
            return Step()
        in_order = sorted(self._cycles, key=lambda cycle: not cycle.continues(chunk))  # stable
        playing = next((cycle for cycle in in_order if cycle.play(chunk)), None)
        if playing is None:
            return Step()  # not ours: the TwiML's welcome greeting, or words the voice changed
        heard = self._settle(self._cycles[: self._cycles.index(playing)])
        return self._after_words(Step(heard=heard), now)

    def agent_speaking(self, on: bool, now: float) -> Step:
        """Twilio began or stopped speaking; `off` comes after the last chunk of the queue was reported."""
        if on:
            if self._disclosure and not self._disclosure.started:
                slow = 2 * len(self._disclosure.sent) / SPEECH_RATE
                self._disclosure_due = now + slow
            return Step()
        done = [cycle for cycle in self._cycles if cycle.started and cycle is not self._open]
        return self._after_words(Step(heard=self._settle(done)), now)

    def wake(self, now: float) -> Step:
        """Call this when `wake_at` is reached: a keyed number or the disclosure may have ended."""
        if self._ended:
            return Step()
        if (due := self._keypad.due) is not None and now >= due and (keys := self._keypad.finish(now)):
            return self._take((_keyed(keys),), now)
        if self._disclosure and now >= self._disclosure_due:
            return self._disclosed(Step(), now)
        return self._after_words(Step(), now)

    # -- inside ------------------------------------------------------------------------------------------

    def _take(self, utterances: Sequence[Utterance], now: float) -> Step:
        if self._disclosure:
            self._queued += utterances
            return Step()
        if self._parting:
            if self._parting.firm:
                for utterance in utterances:
                    self._ask(utterance)
                return Step()
            self._parting = None  # the caller has more to say
        self._cut_off, self._broken_off = "", False
        merged = self._asked is not None
        frames = self._closing()
        heard: tuple[Heard, ...] = ()
        if not self._reports_playing:  # then nobody will ever tell: who speaks has listened
            self._assume_heard()
            heard = self._settle(self._cycles)
        for utterance in utterances:
            asked = self._ask(utterance)
        self.turn += 1
        self._may_speak = True
        lone = len(asked.digits) == 1 and asked.text == masked(asked.digits)
        turn = Turn(self.turn, asked.text, now, merged, key=asked.digits if lone else "")
        return Step(cancel=True, frames=frames, turn=turn, heard=heard)

    def _ask(self, utterance: Utterance) -> Utterance:
        """Add to the history; what nobody has answered yet is one utterance, however often it was split."""
        if self._asked is not None:
            text = f"{self._asked.text} {utterance.text}"
            digits = f"{self._asked.digits} {utterance.digits}".strip()
            utterance = Utterance(Speaker.CALLER, text, digits=digits)
            del self._history[self._asked_at]  # it goes behind a filler: a request ends with the caller
        self._asked_at = len(self._history)
        self._history.append(utterance)
        self._asked = utterance
        return utterance

    def _after_words(self, step: Step, now: float) -> Step:
        """Some of our words were heard, or never will be: was anything waiting for that?"""
        spoken = self._disclosure
        if spoken and (spoken.settled or spoken.share_heard >= PROVEN):
            return self._disclosed(step, now)
        if self._parting and (now >= self._parting.due or all(map(_heard, self._cycles))):
            return replace(step, frames=(*step.frames, *self.end(self._parting.handoff_data)))
        return step

    def _disclosed(self, step: Step, now: float) -> Step:
        """The disclosure is over: answer what was said during it, as one turn."""
        self._disclosure = None
        self.disclosed = True
        queued, self._queued = self._queued, []
        if not queued:
            return step
        then = self._take(queued, now)
        return replace(then, heard=step.heard + then.heard, frames=step.frames + then.frames)

    def _cycle(self, purpose: Purpose, text: str = "") -> Cycle:
        cycle = Cycle(self.turn, purpose)
        cycle.add(text)
        self._cycles.append(cycle)
        self._history.append(cycle)
        return cycle

    def _closing(self) -> tuple[Text, ...]:
        """Twilio merges the next reply into a cycle that was never closed."""
        if self._open is None:
            return ()
        self._open = None
        return (Text(token="", last=True),)

    def _find_cut(self, fragment: str) -> Cycle | None:
        """Which cycle was playing? The last one that has started; else the one that holds the words."""
        started = [cycle for cycle in self._cycles if cycle.started]
        candidates = started[-1:] + self._cycles  # trying one twice does no harm
        likeliest = candidates[0] if candidates else None
        return next((cycle for cycle in candidates if fragment and cycle.cut(fragment)), likeliest)

    def _settle(self, cycles: Iterable[Cycle]) -> tuple[Heard, ...]:
        settled = tuple(cycles)
        for cycle in settled:
            cycle.settled = True
            self._cycles.remove(cycle)
        return tuple(
            Heard(cycle.turn, cycle.purpose, cycle.heard, cycle.share_heard >= 1.0) for cycle in settled
        )

    def _assume_heard(self) -> None:
        for cycle in self._cycles:
            cycle.assume_heard()


def _utterance(cycle: Cycle) -> Utterance:
    return Utterance(Speaker.AGENT, cycle.heard if cycle.started else "", cycle.interrupted)


def _keyed(keys: str) -> Utterance:
    """A keyed number as an utterance, masked for every record."""
    return Utterance(Speaker.CALLER, masked(keys), digits=keys)


def _heard(cycle: Cycle) -> bool:
    return cycle.share_heard >= PROVEN


def _starts_reply(cycle: Cycle) -> bool:
    return cycle.purpose in (Purpose.REPLY, Purpose.FALLBACK)
