"""Markdown and HTML out of a stream, so that only words are left, however the stream is cut.

A mark is judged by its neighbours, where CommonMark would look for its partner far ahead: nobody can wait on
a call. What its neighbours do not settle yet is held, a few dozen characters at most. A line break settles
everything, which is also how the end of a reply is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policies.characters import GAP
from policies.markup_blocks import Block, Fence, Target, Until

ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
SPACE = frozenset(" \t\n\r")
CLOSING = frozenset(".,;:!?)")

ORDINARY = re.compile(r"[^`*_~\[\]!<>|\\\n\r]+")
LEADING = re.compile(r"[ \t\0]+")
RUN = re.compile(r"(.)\1*")
NUMBERED = re.compile(r"([0-9]{1,3})[.)](?=[ \t])")
OPEN_NUMBER = re.compile(r"([0-9]{1,3})[.)]?\Z")
CHECKBOX = re.compile(r"\[[ xX]\]")
OPEN_CHECKBOX = re.compile(r"\[[ xX]?\Z")
STAR_CODE = re.compile(r"\*[0-9#]{1,8}")
CELL_RULE = re.compile(r"\|[ \t]{0,8}:?-{1,40}:?[ \t]{0,8}(?=[|\n\r])")
OPEN_CELL_RULE = re.compile(r"\|[ \t]{0,8}(?::?(?:-{1,40}:?[ \t]{0,8})?)?\Z")
TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,30})[ \t]{0,4}/?>")
TAG_WITH_ATTRIBUTE = re.compile(r"<[A-Za-z][A-Za-z0-9:-]{0,30}[ \t]{1,4}[A-Za-z_:][\w:.-]{0,30}[ \t]{0,2}=")
AUTOLINK = re.compile(r"<(?:mailto:|(?=https?://|www\.|[\w.+-]{1,64}@))", re.IGNORECASE)
OPEN_ANGLE = re.compile(
    r"<(?:/?(?:[A-Za-z][A-Za-z0-9:-]{0,30}(?:[ \t]{0,4}/?|[ \t]{1,4}[A-Za-z_:][\w:.-]{0,30}[ \t]{0,2})?)?"
    r"|!-?|[\w.+-]{1,64}|https?:/?)?\Z",
    re.IGNORECASE,
)
BREAKS = frozenset(
    {"br", "p", "div", "li", "ul", "ol", "tr", "td", "th", "table", "hr", "h1", "h2", "h3", "h4"}
)

THOUGHTS = frozenset({"think", "thinking", "thought", "reasoning"})
"""Tags in which some open models write what they consider before they answer."""
LONGEST_THOUGHT = 100_000

Step = tuple[int, str]
"""How many characters are settled, and the words they leave."""
MORE: Step = (0, "")
"""Nothing is settled before more is read."""


class Markup:
    """Words without their marks. Line breaks pass, and a `GAP` stands where a block was dropped."""

    def __init__(self) -> None:
        self._held = ""
        self._block: Block | None = None
        self._line_start = True  # only marks and white space since the line began
        self._before = "\n"  # the last character read
        self._written = ""  # the last character written, gaps aside
        self._number = 0  # of the last item of a list
        self._brackets = 0  # open on this line
        self._autolink = False  # its closing angle is still to come

    @property
    def idle(self) -> bool:
        """An ordinary word would pass as it is."""
        return not (self._held or self._block or self._line_start or self._autolink)

    def passed(self, words: str) -> None:
        """Ordinary words, at least one character, went by without being read."""
        self._before = self._written = words[-1]

    def feed(self, text: str) -> str:
        return "".join(self._words(self._held + text))

    def _words(self, text: str) -> Iterator[str]:
        self._held = ""
        at = 0
        while at < len(text):
            if self._block:
                if self._block.ends_before(text[at]):
                    self._block = None
                else:
                    self._before = text[at]
                    at += 1
                continue
            length, words = self._step(text, at)
            if not length:
                self._held = text[at:]
                return
            at += length
            self._before = text[at - 1]
            self._line_start = self._line_start and not words.strip(" \t\n\r\0")
            if words and words != GAP:
                self._written = words[-1]
            yield words

    def _step(self, text: str, at: int) -> Step:
        if self._line_start and (step := self._line_mark(text, at)):
            return step
        if ordinary := ORDINARY.match(text, at):
            return len(ordinary[0]), ordinary[0]
        match text[at]:
            case "\n" | "\r":
                self._line_start, self._autolink, self._brackets = True, False, 0
                return 1, "\n"
            case "`":
                return self._backticks(text, at)
            case "*":
                return self._stars(text, at)
            case "_":
                return self._underscores(text, at)
            case "~":
                return self._tildes(text, at)
            case "[" | "]" | "!":
                return self._link(text, at)
            case "<" | ">":
                return self._angle(text, at)
            case "|":
                return self._pipe(text, at)
            case _:
                return self._backslash(text, at)

    def _line_mark(self, text: str, at: int) -> Step | None:
        """Marks that count only at the start of a line: quote, heading, rule, item, number, box."""
        if leading := LEADING.match(text, at):
            return len(leading[0]), leading[0]
        mark = text[at]
        run, after = _run(text, at)
        match mark:
            case ">":
                return run, ""
            case "#" | "-" | "=" | "+" if self._before == mark:  # the rest of a run that was dropped
                return run, ""
            case "#":
                if not after and run < 2:
                    return MORE
                return (run, "") if run > 1 or after in " \t" else (run, "#")
            case "-" | "=":
                if not after and run < 3:
                    return MORE
                return (
                    (run, "")
                    if run > 2 or (mark == "-" and run == 1 and after in SPACE)
                    else (run, mark * run)
                )
            case "+" | "*" | "·" | "–" | "—" if run == 1:
                if not after:
                    return MORE
                return (1, "") if after in SPACE else None
            case "[":
                if CHECKBOX.match(text, at):
                    return 3, ""
                return MORE if OPEN_CHECKBOX.match(text, at) else None
            case _ if mark in ALPHANUMERIC:
                return self._list_number(text, at)
        return None

    def _list_number(self, text: str, at: int) -> Step | None:
        """A list begins with 1 and counts on; any other number that begins a line is meant to be said."""
        expected = ("1", str(self._number + 1))
        if numbered := NUMBERED.match(text, at):
            if numbered[1] in expected:
                self._number = int(numbered[1])
                return len(numbered[0]), ""
            return None
        if opened := OPEN_NUMBER.match(text, at):
            ended = opened[0] != opened[1]
            if opened[1] in expected or (not ended and any(e.startswith(opened[1]) for e in expected)):
                return MORE
        return None

    def _backticks(self, text: str, at: int) -> Step:
        run, after = _run(text, at)
        if run > 2:
            self._block = Fence("`", at_line_start=self._line_start, length=run)
            return run, GAP
        return (run, "") if after else MORE

    def _tildes(self, text: str, at: int) -> Step:
        """`~` alone is a word's (3~4일); two are struck-out text; three at the start of a line are code."""
        run, after = _run(text, at)
        if self._line_start and run > 2:
            self._block = Fence("~", at_line_start=True, length=run)
            return run, GAP
        if self._before == "~" or (run > 1 and (after or not self._line_start)):
            return run, ""
        return (1, "" if self._written == "~" else "~") if after else MORE

    def _stars(self, text: str, at: int) -> Step:
        """Emphasis goes. Kept: a star alone between spaces (2 * 3), between digits, before a code (*67)."""
        run, after = _run(text, at)
        if run > 1 or self._before == "*":
            return run, ""
        if not after:
            return MORE
        if code := STAR_CODE.match(text, at):
            end = code.end()
            if end == len(text) and not self._before.isdigit():
                return MORE
            begins = not self._before.isalnum() and not (text[end].isalnum() or text[end] in "*_")
            kept = self._before.isdigit() or begins
        else:
            alone = self._before in SPACE and (after in SPACE or after in CLOSING)
            kept = alone or self._before == after == "`"
        return 1, "*" if kept and self._written != "*" else ""

    def _underscores(self, text: str, at: int) -> Step:
        """Kept inside a name (a_b, a__b) and alone between spaces."""
        run, after = _run(text, at)
        if self._before == "_" or run > 2:
            return run, ""
        if not after:
            return MORE
        within = self._before in ALPHANUMERIC and (after in ALPHANUMERIC or after == "@")
        alone = run == 1 and self._before in SPACE and after in SPACE
        return run, "_" * run if within or alone else ""

    def _link(self, text: str, at: int) -> Step:
        """`[text](target)` leaves its text. Brackets are never read, so nothing waits for the target."""
        mark, after = text[at], text[at + 1 : at + 2]
        if mark == "[":
            self._brackets += 1
            return 1, ""
        if not after and (mark == "]" or self._before in SPACE):
            return MORE
        if mark == "!":
            return 1, "" if after == "[" and self._before in SPACE else "!"
        self._brackets -= 1
        if after == "(" and self._brackets >= 0:
            self._block = Target()
            return 2, ""
        self._brackets = max(0, self._brackets)
        return 1, ""

    def _angle(self, text: str, at: int) -> Step:
        if text[at] == ">":
            closes, self._autolink = self._autolink, False
            return 1, "" if closes else ">"
        if (tag := TAG.match(text, at)) and tag[1].lower() in THOUGHTS and tag[0][1] != "/":
            self._block = Until(f"</{tag[1]}>", left=LONGEST_THOUGHT)
            return len(tag[0]), GAP
        if tag:
            return len(tag[0]), GAP + " " if tag[1].lower() in BREAKS else ""
        if tag := TAG_WITH_ATTRIBUTE.match(text, at):
            self._block = Until(">")
            return len(tag[0]), ""
        if text.startswith("<!--", at):
            self._block = Until("-->")
            return 4, ""
        if autolink := AUTOLINK.match(text, at):
            self._autolink = True
            return len(autolink[0]), ""
        return MORE if OPEN_ANGLE.match(text, at) else (1, "<")

    def _pipe(self, text: str, at: int) -> Step:
        """A table's cells are words with a space between; the row of rules below its head goes."""
        if rule := CELL_RULE.match(text, at):
            return len(rule[0]), " "
        if OPEN_CELL_RULE.match(text, at):
            return MORE
        self._line_start = False
        return 1, " "

    def _backslash(self, text: str, at: int) -> Step:
        """Before punctuation it says that no mark is meant."""
        after = text[at + 1 : at + 2]
        if not after:
            return MORE
        if after not in PUNCTUATION:
            return 1, "" if after in SPACE else "\\"
        doubled = after in "*~" and after == self._written
        return 2, "" if after in "`|[]" or doubled else after


def _run(text: str, at: int) -> tuple[int, str]:
    """How often the character repeats, and the one after it; empty where the text ends."""
    end = at + 1
    while end < len(text) and text[end] == text[at]:
        end += 1
    return end - at, text[end : end + 1]
