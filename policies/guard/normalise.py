"""Text as rules see it, one character at a time.

Each raw character becomes none, one or several plain ones, whatever stands beside it: only so does the result
not depend on how a stream is cut. (Unicode's NFKC for whole strings looks ahead, and cannot be used.)
"""

from __future__ import annotations

import unicodedata
from typing import Final

LOOKALIKES: Final = dict(
    zip(
        "аеорсухіјѕһԁвкмтнԛԝѵүӏɡɩɑıοαερντυκιβγχωσᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢłøđ",
        "aeopcyxijshdbkmthqwvylgiaioaepvtukibyxwoabcdefghijklmnoprstuvwyzlod",
        strict=True,
    )
)
"""Small letters of Cyrillic, IPA, Greek, small capitals, and Latin ones that do not decompose."""
LOOKALIKE_CAPITALS: Final = dict(zip("ΗΜΝΥΖ", "hmnyz", strict=True))
"""Greek capitals that look like another letter than their small form."""
AS_SPOKEN: Final = dict.fromkeys("*`'\u2018\u2019\u02bc\u2032", "") | {"~": "-", "_": " "}
"""Markup and apostrophes are not heard; `~` is a range, in Korean; `_` parts words."""
SILENT: Final = frozenset("\u00ad\u034f\u115f\u1160\u2800\u3164\uffa0")  # joiners, fillers, blank braille
VOICING: Final = frozenset("\u3099\u309a")  # kana voicing marks tell words apart
HANGUL_JAMO: Final = ("\u1100", "\u11ff")


def is_word(char: str) -> bool:
    """Is this normalised character part of a word? Hangul is not: a particle is written onto any word."""
    return (char.isalnum() and not HANGUL_JAMO[0] <= char <= HANGUL_JAMO[1]) or char == "_"


def trailing(char: str) -> bool:
    """Does this normalised character belong to the syllable before it?"""
    return "\u11a8" <= char <= "\u11ff" or char in VOICING


class _Table(dict[str, str]):
    """Filled as characters are met; a model writes a few thousand different ones at the most."""

    def __missing__(self, char: str) -> str:
        plain = self[char] = _plain(char)
        return plain


NORMAL: Final = _Table()


def normalise(text: str) -> str:
    return "".join([NORMAL[char] for char in text])


def _plain(char: str) -> str:
    if char.isspace():
        return " "
    if char in AS_SPOKEN:
        return AS_SPOKEN[char]
    if char in SILENT or unicodedata.category(char)[0] == "C":  # control, format, private, half a pair
        return ""
    if char.isascii():
        return char.lower()
    if char in LOOKALIKE_CAPITALS:
        return LOOKALIKE_CAPITALS[char]
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(map(_part, folded))


def _part(char: str) -> str:
    """One character of a decomposition."""
    match unicodedata.category(char):
        case "Mn" | "Me" if char not in VOICING:
            return ""
        case "Cf":
            return ""
        case "Nd":
            return str(unicodedata.digit(char))
        case "Pd":
            return "-"
    if char.isspace():
        return " "
    return "" if char in SILENT else AS_SPOKEN.get(char, LOOKALIKES.get(char, char))
