"""YAML as text, numbers, lists and mappings, each key with the line it stands on.

ruamel.yaml reads the syntax. What a plain word means is decided here, by the YAML 1.2 core schema to the
letter (https://yaml.org/spec/1.2.2/#103-core-schema): its own resolver also knows dates, `1_000` and `=`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

MOST_CHARACTERS = 1_000_000
MOST_LEVELS = 30

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]

WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong: its line (from 1), its key as a reader writes it, and what to do."""

    line: int
    key: str
    says: str

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: {self.says}" if self.key else f"{self.line}: {self.says}"


@dataclass(frozen=True, slots=True)
class Document:
    """What the text holds. `faults` are those that reading alone can tell; the value is then partial."""

    value: Value
    lines: Mapping[Path, int]
    faults: tuple[Fault, ...]

    def line(self, path: Path) -> int:
        """The line of a key; of the nearest one around it where the key is missing."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def key_text(path: Path) -> str:
    """`("llm", 0, "model")` as `llm[0].model`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def read(text: str) -> Document:
    """Read one document. Lists come as tuples, mapping keys are always text, `yes` and `2026-11-23` too."""
    if len(text) > MOST_CHARACTERS:
        return Document(None, {}, (Fault(1, "", f"longer than {MOST_CHARACTERS:,} characters"),))
    reader = _Reader()
    value: Value = None
    try:
        value = reader.document(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reader.faults.append(Fault(line, "", f"not YAML: {error.problem}"))
    except (YAMLError, ValueError) as error:  # a character YAML forbids; an escape beyond Unicode
        reader.faults.append(Fault(1, "", f"not YAML: {str(error).splitlines()[0]}"))
    except _TooDeepError as error:
        reader.faults.append(Fault(error.line, "", f"nested deeper than {MOST_LEVELS} levels"))
    return Document(value, reader.lines, tuple(reader.faults))


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(slots=True)
class _Reader:
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def document(self, text: str) -> Value:
        events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)  # its events carry no types
        value: Value = None
        documents = 0
        for event in events:
            match event:
                case DocumentStartEvent():
                    documents += 1
                    if documents == 2:
                        self._fault(event, (), "a second document begins here: one file holds one")
                case NodeEvent():
                    read = self._value(event, events, ())
                    value = read if documents == 1 else value
        return value

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Value:
        if len(path) > MOST_LEVELS:
            raise _TooDeepError(event.start_mark.line + 1)
        if isinstance(event, AliasEvent) or event.anchor:
            self._fault(event, path, "anchors (&) and aliases (*) are not used here: write the value out")
        if getattr(event, "tag", None):
            self._fault(event, path, "tags (!) are not used here: write the plain value")
        match event:
            case ScalarEvent():
                return _plain(event.value) if event.implicit[0] else str(event.value)
            case SequenceStartEvent():
                return self._list(events, path)
            case MappingStartEvent():
                return self._mapping(events, path)
        return None

    def _list(self, events: Iterator[Any], path: Path) -> Value:
        items: list[Value] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = event.start_mark.line + 1
            items.append(self._value(event, events, here))
        return tuple(items)

    def _mapping(self, events: Iterator[Any], path: Path) -> Value:
        mapping: dict[str, Value] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._fault(event, path, "a key must be plain text")
                self._value(event, events, path)
                self._value(next(events), events, path)
                continue
            here = (*path, str(event.value))
            if event.anchor or event.tag or event.value == "<<":
                self._fault(event, here, "anchors, tags and merges (<<) are not used here: write it out")
            elif event.value in mapping:
                self._fault(event, here, f"written twice; the first is on line {self.lines[here]}")
            self.lines.setdefault(here, event.start_mark.line + 1)
            mapping[event.value] = self._value(next(events), events, here)
        return mapping

    def _fault(self, event: Any, path: Path, says: str) -> None:
        self.faults.append(Fault(event.start_mark.line + 1, key_text(path), says))


def _plain(word: str) -> Value:
    if word in WORDS:
        return WORDS[word]
    if INTEGER.fullmatch(word):
        return int(word, {"0o": 8, "0x": 16}.get(word[:2], 10))
    if FRACTION.fullmatch(word):
        return float(word)
    if NO_NUMBER.fullmatch(word):
        return float(word.replace(".", ""))
    return word
