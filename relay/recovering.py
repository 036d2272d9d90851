"""Gate 2 of one call: what it remembers from turn to turn, and what is made of the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from policies.agent_file import AgentFile
from policies.language import Languages
from policies.latency import Lanes, phrases
from policies.lines import Lines, lines
from policies.recovery import CLARIFY_INSTRUCTION, Move, Repeats, Silence
from policies.understanding import Assessment, BadLine, Failures, Heard, assess


@dataclass(slots=True)
class Prompted:
    """How an utterance came in: gathered from one final prompt to the next.

    `partials` are what was recognised at first; `cut_after` is how many seconds of our speech were let pass.
    """

    lang: str = ""
    partials: list[str] = field(default_factory=list)
    cut_after: float | None = None


@dataclass(slots=True)
class Recovery:
    """Made with the call's first session, and kept for those that resume it in this process."""

    file: AgentFile
    languages: Languages
    lanes: Lanes
    repeats: Repeats
    silence: Silence
    failures: Failures
    bad_line: BadLine
    due: Move | None = None  # of the agent's own repeats: in the next turn
    invited: bool = False  # we asked the caller to say it again
    callback_offered: bool = False
    collecting: bool = False  # we asked for keys: one of them alone is an answer
    notes: dict[str, str] = field(default_factory=dict)  # what the model is told beside the caller's words

    @property
    def language(self) -> str:
        return self.languages.current

    @property
    def lines(self) -> Lines:
        return lines(self.language)

    def assess(self, text: str, prompted: Prompted, before: Sequence[str], *, understood: bool) -> Assessment:
        """`before`: the caller's earlier turns; `understood`: by the model's own report of the last one."""
        return assess(
            Heard(
                text=text,
                languages=self.file.agent.languages,
                partials=tuple(prompted.partials),
                before=tuple(before),
                interrupted_after=prompted.cut_after,
                understood=understood,
                invited=self.invited,
            )
        )

    def circling(self, text: str) -> Move | None:
        """Is the same asked or answered again? To clarify is the model's part: it is told so in a note."""
        asked, answered = self.repeats.asked(text, invited=self.invited), self.due
        self.due, self.invited = None, False
        moves = {asked, answered}
        self.notes.pop("circle", None)
        if Move.HANDOFF in moves:
            return Move.HANDOFF
        if Move.OFFER in moves:
            return Move.OFFER
        if Move.CLARIFY in moves:
            self.notes["circle"] = CLARIFY_INSTRUCTION
            return Move.CLARIFY
        return None

    def answered(self, text: str) -> None:
        """A whole reply of the model."""
        self.due = self.repeats.answered(text)

    def change(self, tag: str) -> None:
        """From now on everything is said in this language."""
        own = self.file.conversation.latency.phrases
        self.lanes.phrases = phrases(lines(tag), [each.in_language(tag) for each in own])
        if tag != self.file.language:
            self.notes["language"] = (
                f"The caller speaks {NAMES.get(tag.partition('-')[0], tag)}: answer in it."
            )
        else:
            self.notes.pop("language", None)


NAMES: Mapping[str, str] = {
    "en": "English",
    "ko": "Korean",
    "es": "Spanish",
    "ja": "Japanese",
    "zh": "Chinese",
}


def recovery(file: AgentFile, language: str = "") -> Recovery:
    """`language`: the one a call that is resumed was in."""
    rules = file.conversation
    languages = Languages(file.agent.languages, language)
    own = [each.in_language(languages.current) for each in rules.latency.phrases]
    times = rules.latency
    return Recovery(
        file=file,
        languages=languages,
        lanes=Lanes(
            times.acknowledge_after,
            times.tool_phrase_after,
            times.fallback_after,
            phrases(lines(languages.current), own),
        ),
        repeats=Repeats(rules.repeats),
        silence=Silence(rules.silence),
        failures=Failures(rules.understanding),
        bad_line=BadLine(),
    )
