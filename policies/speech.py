"""What a model writes, made fit to be spoken, token by token: no markup, addresses, pictographs or code.

A token of ordinary words goes straight through. Otherwise it passes three small readers, each of which gives
the same for any cut of the text: characters, markup, and here, addresses and white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from policies.characters import GAP, JOINER, PICTOGRAPHS, SILENT, Characters
from policies.lines import lines
from policies.markup import Markup

MARKS = rf"`*_~\[\]!<>|\\&\s{PICTOGRAPHS}{SILENT}{JOINER}"
ORDINARY = re.compile(rf" ?[^{MARKS}]+(?: [^{MARKS}]+)*")
MAYBE_ADDRESS = re.compile(r"(?<![A-Za-z0-9])(?:[hH](?:[tT]|\Z)|[wW](?:[wW]|\Z))")

ADDRESS = re.compile(r"(?<![A-Za-z0-9])(?:https?://|www\.(?=[A-Za-z0-9]))", re.IGNORECASE)
OPEN_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9])(?:h(?:t(?:t(?:ps?(?::/?)?)?)?)?|w(?:w(?:w\.?)?)?)\Z", re.IGNORECASE
)
IN_ADDRESS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("\"'<>`|\\^{}")  # RFC 3986, and brackets
AFTER_ADDRESS = frozenset(".,;:!?)]*_~")
PIECE = re.compile(rf"[\s{GAP}]+|[^\s{GAP}]+")
CLOSING = frozenset(".,;:!?)…")
MOST_PUNCTUATION = 16


class SpeechCleaner:
    """One reply's text, from the model to the guard.

    The outputs of `feed` and `finish` together depend on the whole text, not on how it is cut into tokens.
    White space is one space between words, none before the first or after the last.
    """

    def __init__(self, language: str = "en-US") -> None:
        self._link = lines(language).link
        self._characters = Characters()
        self._markup = Markup()
        self._held = ""  # may become an address
        self._before = " "  # the last character read before it
        self._address: _Address | None = None
        self._written = ""  # the last character written
        self._space = False  # white space, to be written before the next word
        self._gap = False  # something was dropped here
        self._idle = False

    def feed(self, token: str) -> str:
        """The words that are settled by now. Ordinary words come out with the token that brought them."""
        if self._idle and ORDINARY.fullmatch(token) and not MAYBE_ADDRESS.search(token):
            self._markup.passed(token)
            self._before = self._written = token[-1]
            return token
        words = "".join(self._spoken(self._markup.feed(self._characters.feed(token))))
        self._idle = (
            self._characters.idle
            and self._markup.idle
            and not (self._held or self._address or self._space or self._gap)
        )
        return words

    def finish(self) -> str:
        """The reply is complete: the words that were still held."""
        return self.feed("\n")

    def _spoken(self, text: str) -> Iterator[str]:
        text = self._before + self._held + text  # an address begins where no word goes on
        self._held = ""
        at = 1
        while at < len(text):
            if self._address:
                at = self._address.end(text, at)
                if at < len(text):
                    yield from self._pieces(self._address.after)
                    self._address = None
                continue
            begun = ADDRESS.search(text, at)
            opened = None if begun else OPEN_ADDRESS.search(text, at)
            end = begun.start() if begun else opened.start() if opened else len(text)
            yield from self._pieces(text[at:end])
            if begun:
                yield from self._pieces(self._link)
                self._address = _Address()
            else:
                self._held = text[end:]
                self._before = text[end - 1]
                return
            at = begun.end()
        self._before = text[-1]

    def _pieces(self, text: str) -> Iterator[str]:
        for piece in PIECE.findall(text):
            first = piece[0]
            if first == GAP or first.isspace():
                self._gap = self._gap or GAP in piece
                self._space = self._space or piece.strip(GAP) != ""
                continue
            if self._space:
                if self._written and not (self._gap and first in CLOSING):
                    yield " "
            elif self._gap and self._written.isalnum() and first.isalnum():
                yield " "
            yield piece
            self._written = piece[-1]
            self._space = self._gap = False


class Echo:
    """Drops what a model says again at the start of a later round, word for word, ahead of another tool.

    Text is held only while it may still be such a repetition; what differs is let through whole.
    """

    def __init__(self, before: Iterable[str]) -> None:
        said = {text.strip() for text in before}
        self._before = sorted(said - {""}, key=len, reverse=True)
        self._held = ""
        self._through = not self._before

    def feed(self, text: str) -> str:
        if self._through:
            return text
        self._held += text
        words = self._held.lstrip()
        if any(each.startswith(words) for each in self._before):
            return ""
        self._through = True
        for each in self._before:
            if words.startswith(each) and not words[len(each)].isalnum():
                return words[len(each) :]
        return self._held

    def finish(self) -> str:
        """What was held and is no repetition after all."""
        return "" if self._through or self._held.strip() in self._before else self._held


class _Address:
    """A web address, dropped while it goes on; the punctuation at its end belongs to the sentence."""

    def __init__(self) -> None:
        self.after = ""
        self._open = 0  # parentheses

    def end(self, text: str, at: int) -> int:
        """Where it ends in this text, which is the length of the text while it goes on."""
        while at < len(text) and (char := text[at]) in IN_ADDRESS:
            self._open += char == "("
            if char == ")" and self._open:
                self._open -= 1
                self.after = ""
            elif char in AFTER_ADDRESS and len(self.after) < MOST_PUNCTUATION:
                self.after += char
            else:
                self.after = ""
            at += 1
        return at
