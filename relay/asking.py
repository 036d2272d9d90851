"""What a model is asked: the instructions, then the facts and the history as a model takes them."""

from __future__ import annotations

from collections.abc import Sequence

from policies.vocabulary import Speaker, Utterance, masked
from relay.llm.port import Message, Role

OPENING = "[The call begins.]"
MOST_LETTERS = 24_000  # of a history that a model is sent: some 6,000 tokens, half an hour of talk


def messages(history: Sequence[Utterance], facts: str = "", notes: Sequence[str] = ()) -> tuple[Message, ...]:
    """The caller first, roles in turn, keys as they were pressed; `facts` is a block ahead of it all.

    `notes` are instructions of ours for this turn alone, behind the caller's last words. Of a long history
    the last utterances are kept, from one of the caller's on.

    The block belongs to the first user message, never to the instructions: it is data, and what stands before
    it stays the same from turn to turn, so that the provider's prompt cache hits.
    """
    history = _recent(history)
    merged: list[Message] = []
    if facts:
        merged.append(Message("user", facts))
    if history and history[0].speaker is Speaker.AGENT:
        _add(merged, "user", OPENING)
    for utterance in history:
        role: Role = "user" if utterance.speaker is Speaker.CALLER else "assistant"
        _add(merged, role, _with_keys(utterance) + (" —" if utterance.interrupted else ""))
    for note in notes:
        _add(merged, "user", f"[Note for you, not said by the caller: {note}]")
    return tuple(merged)


def _recent(history: Sequence[Utterance]) -> Sequence[Utterance]:
    """The newest utterances that fit; whole ones, and beginning with the caller."""
    kept, letters = len(history), 0
    while kept > 0 and letters + len(history[kept - 1].text) <= MOST_LETTERS:
        kept -= 1
        letters += len(history[kept].text)
    if kept == 0:
        return history
    kept = min(kept, len(history) - 1)
    while kept < len(history) - 1 and history[kept].speaker is Speaker.AGENT:
        kept += 1
    return history[kept:]


def _add(merged: list[Message], role: Role, text: str) -> None:
    if merged and merged[-1].role == role:
        gap = "\n\n" if len(merged) == 1 and role == "user" and "\n" in merged[0].text else " "
        text = f"{merged.pop().text}{gap}{text}"
    merged.append(Message(role, text))


def _with_keys(utterance: Utterance) -> str:
    text = utterance.text
    for keys in utterance.digits.split():
        text = text.replace(masked(keys), f"(keyed in: {keys})", 1)
    return text
