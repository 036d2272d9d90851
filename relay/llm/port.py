"""What we ask of a language model: a stream of text, tool calls, usage and a finish, or a named failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole tool call. `arguments` is the JSON text as the model wrote it, unchecked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation. A request's messages begin with `user` and alternate.

    `calls` are what the assistant asked for; a `ToolResult` for each of them has to follow.
    """

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave, as the model reads it: data, never instructions."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model may call; `parameters` is the JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """Instructions first and unchanged from turn to turn, so that the provider's prompt cache hits."""

    instructions: str
    messages: tuple[Message | ToolResult, ...]
    language: str = "en-US"
    tools: tuple[Tool, ...] = ()
    heard: str = ""  # what the caller said last, without the facts that may stand before it
    avoid: frozenset[str] = frozenset()  # names of models that failed in this turn already

    @property
    def asked(self) -> str:
        """What the caller said last, for models that answer by it alone."""
        texts = [each.text for each in self.messages if isinstance(each, Message) and each.role == "user"]
        return self.heard or (texts[-1] if texts else "")


@dataclass(frozen=True, slots=True)
class Text:
    """Words to speak, as the provider cut them; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens the provider counted; `cached_tokens` is the part of the input read from its cache."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Finish:
    """The reply is complete. It is the last part; `Usage` may come just before it."""

    reason: FinishReason


class AttemptEvent(StrEnum):
    """What became of one request to one model, where several may be asked."""

    ASKED = "asked"
    HEDGED = "hedged"  # asked beside the first, which is late
    FELL_BACK = "fell_back"  # asked in place of one that failed
    WON = "won"  # the words come from this one
    LOST = "lost"  # another was faster: it was cancelled
    FAILED = "failed"
    SKIPPED = "skipped"  # its breaker is open


@dataclass(frozen=True, slots=True)
class Attempt:
    """For the record; never spoken."""

    model: str
    event: AttemptEvent
    failure: ModelFailure | None = None
    detail: str = ""


ReplyPart = Text | ToolCall | Usage | Finish | Attempt


class ModelFailure(StrEnum):
    """Why a model gave no whole reply, as the record names it."""

    UNREACHABLE = "unreachable"  # no connection, or it broke before the answer began
    BUSY = "busy"  # 429, or the provider says it is overloaded
    SERVER_ERROR = "server_error"  # any other 5xx
    REQUEST_REFUSED = "request_refused"  # any other 4xx: wrong key, model or request
    BROKEN_STREAM = "broken_stream"  # the answer stopped before its end, or is not what the API promises
    NO_FIRST_TOKEN = "no_first_token"  # noqa: S105  - a deadline's name, not a secret
    STALLED = "stalled"
    TOO_LONG = "too_long"
    REFUSAL = "refusal"  # the model or the provider's filter declined
    EMPTY = "empty"  # it finished without a word


class ModelError(Exception):
    """The model gave no whole reply: say something else to the caller, and record the reason.

    The text of the error names provider, model and reason, never a prompt, a key or an answer's body.
    """

    def __init__(
        self, model: str, failure: ModelFailure, detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"{model}: {failure}" + (f" ({detail})" if detail else ""))
        self.model = model
        self.failure = failure
        self.detail = detail  # safe to record: a status code, an error type, a deadline
        self.retry_after = retry_after  # seconds, where the provider said so


class LanguageModel(Protocol):
    @property
    def name(self) -> str:
        """`provider/model`, for the record."""
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[ReplyPart]]:
        """Open one reply. Leaving the context abandons it and closes the provider's connection at once,
        so that no token is generated for nothing. Raises `ModelError`, on entering or while iterating."""
        ...
