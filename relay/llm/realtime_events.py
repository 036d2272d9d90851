"""The Realtime API's events that we send and read: types of the GA API, in text, as plain shapes. No I/O.

Of what the server sends, only what we use is named here; every event and field that we do not know is passed
over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from relay.llm import failures
from relay.llm.port import (
    ModelError,
    ModelFailure,
    Request,
    Role,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Said:
    role: Role
    text: str = field(repr=False)


Entry = Said | ToolCall | ToolResult


def event(type_: str, **fields: object) -> bytes:
    return msgspec.json.encode({"type": type_, **fields})


def session(request: Request, max_tokens: int) -> dict[str, object]:
    """The session as a request needs it. Instructions are always sent: the server has its own "which will be
    used if this field is not set"."""
    return {
        "type": "realtime",
        "output_modalities": ["text"],
        "instructions": request.instructions,
        "tools": [_tool(tool) for tool in request.tools],
        "max_output_tokens": max_tokens,
        "audio": {"input": {"turn_detection": None}},
    }


def _tool(tool: Tool) -> dict[str, object]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def item(entry: Entry) -> dict[str, object]:
    match entry:
        case Said(role, text):
            kind = "input_text" if role == "user" else "output_text"
            return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        case ToolCall(call_id, name, arguments):
            return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        case ToolResult(call_id, text):
            return {"type": "function_call_output", "call_id": call_id, "output": text}


def spoken(text: str) -> list[Entry]:
    """White space is not heard: a reply that was heard whole is the reply that the server holds."""
    words = " ".join(text.split())
    return [Said("assistant", words)] if words else []


class Kind(msgspec.Struct, gc=False):
    type: str = ""


class Delta(msgspec.Struct, gc=False):
    response_id: str
    delta: str


class Content(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None


class Item(msgspec.Struct):
    id: str
    type: str | None = None
    status: str | None = None
    content: list[Content] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class Error(failures.ProviderError):
    event_id: str | None = None


class Details(msgspec.Struct):
    reason: str | None = None
    error: failures.ProviderError | None = None


class InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class Counts(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: InputDetails | None = None


class Response(msgspec.Struct):
    id: str
    status: str | None = None
    status_details: Details | None = None
    output: list[Item] | None = None
    usage: Counts | None = None


class ItemEvent(msgspec.Struct):
    response_id: str
    item: Item


class ResponseEvent(msgspec.Struct):
    response: Response


class ErrorEvent(msgspec.Struct):
    error: Error


KIND = msgspec.json.Decoder(Kind)
DELTA = msgspec.json.Decoder(Delta)
ITEM = msgspec.json.Decoder(ItemEvent)
RESPONSE = msgspec.json.Decoder(ResponseEvent)
ERROR = msgspec.json.Decoder(ErrorEvent)


def entry(item: Item) -> Entry | None:
    """What the caller may have heard of an item; None where it was cut short or is of no kind we know."""
    if item.status != "completed":
        return None
    match item.type:
        case "function_call":
            return ToolCall(item.call_id or item.id, item.name or "", item.arguments or "{}")
        case "message":
            said = spoken("".join(part.text or "" for part in item.content or ()))
            return said[0] if said else None
        case _:
            return None


def usage(counts: Counts) -> Usage:
    details = counts.input_token_details or InputDetails()
    return Usage(counts.input_tokens or 0, counts.output_tokens or 0, details.cached_tokens or 0)


def failure(model: str, error: failures.ProviderError | None) -> ModelError:
    named = failures.of_event(model, error or failures.ProviderError())
    if error and {"rate_limit_exceeded", "insufficient_quota"} & {error.type, error.code}:
        return ModelError(model, ModelFailure.BUSY, named.detail)  # as under their HTTP status, 429
    if error is None or named.failure is not ModelFailure.BROKEN_STREAM:
        return named
    if error.type == "invalid_request_error":
        return ModelError(model, ModelFailure.REQUEST_REFUSED, named.detail)
    return named
