"""A call's record as it is read: turn by turn, who spoke, what was heard of it, and what each gate did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from compliance.events import Event, Fact, Kind
from compliance.rulings import Gate, Ruling, Rulings
from compliance.summary import Line, timeline
from policies.vocabulary import Speaker


@dataclass(slots=True)
class Speech:
    """`text` was heard; `unheard` was sent and never played, as far as the record knows what was sent."""

    speaker: Speaker
    after: float  # seconds since the call's first event
    text: str
    unheard: str = ""
    cut: bool = False
    purpose: str = ""


@dataclass(slots=True)
class Turn:
    """Number 0 is the opening: the disclosure and the greeting."""

    number: int
    speeches: list[Speech] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)

    @property
    def by_gate(self) -> list[tuple[Gate, list[Ruling]]]:
        """The gates that have something to say, in the page's order."""
        grouped = [(gate, [ruling for ruling in self.rulings if ruling.gate is gate]) for gate in Gate]
        return [(gate, rulings) for gate, rulings in grouped if rulings]


@dataclass(frozen=True, slots=True)
class Story:
    began: float  # seconds since 1970
    about: tuple[tuple[str, str], ...]
    turns: Sequence[Turn]
    lines: Sequence[Line]  # every event, on one clock
    rehearsal: bool
    over: bool


def tell(events: Sequence[Event]) -> Story:
    """`events` is the whole record of one call in its order, at least one event."""
    began = events[0].at
    announced = next((event.facts for event in events if event.kind is Kind.CALL_ANNOUNCED), {})
    about = [
        ("caller", _shown(announced.get("from"))),
        ("called", _shown(announced.get("to"))),
        ("agent", _shown(announced.get("agent"))),
        ("version", _shown(announced.get("agent_version"))),
    ]
    ended = [event for event in events if event.kind is Kind.CALL_ENDED]
    about += [("outcome", _shown(event.facts.get("outcome")).replace("_", " ")) for event in ended]
    return Story(
        began=began,
        about=tuple((name, value) for name, value in about if value),
        turns=_turns(events, began),
        lines=timeline(events),
        rehearsal=announced.get("rehearsal") is True,
        over=bool(ended),
    )


def unheard(sent: str, heard: str) -> str:
    """The rest of what was sent. White space is changed on the way, so only the other characters count."""
    left = "".join(heard.split())
    for position, character in enumerate(sent):
        if not left:
            return sent[position:].strip()
        if character.isspace():
            continue
        if character != left[0]:
            return ""
        left = left[1:]
    return ""


def _turns(events: Iterable[Event], began: float) -> list[Turn]:
    turns: dict[int, Turn] = {0: Turn(0)}
    rulings = Rulings()
    next_words: list[Speech] = []  # of the caller, until the turn they open is known
    for event in events:
        after = event.at - began
        for ruling in rulings.read(event):
            _turn(turns, ruling.turn).rulings.append(ruling)
        match event.kind:
            case Kind.PROMPT | Kind.KEYS:
                next_words.append(Speech(Speaker.CALLER, after, _shown(event.facts.get("text"))))
            case Kind.TURN_STARTED:
                _turn(turns, event.turn).speeches.extend(next_words)
                next_words.clear()
            case Kind.SAID | Kind.DISCLOSURE_SENT:
                _say(_turn(turns, event.turn), event, after)
            case Kind.HEARD:
                _hear(_turn(turns, event.turn), event, after)
            case _:
                pass
    turns[max(turns)].speeches.extend(next_words)
    return [turns[number] for number in sorted(turns)]


def _say(turn: Turn, event: Event, after: float) -> None:
    """Nothing of it counts as heard before the record says so."""
    purpose = _purpose(event)
    words = _shown(event.facts.get("text"))
    turn.speeches.append(Speech(Speaker.AGENT, after, "", unheard=words, purpose=purpose))


def _hear(turn: Turn, event: Event, after: float) -> None:
    """The words of a reply that was cut off while it was still being made are known only as heard."""
    heard = _shown(event.facts.get("text"))
    cut = event.facts.get("whole") is False
    for speech in turn.speeches:
        if speech.speaker is Speaker.AGENT and speech.purpose == _purpose(event) and not speech.text:
            speech.text, speech.unheard, speech.cut = heard, unheard(speech.unheard, heard), cut
            return
    turn.speeches.append(Speech(Speaker.AGENT, after, heard, cut=cut, purpose=_purpose(event)))


def _turn(turns: dict[int, Turn], number: int) -> Turn:
    return turns.setdefault(number, Turn(number))


def _purpose(event: Event) -> str:
    return "disclosure" if event.kind is Kind.DISCLOSURE_SENT else _shown(event.facts.get("purpose"))


def _shown(fact: Fact) -> str:
    match fact:
        case None:
            return ""
        case bool():
            return "yes" if fact else "no"
        case list():
            return ", ".join(fact)
        case _:
            return str(fact)
