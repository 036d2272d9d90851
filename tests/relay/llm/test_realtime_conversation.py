"""Whatever a Realtime server holds, it comes to hold what the caller heard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.llm.port import (
    Finish,
    FinishReason,
    Message,
    ModelError,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from relay.llm.realtime_conversation import Conversation

FIRST = Request("You answer for Acme Home.", (Message("user", "Hello"),))
STOP = Finish(FinishReason.STOP)


def created(number: int) -> bytes:
    return json.dumps({"type": "response.created", "response": {"id": f"resp_{number}"}}).encode()


def done(number: int, status: str, *output: dict[str, Any]) -> bytes:
    response = {"id": f"resp_{number}", "status": status, "output": output}
    return json.dumps({"type": "response.done", "response": response}).encode()


def delta(number: int, text: str) -> bytes:
    fields = {"response_id": f"resp_{number}", "delta": text}
    return json.dumps({"type": "response.output_text.delta", **fields}).encode()


def test_nothing_of_an_older_reply_gets_into_one_that_has_begun() -> None:
    conversation = Conversation("m", 400)
    conversation.ask(FIRST)
    conversation.feed(b'{"type":"session.updated"}')
    conversation.feed(created(1))
    assert conversation.cancel()
    assert conversation.cancel() is None
    with pytest.raises(ModelError):
        conversation.feed(done(1, "cancelled"))
    conversation.ask(FIRST)
    assert not conversation.feed(delta(1, "Late."))
    conversation.feed(created(2))
    assert not conversation.feed(delta(1, "Later."))
    assert not conversation.feed(done(1, "completed"))
    assert list(conversation.feed(delta(2, "Yes."))) == [Text("Yes.")]
    assert list(conversation.feed(done(2, "completed"))) == [STOP]
    assert not conversation.feed(delta(2, "Never."))


ENTRIES = st.one_of(
    st.builds(Message, st.sampled_from(["user", "assistant"]), st.sampled_from(["a", "b", "c  d"])),
    st.builds(lambda n: Message("assistant", "", (ToolCall(f"c{n}", "t", "{}"),)), st.integers(0, 2)),
    st.builds(ToolResult, st.sampled_from(["c0", "c1"]), st.sampled_from(["x", "y"])),
)


class Ledger:
    """The conversation as a server would keep it, by the client's events alone."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def take(self, events: Sequence[bytes]) -> None:
        for event in map(json.loads, events):
            ids = [item["id"] for item in self.items]
            if event["type"] == "conversation.item.delete":
                del self.items[ids.index(event["item_id"])]
            elif event["type"] == "conversation.item.create":
                assert event["item"]["id"] not in ids
                before = event.get("previous_item_id", ids[-1] if ids else "root")
                self.items.insert(0 if before == "root" else ids.index(before) + 1, event["item"])


def short(item: dict[str, Any]) -> tuple[str, ...]:
    match item["type"]:
        case "message":
            return (item["role"], item["content"][0]["text"])
        case "function_call":
            return ("call", item["call_id"])
        case _:
            return ("result", item["call_id"], item["output"])


def shorts(messages: Sequence[Message | ToolResult]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for message in messages:
        match message:
            case ToolResult(call_id, text):
                found.append(("result", call_id, text))
            case Message("assistant", text, calls):
                found += [("assistant", " ".join(text.split()))] if text else []
                found += [("call", call.id) for call in calls]
            case Message(role, text):
                found.append((role, text))
    return found


@given(
    st.lists(
        st.tuples(st.lists(ENTRIES, max_size=8), st.sampled_from(["completed", "cancelled"])), max_size=5
    )
)
def test_whatever_was_held_the_server_comes_to_hold_what_was_heard(
    turns: list[tuple[list[Message | ToolResult], str]],
) -> None:
    conversation, ledger = Conversation("m", 400), Ledger()
    for number, (messages, status) in enumerate(turns):
        ledger.take(conversation.ask(Request("", tuple(messages))))
        assert [short(item) for item in ledger.items] == shorts(messages)
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
        item = {"id": f"item_s{number}", "status": status, **said}
        ledger.items.append(item)
        conversation.feed(b'{"type":"session.updated"}')
        conversation.feed(created(number))
        with suppress(ModelError):
            conversation.feed(done(number, status, item))
        assert not conversation.replying
