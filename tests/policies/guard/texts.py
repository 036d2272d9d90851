"""What a guard lets through, as one text; and the pieces a text can arrive in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policies.guard.book import Rulebook
from policies.guard.guard import Allowed, Blocked, Guard, Ruling


def spoken(rulings: Iterable[Ruling]) -> str:
    """Everything that reaches the caller."""
    return "".join(
        ruling.say_instead if isinstance(ruling, Blocked) else ruling.text
        for ruling in rulings
        if isinstance(ruling, Allowed | Blocked)
    )


def whole(book: Rulebook, text: str) -> str:
    return in_pieces(book, [text])


def in_pieces(book: Rulebook, pieces: Iterable[str]) -> str:
    guard = Guard(book)
    rulings = [ruling for piece in pieces for ruling in guard.feed(piece)]
    return spoken([*rulings, *guard.finish()])


def cut(text: str, at: Sequence[int]) -> list[str]:
    """The text in pieces, cut at these places (modulo its length)."""
    places = sorted({place % (len(text) + 1) for place in at})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
