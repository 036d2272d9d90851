"""Characters a voice should not read: pictographs, invisible marks, control characters, HTML entities.

The ranges are whole blocks of The Unicode Standard that hold the characters with `Emoji_Presentation`, or
that are listed with U+FE0F (https://www.unicode.org/Public/emoji/). Signs that are read stay: ° € ™ © №.
"""

from __future__ import annotations

import re
from html import unescape

GAP = "\0"
"""Stands where something was dropped: the words around it must neither stick together nor drift apart."""

PICTOGRAPHS = (
    "\u2022\u2023\u2043"  # bullets, a triangular and a hyphen one
    "\u203c\u2049\u2139\u24c2"  # ‼ ⁉ ℹ Ⓜ: emoji outside the blocks below
    "\u2190-\u21ff"  # Arrows
    "\u2300-\u23ff"  # Miscellaneous Technical: watch, hourglass, player signs
    "\u2500-\u27bf"  # Box Drawing, Block Elements, Geometric Shapes, Miscellaneous Symbols, Dingbats
    "\u2934\u2935"  # curved arrows
    "\u2b00-\u2bff"  # Miscellaneous Symbols and Arrows
    "\u3030\u303d\u3297\u3299"  # 〰 〽 ㊗ ㊙
    "\ue000-\uf8ff"  # Private Use Area: a vendor's logos
    "\U0001f000-\U0001fbff"  # Mahjong Tiles to Legacy Computing: regional indicators (flags), skin tones too
)
SILENT = (
    "\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # control characters that are not white space
    "\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # soft hyphen, zero width, direction marks
    "\u20e0\u20e3"  # enclosing circle backslash and keycap: the digit in the keycap is still read
    "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variation selectors
    "\U000e0001-\U000e007f"  # tags, in the flags of regions
    "\ud800-\udfff"  # a lone surrogate is no character, and no frame can carry it
)
JOINER = "\u200d"  # kept elsewhere: scripts of India and Iran need it

UNREAD = re.compile(f"([{PICTOGRAPHS}][{PICTOGRAPHS}{SILENT}{JOINER}]*)|[{SILENT}]+")
REST_OF_PICTOGRAPH = re.compile(f"[{PICTOGRAPHS}{SILENT}{JOINER}]*")
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,7});")
OPEN_ENTITY = re.compile(r"&(?:#[0-9]{0,7}|#[xX][0-9a-fA-F]{0,6}|[A-Za-z][A-Za-z0-9]{0,7})?\Z")


class Characters:
    """Drops what a voice should not read, and puts a `GAP` where a pictograph stood."""

    def __init__(self) -> None:
        self._held = ""  # may become an entity; at most 9 characters
        self._in_pictograph = False

    @property
    def idle(self) -> bool:
        """Nothing is held, and the next characters stand for themselves."""
        return not self._held and not self._in_pictograph

    def feed(self, token: str) -> str:
        text = self._held + token
        self._held = ""
        if opened := OPEN_ENTITY.search(text):
            text, self._held = text[: opened.start()], opened[0]
        text = ENTITY.sub(_decoded, text)
        if self._in_pictograph and (rest := REST_OF_PICTOGRAPH.match(text)):
            text = text[rest.end() :]
        if text:
            self._in_pictograph = False
        return UNREAD.sub(self._dropped, text)

    def _dropped(self, found: re.Match[str]) -> str:
        if found[1] is None:
            return ""
        self._in_pictograph = found.end() == len(found.string)
        return GAP


def _decoded(entity: re.Match[str]) -> str:
    """The character; an unknown name stays as it is written, white space (`&nbsp;`) becomes a space."""
    decoded = unescape(entity[0])
    return " " if decoded.isspace() else decoded
