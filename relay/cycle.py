"""One talk cycle: what we sent of it, and how much of that the caller has heard.

Twilio reports what was played chunk by chunk, without saying which cycle a chunk belongs to and with white
space changed at the cut; so the words are compared with all white space taken out, and what was heard is
always a beginning of what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Purpose(StrEnum):
    """Why we spoke."""

    DISCLOSURE = "disclosure"
    GREETING = "greeting"
    REPLY = "reply"
    FILLER = "filler"  # "one moment": the reply has not started
    FALLBACK = "fallback"  # instead of a reply that failed
    RESUME = "resume"  # after a dropped session
    RECOVERY = "recovery"  # a rung of a ladder: the caller is silent, or was not understood
    FAREWELL = "farewell"


def squeeze(text: str) -> str:
    return "".join(text.split())


@dataclass(slots=True)
class Cycle:
    """Sent from the first word to `last:true`; *settled* when nothing more of it will be played."""

    turn: int
    purpose: Purpose
    sent: str = ""
    interrupted: bool = False
    settled: bool = False
    _words: str = field(default="", repr=False)  # `sent`, squeezed
    _heard: int = 0  # characters of `_words`

    def add(self, text: str) -> None:
        self.sent += text
        self._words += squeeze(text)

    @property
    def heard(self) -> str:
        """The part of `sent` that was played."""
        left = self._heard
        for index, character in enumerate(self.sent):
            if left == 0:
                return self.sent[:index].strip()
            left -= not character.isspace()
        return self.sent.strip()

    @property
    def unheard(self) -> str:
        """The part of `sent` that was not played."""
        return self.sent[len(self.heard) :].strip() if self.started else self.sent.strip()

    @property
    def started(self) -> bool:
        return self._heard > 0

    @property
    def share_heard(self) -> float:
        """From 0 to 1, by characters."""
        return self._heard / len(self._words) if self._words else 1.0

    def continues(self, chunk: str) -> bool:
        """Is this squeezed chunk what comes next?"""
        return self._words.startswith(chunk, self._heard)

    def play(self, chunk: str) -> bool:
        """Take in a squeezed chunk that was played; False when it is not of this cycle.

        Chunks have been seen one after the other; cumulative ones are reported elsewhere, and a chunk whose
        predecessor was respoken differently ("$5" as "five dollars") is found further on.
        """
        if self.continues(chunk):
            self._heard += len(chunk)
        elif len(chunk) > self._heard and self._words.startswith(chunk):
            self._heard = len(chunk)
        elif (found := self._words.find(chunk, self._heard)) >= 0:
            self._heard = found + len(chunk)
        else:
            return False
        return True

    def cut(self, fragment: str) -> bool:
        """Take in the squeezed fragment an interrupt cut off; False when it is not of this cycle."""
        if self._heard and self._words.endswith(fragment, 0, self._heard):
            return True  # the truncated chunk was reported as played just before
        found = self._words.find(fragment, self._heard)
        if found < 0:
            return False
        self._heard = found + len(fragment)
        return True

    def assume_heard(self) -> None:
        self._heard = len(self._words)
