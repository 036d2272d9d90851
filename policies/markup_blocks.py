"""Stretches of a reply that are dropped whole: blocks of code, targets of links, long tags, comments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Block(Protocol):
    """Told character by character, it says where it is over. It never holds text."""

    def ends_before(self, char: str) -> bool: ...


@dataclass(slots=True)
class Fence:
    """A block of code. One that opened at the start of a line closes there too, or on its first line."""

    mark: str
    at_line_start: bool
    length: int = 0
    opening: bool = True
    first_line: bool = True
    blank: bool = False  # only white space since the line began
    run: int = 0

    def ends_before(self, char: str) -> bool:
        if char == self.mark and self.opening:
            self.length += 1
            return False
        self.opening = False
        if char == self.mark:
            self.run += self.first_line or self.blank or not self.at_line_start
            return False
        if self.run >= self.length and not char.isalnum():  # a word right after it would open another block
            return True
        self.run = 0
        if char in "\n\r":
            self.blank, self.first_line = True, False
        elif char not in " \t>":
            self.blank = False
        return False


@dataclass(slots=True)
class Target:
    """A link's address in parentheses. One that never closes is over with its line, or after `left`."""

    depth: int = 1
    left: int = 1000

    def ends_before(self, char: str) -> bool:
        if not self.depth or not self.left or char in "\n\r":
            return True
        self.left -= 1
        self.depth += (char == "(") - (char == ")")
        return False


@dataclass(slots=True)
class Until:
    """A tag with attributes, or a comment: up to its closing mark, or `left` characters."""

    closing: str
    left: int = 2000
    tail: str = ""

    def ends_before(self, char: str) -> bool:
        if self.tail == self.closing or not self.left:
            return True
        self.left -= 1
        self.tail = (self.tail + char)[-len(self.closing) :]
        return False
