"""Cues: which words of the caller get which answer, as a YAML file says.

    cues:
      - when: [yearly check cost, how much]     # one phrase or several
        say: The yearly check is forty-nine dollars.
      - {when: 얼마, say: 사십구 달러입니다., language: ko}     # only for requests in that language
    otherwise: {en: Could you say that again?, ko: 다시 말씀해 주시겠어요?}     # or one text for all

A phrase is found in the caller's words whatever their case, punctuation and spacing, and only as whole words
(Korean, Chinese and Japanese attach particles, so there a word may go on). The longest phrase found wins, the
earlier cue where two are equally long, so the order of a file hardly matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_ANY = ""


class BadScript(ValueError):
    """The file of cues cannot be used; the text says where (`file:line: key`) and why."""


@dataclass(frozen=True, slots=True)
class Cue:
    """`phrases` are normalised; `language` is a primary subtag (`ko`), or empty for any."""

    phrases: tuple[str, ...]
    say: str
    language: str = _ANY


@dataclass(frozen=True, slots=True)
class Script:
    """`otherwise`: texts by primary subtag, at least one; the first serves every language without its own."""

    cues: tuple[Cue, ...]
    otherwise: Mapping[str, str]

    def answer(self, heard: str, language: str) -> str:
        """What to say to these words; `language` is a tag such as `en-US`."""
        spoken = _primary(language)
        words = f" {_normalised(heard)} "
        longest, say = 0, ""
        for cue in self.cues:
            if cue.language in (_ANY, spoken):
                for phrase in cue.phrases:
                    if len(phrase) > longest and _within(phrase, words):
                        longest, say = len(phrase), cue.say
        return say or self.otherwise.get(spoken) or next(iter(self.otherwise.values()))


def read(text: str, file: str) -> Script:
    """A script from its YAML text; `file` is named in the `BadScript` of a bad one."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadScript(f"{file}:{line}: {error.problem or 'not YAML'}") from error
    if root is None:
        raise BadScript(f"{file}:1: is empty, needs `cues` and `otherwise`")
    return _Reader(file).script(root)


class _Reader:
    """Takes the nodes of the YAML apart, since only they know their lines."""

    def __init__(self, file: str) -> None:
        self._file = file

    def script(self, root: Node) -> Script:
        keys = self._keys(root, "the file", required=("cues", "otherwise"))
        cues = self._items(keys["cues"], "cues")
        return Script(
            tuple(self._cue(node, f"cues[{place}]") for place, node in enumerate(cues)),
            self._otherwise(keys["otherwise"]),
        )

    def _cue(self, node: Node, at: str) -> Cue:
        keys = self._keys(node, at, required=("when", "say"), optional=("language",))
        when = keys["when"]
        phrases = self._items(when, f"{at}.when") if isinstance(when, SequenceNode) else [when]
        language = _primary(self._text(keys["language"], f"{at}.language")) if "language" in keys else _ANY
        return Cue(
            tuple(self._phrase(phrase, f"{at}.when") for phrase in phrases),
            self._text(keys["say"], f"{at}.say"),
            language,
        )

    def _otherwise(self, node: Node) -> Mapping[str, str]:
        if isinstance(node, ScalarNode):
            return {_ANY: self._text(node, "otherwise")}
        texts = self._keys(node, "otherwise")
        if not texts:
            self._fail(node, "otherwise", "needs a text")
        return {_primary(tag): self._text(text, f"otherwise.{tag}") for tag, text in texts.items()}

    def _keys(
        self, node: Node, at: str, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = None
    ) -> dict[str, Node]:
        """A mapping's values by key. Without `required` and `optional` any key will do."""
        if not isinstance(node, MappingNode):
            self._fail(node, at, "must be a mapping" + (f" with {_listed(required)}" if required else ""))
        known = (*required, *(optional or ()))
        keys: dict[str, Node] = {}
        for key, value in node.value:
            name = self._text(key, at)
            if name in keys:
                self._fail(key, f"{at}: {name}", "is given twice")
            if known and name not in known:
                self._fail(key, f"{at}: {name}", f"is not known here, only {_listed(known)}")
            keys[name] = value
        for name in required:
            if name not in keys:
                self._fail(node, f"{at}: {name}", "is missing")
        return keys

    def _items(self, node: Node, at: str) -> list[Node]:
        if not isinstance(node, SequenceNode) or not node.value:
            self._fail(node, at, "must be a list with at least one entry")
        return list(node.value)

    def _phrase(self, node: Node, at: str) -> str:
        phrase = _normalised(self._text(node, at))
        return phrase or self._fail(node, at, "has no word in it")

    def _text(self, node: Node, at: str) -> str:
        """Line breaks and runs of blanks become one blank: it is spoken, not shown."""
        if not isinstance(node, ScalarNode) or not node.value.strip():
            self._fail(node, at, "must be a text")
        return " ".join(node.value.split())

    def _fail(self, node: Node, at: str, why: str) -> NoReturn:
        raise BadScript(f"{self._file}:{node.start_mark.line + 1}: {at} {why}")


def _normalised(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _within(phrase: str, padded: str) -> bool:
    may_go_on = phrase[-1] >= "\u1100"  # Hangul, Kana and Han are there and above
    return (f" {phrase}" if may_go_on else f" {phrase} ") in padded


def _primary(language: str) -> str:
    return language.split("-")[0].casefold()


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)
