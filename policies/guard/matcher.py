"""Where may a violation that is not over yet have begun? A lazily built automaton says, at every character.

A state is an ordered tuple of groups of pattern positions; group k holds the positions whose earliest start
is register k. A step on a character is computed once and remembered. Text before the earliest register can no
longer become part of a match, so it may be spoken; text behind it still can, so nothing releases more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.guard.normalise import NORMAL, is_word, trailing
from policies.guard.pattern import Chars, Choice, Node, Repeat, Row

MOST_STEPS: Final = 200_000  # remembered steps of one matcher; some 40 MB
MOST_POSITIONS: Final = 2_000_000


class TooLarge(Exception):
    """Rewrite the rule: it unfolds into more positions than can be kept."""


class Right(StrEnum):
    """What has to follow a match."""

    ANYTHING = "anything"
    NO_WORD = "no word goes on"
    WHOLE_SYLLABLE = "the syllable is over"
    NO_DIGIT = "the number is over"


def holds(right: Right, char: str | None) -> bool:
    """Does this normalised character fulfil the condition? None is the end of the text."""
    match right:
        case Right.ANYTHING:
            return True
        case Right.NO_WORD:
            return char is None or not is_word(char)
        case Right.WHOLE_SYLLABLE:
            return char is None or not trailing(char)
        case Right.NO_DIGIT:
            return char is None or not char.isdigit()


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One thing to look for. `verified`: its candidates are judged by code, so each start is kept.

    `left`: it begins where no word goes on.
    """

    rule: str
    node: Node
    left: bool = True
    right: Right = Right.NO_WORD
    verified: bool = False


Hit = tuple[Search, int, int]
"""What matched, its register, and whether the character that was read belongs to it (1) or not (0)."""


class State:
    __slots__ = ("fresh", "groups", "leaps", "steps")

    def __init__(self, groups: tuple[frozenset[int], ...], *, fresh: bool) -> None:
        self.groups = groups
        self.fresh = fresh  # no word goes on here
        self.steps: dict[str, Step] = {}  # by normalised character
        self.leaps: dict[str, Leap] = {}  # by raw character


Step = tuple[State, tuple[int, ...], tuple[Hit, ...], int]
"""The next state; the registers it keeps, the old count standing for a new one; hits; the old count."""

Leap = tuple[State, tuple[int, ...], bool, int]
"""The steps of all that one raw character becomes, as one; True where any of them hits."""


