"""What a Realtime server holds of one call, and the events that make it hold what was heard. No I/O.

The server keeps the conversation, and it has to be the one that the caller heard. So every request is
compared with what the server holds, and the difference is sent: nothing but the new items in a plain turn, a
deletion and a shorter item after a barge-in ("conversation.item.truncate" cuts audio only).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from relay.llm import realtime_events as wire
from relay.llm.port import (
    Finish,
    FinishReason,
    Message,
    ModelError,
    ModelFailure,
    ReplyPart,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from relay.llm.realtime_events import Entry, Said


@dataclass(frozen=True, slots=True)
class _Held:
    """An item of the server's conversation; without an entry nobody heard it as it stands there."""

    id: str
    entry: Entry | None


@dataclass(slots=True)
class _Reply:
    """The response that was asked for last, until the server says that it is done."""

    event_id: str
    id: str | None = None
    cancelled: bool = False
    items: list[str] = field(default_factory=list)
    kept: list[ReplyPart] = field(default_factory=list)  # until our instructions are confirmed


class Conversation:
    """One socket's conversation: `ask` gives the events to send, `feed` takes those that come."""

    def __init__(self, model: str, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._session: dict[str, object] = {}
        self._unconfirmed = 0  # updates of the session that the server has not answered
        self._held: list[_Held] = []
        self._reply: _Reply | None = None
        self._cancels: set[str] = set()
        self.doubted = False  # an event of ours was refused: the server may hold something else
        self._count = 0

    @property
    def waits(self) -> bool:
        """A response was asked for and does not exist yet: it cannot be cancelled either."""
        return self._reply is not None and self._reply.id is None

    @property
    def replying(self) -> bool:
        """A response was asked for and is not done. "Only one Response can write to the default Conversation
        at a time"."""
        return self._reply is not None

    def ask(self, request: Request) -> list[bytes]:
        """What to send for a reply to this request; never while the last one is `replying`."""
        events = [*self._configured(request), *self._corrected(_entries(request.messages))]
        self._reply = _Reply(self._id("event"))
        return [*events, wire.event("response.create", event_id=self._reply.event_id)]

    def cancel(self) -> bytes | None:
        """What to send to stop the reply, once and as soon as it exists: a cancel before "response.created"
        finds nothing to cancel, and the words are generated all the same."""
        reply = self._reply
        if reply is None or reply.id is None or reply.cancelled:
            return None
        reply.cancelled = True
        event_id = self._id("event")
        self._cancels.add(event_id)
        return wire.event("response.cancel", event_id=event_id, response_id=reply.id)

    def feed(self, data: bytes) -> Sequence[ReplyPart]:
        """Raises `ModelError` for an error and for a reply that failed, `DecodeError` or `UnicodeDecodeError`
        for nonsense."""
        match wire.KIND.decode(data).type:
            case "response.output_text.delta":
                delta = wire.DELTA.decode(data)
                return self._said(delta.response_id, [Text(delta.delta)] if delta.delta else [])
            case "response.created":
                if self._reply is not None and self._reply.id is None:
                    self._reply.id = wire.RESPONSE.decode(data).response.id
            case "response.output_item.added":
                added = wire.ITEM.decode(data)
                if self._reply is not None and self._reply.id == added.response_id:
                    self._reply.items.append(added.item.id)
            case "response.done":
                return self._done(wire.RESPONSE.decode(data).response)
            case "session.updated":
                self._unconfirmed = max(0, self._unconfirmed - 1)
                return self._said(self._reply.id if self._reply else None, [])
            case "error":
                self._failed(wire.ERROR.decode(data).error)
            case _:  # acknowledgements, and whatever the API will grow
                pass
        return ()

    def _configured(self, request: Request) -> Iterator[bytes]:
        session = wire.session(request, self._max_tokens)
        if session == self._session:
            return
        self._session = session
        self._unconfirmed += 1
        yield wire.event("session.update", event_id=self._id("event"), session=session)

    def _corrected(self, wanted: Sequence[Entry]) -> list[bytes]:
        """From what the server holds to what was heard: items deleted, the last one first, then created."""
        held = self._held
        changes = SequenceMatcher(None, [item.entry for item in held], wanted, autojunk=False).get_opcodes()
        deleted: list[bytes] = []
        for change, start, end, _, _ in reversed(changes):
            if change != "equal":
                deleted += [
                    wire.event("conversation.item.delete", event_id=self._id("event"), item_id=item.id)
                    for item in reversed(held[start:end])
                ]
        self._held = []
        created: list[bytes] = []
        for change, start, end, first, last in changes:
            if change == "equal":
                self._held += held[start:end]
                continue
            for entry in wanted[first:last]:
                item = _Held(self._id("item"), entry)
                before = None if end == len(held) else self._held[-1].id if self._held else "root"
                created.append(self._create(item, entry, before))
                self._held.append(item)
        return [*deleted, *created]

    def _create(self, item: _Held, entry: Entry, before: str | None) -> bytes:
        """`before` is the item it stands behind; without one, the end of the conversation."""
        place = {} if before is None else {"previous_item_id": before}
        event_id = self._id("event")
        return wire.event(
            "conversation.item.create", event_id=event_id, item={"id": item.id, **wire.item(entry)}, **place
        )

    def _said(self, response_id: str | None, parts: Sequence[ReplyPart]) -> Sequence[ReplyPart]:
        """Parts of the reply that was asked for last, of no other; kept back until the server has confirmed
        the instructions they are to follow."""
        reply = self._reply
        if reply is None or reply.id is None or reply.id != response_id:
            return ()
        if self._unconfirmed:
            reply.kept += parts
            return ()
        if reply.kept:
            parts, reply.kept = [*reply.kept, *parts], []
        return parts

    def _done(self, response: wire.Response) -> Sequence[ReplyPart]:
        reply = self._reply
        if reply is None or reply.id is None or reply.id != response.id:
            return ()
        kept = self._said(reply.id, [])
        self._reply = None
        output = {item.id: item for item in response.output or ()}
        for item_id in dict.fromkeys([*reply.items, *output]):
            item = output.get(item_id)
            self._held.append(_Held(item_id, wire.entry(item) if item else None))
        if self._unconfirmed:
            raise ModelError(self._model, ModelFailure.BROKEN_STREAM, "session not confirmed")
        return [*kept, *self._end(response)]

    def _end(self, response: wire.Response) -> Iterable[ReplyPart]:
        details = response.status_details or wire.Details()
        usage = [wire.usage(response.usage)] if response.usage else []
        match response.status, details.reason:
            case "completed", _:
                calls = [
                    call for item in response.output or () if isinstance(call := wire.entry(item), ToolCall)
                ]
                return [*calls, *usage, Finish(FinishReason.TOOL_CALLS if calls else FinishReason.STOP)]
            case "incomplete", "content_filter":
                return [*usage, Finish(FinishReason.REFUSAL)]
            case "incomplete", _:
                return [*usage, Finish(FinishReason.LENGTH)]
            case "failed", _:
                raise wire.failure(self._model, details.error)
            case _:  # cancelled, and not by us
                raise ModelError(self._model, ModelFailure.BROKEN_STREAM, "not completed")

    def _failed(self, error: wire.Error) -> None:
        """ "Most errors are recoverable and the session will stay open", but with an event of ours refused we
        no longer know what the server holds. Only a cancel that came too late changes nothing. Raises."""
        if error.event_id in self._cancels or error.code == "response_cancel_not_active":
            return
        self.doubted = True
        raise wire.failure(self._model, error)

    def _id(self, kind: str) -> str:
        """Short: item ids of more than 32 characters have been refused."""
        self._count += 1
        return f"{kind}_{self._count}"


def _entries(messages: Sequence[Message | ToolResult]) -> list[Entry]:
    found: list[Entry] = []
    for message in messages:
        match message:
            case ToolResult():
                found.append(message)
            case Message("assistant", text, calls):
                found += wire.spoken(text)
                found += calls
            case Message(role, text):
                found.append(Said(role, text))
    return found
