"""What a provider's refusal means for us: its status or error event becomes a named `ModelError`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from relay.llm.port import ModelError, ModelFailure


class ProviderError(msgspec.Struct):
    """The `error` object of both vendors. Its `message` may quote the caller, so it is never read."""

    type: str | None = None
    code: str | int | None = None


class ErrorBody(msgspec.Struct):
    error: ProviderError | str | None = None


_ERROR_BODY = msgspec.json.Decoder(ErrorBody)

_NAMED = {
    "rate_limit_error": ModelFailure.BUSY,  # Anthropic
    "overloaded_error": ModelFailure.BUSY,
    "timeout_error": ModelFailure.SERVER_ERROR,
    "api_error": ModelFailure.SERVER_ERROR,
    "rate_limit_exceeded": ModelFailure.BUSY,  # OpenAI
    "server_error": ModelFailure.SERVER_ERROR,
    "content_filter": ModelFailure.REFUSAL,  # Azure OpenAI answers 400 with it when the prompt was filtered
}

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""An error's type or code is recorded only when it looks like one: no sentence gets into the record."""


def of_answer(model: str, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """An answer with a status of 300 or more. `body` may be cut, empty or no JSON at all."""
    try:
        error = _ERROR_BODY.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = None
    named = _named(error)
    detail = " ".join([str(status), *_identifiers(error)])
    failure = _by_status(status)
    # 529 is Anthropic's overload; the filter and the overload are told by name under other statuses too.
    if status == 529 or (named is ModelFailure.BUSY and status >= 500):
        failure = ModelFailure.BUSY
    elif named is ModelFailure.REFUSAL:
        failure = ModelFailure.REFUSAL
    return ModelError(model, failure, detail, retry_after(headers, datetime.now(UTC)))


def of_event(model: str, error: ProviderError | str) -> ModelError:
    """An error in the middle of a stream that began with status 200."""
    failure = _named(error)
    if failure is None and isinstance(error, ProviderError) and isinstance(error.code, int):
        failure = _by_status(error.code)  # some gateways put the upstream's status here
    return ModelError(model, failure or ModelFailure.BROKEN_STREAM, " ".join(_identifiers(error)))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, by `Retry-After` (RFC 9110 §10.2.3: seconds or a date); None if it does not say."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        # RFC 9110 dates are in GMT; the parser leaves the zone out for "-0000".
        seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _by_status(status: int) -> ModelFailure:
    if status == 429:
        return ModelFailure.BUSY
    return ModelFailure.SERVER_ERROR if status >= 500 else ModelFailure.REQUEST_REFUSED


def _named(error: ProviderError | str | None) -> ModelFailure | None:
    for name in _identifiers(error):
        if name in _NAMED:
            return _NAMED[name]
    return None


def _identifiers(error: ProviderError | str | None) -> list[str]:
    if not isinstance(error, ProviderError):
        return []
    names = dict.fromkeys(str(name) for name in (error.type, error.code) if name is not None)
    return [name for name in names if name.isdecimal() or _IDENTIFIER.fullmatch(name)]