class Matcher:
    """All searches of one rule book, together. Safe to share: what one call learns, the others know."""

    def __init__(self, searches: Iterable[Search], most_steps: int = MOST_STEPS) -> None:
        self._positions = 0
        self._next: dict[int, dict[str, int]] = {}  # by position: the literal characters it reads
        self._sets: dict[int, list[tuple[Chars, int]]] = {}
        self._free: dict[int, list[int]] = {}  # positions reached without reading
        self._ends: dict[int, list[Search]] = {}
        self._shared: dict[tuple[int, Node], int] = {}
        self._apart: set[int] = set()  # positions of verified searches
        self._closures: dict[int, frozenset[int]] = {}
        self._roots = (self._position(), self._position())  # anywhere, and where no word goes on
        for search in searches:
            self._add(search)
        self._most_steps = most_steps
        self._steps = 0
        self._states: dict[tuple[tuple[frozenset[int], ...], bool], State] = {}
        self.initial = self._state((), fresh=True)

    # -- building ----------------------------------------------------------------------------------------

    def _position(self) -> int:
        if self._positions >= MOST_POSITIONS:
            raise TooLarge("the rules together are too long: shorten the longest ones")
        self._positions += 1
        return self._positions - 1

    def _add(self, search: Search) -> None:
        first = self._positions
        end = self._roots[search.left]
        parts = search.node.parts if isinstance(search.node, Row) else (search.node,)
        if search.verified:
            end = self._build(Row(parts), self._freely(end))
            self._apart.update(range(first, self._positions))
        else:  # what begins alike shares its positions
            for part in parts:
                end = self._shared.get((end, part)) or self._share(end, part)
        self._ends.setdefault(end, []).append(search)

    def _share(self, at: int, part: Node) -> int:
        start = at if isinstance(part, str) else self._freely(at)
        end = self._shared[at, part] = self._build(part, start)
        return end

    def _freely(self, at: int) -> int:
        new = self._position()
        self._free.setdefault(at, []).append(new)
        return new

    def _build(self, node: Node, at: int) -> int:
        match node:
            case str():
                end = self._position()
                self._next.setdefault(at, {})[node] = end
                return end
            case Chars():
                end = self._position()
                self._sets.setdefault(at, []).append((node, end))
                return end
            case Row(parts):
                for part in parts:
                    at = self._build(part, at)
                return at
            case Choice(options):
                end = self._position()
                for option in options:
                    self._free.setdefault(self._build(option, self._freely(at)), []).append(end)
                return end
            case Repeat(part, least, most):
                for _ in range(least):
                    at = self._build(part, self._freely(at))
                end = self._position()
                for _ in range(most - least):
                    self._free.setdefault(at, []).append(end)
                    at = self._build(part, self._freely(at))
                self._free.setdefault(at, []).append(end)
                return end

    # -- running -----------------------------------------------------------------------------------------

    def step(self, state: State, char: str) -> Step:
        """Compute and remember what this normalised character does."""
        ours = len(state.groups)
        fresh = self._closure(self._roots[0])
        if state.fresh:
            fresh |= self._closure(self._roots[1])
        seen: set[int] = set()
        groups: list[frozenset[int]] = []
        keep: list[int] = []
        hits: list[Hit] = []
        for register, group in enumerate((*state.groups, fresh)):
            if register < ours:
                hits += [
                    (search, register, 0)
                    for position in group
                    for search in self._ends.get(position, ())
                    if search.right is not Right.ANYTHING and holds(search.right, char)
                ]
            reached = self._reached(group, char)
            hits += [
                (search, register, 1)
                for position in reached
                for search in self._ends.get(position, ())
                if search.right is Right.ANYTHING
            ]
            # The older start covers the younger one, save where code will judge each of them by itself.
            alive = frozenset(
                position
                for position in reached
                if (position not in seen or position in self._apart) and self._live(position)
            )
            if alive:
                seen |= alive
                groups.append(alive)
                keep.append(register)
        step = (self._state(tuple(groups), fresh=not is_word(char)), tuple(keep), tuple(hits), ours)
        self._make_room()
        state.steps[char] = step
        return step

    def leap(self, state: State, raw: str) -> Leap:
        """Compute and remember what this raw character does. What its steps begin begins where it stands."""
        now, keep, hit = state, tuple(range(len(state.groups))), False
        ours = len(state.groups)
        for char in NORMAL[raw]:
            now, kept, hits, old = now.steps.get(char) or self.step(now, char)
            keep = tuple(keep[k] if k < old else ours for k in kept)
            hit = hit or bool(hits)
        leap = (now, keep, hit, ours)
        self._make_room()
        state.leaps[raw] = leap
        return leap

    def at_end(self, state: State) -> list[Hit]:
        """What matches because the text is over."""
        return [
            (search, register, 0)
            for register, group in enumerate(state.groups)
            for position in group
            for search in self._ends.get(position, ())
            if search.right is not Right.ANYTHING
        ]

    def warm(self, texts: Sequence[str]) -> None:
        """Compute the steps of ordinary text before the first call needs them."""
        for text in texts:
            state = self.initial
            for raw in text:
                state = (state.leaps.get(raw) or self.leap(state, raw))[0]

    @property
    def remembered(self) -> int:
        """How many steps are held in memory."""
        return self._steps

    def _reached(self, group: Collection[int], char: str) -> frozenset[int]:
        reached: set[int] = set()
        for position in group:
            letters = self._next.get(position)
            if letters and (after := letters.get(char)) is not None:
                reached |= self._closure(after)
            for chars, after in self._sets.get(position, ()):
                if char in chars:
                    reached |= self._closure(after)
        return frozenset(reached)

    def _closure(self, position: int) -> frozenset[int]:
        found = self._closures.get(position)
        if found is None:
            seen, waiting = {position}, [position]
            while waiting:
                for free in self._free.get(waiting.pop(), ()):
                    if free not in seen:
                        seen.add(free)
                        waiting.append(free)
            found = frozenset(each for each in seen if self._live(each) or each in self._ends)
            self._closures[position] = found
        return found

    def _live(self, position: int) -> bool:
        """Can it read on, or is it waiting for what follows?"""
        return bool(
            position in self._next
            or position in self._sets
            or any(search.right is not Right.ANYTHING for search in self._ends.get(position, ()))
        )

    def _state(self, groups: tuple[frozenset[int], ...], *, fresh: bool) -> State:
        key = (groups, fresh)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(groups, fresh=fresh)
        return state

    def _make_room(self) -> None:
        """For one step more."""
        if self._steps >= self._most_steps:
            # The steps hold the states they lead to: unless they go, no memory is freed.
            for each in self._states.values():
                each.steps.clear()
                each.leaps.clear()
            self._states = {(self.initial.groups, self.initial.fresh): self.initial}
            self._steps = 0
        self._steps += 1
