"""Whatever a provider does wrong has one name, the same for each of them, and tells nothing of the talk."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import pytest

from relay.llm.deadlines import Deadlines, InTime
from relay.llm.port import ModelError, ModelFailure
from tests.model_server import (
    GARBAGE,
    HTML,
    SECRET,
    Answer,
    Behaviour,
    DiesAfter,
    Drops,
    Empty,
    FailsMidway,
    ModelServer,
    Never,
    Raw,
    Refusal,
    StallsAfter,
    Status,
    refusing_url,
)
from tests.relay.llm.providers import Provider, whole

PATIENT = Deadlines(first_token=20, stall=20, total=40)
QUICK_FIRST = Deadlines(first_token=0.05, stall=20, total=40)
QUICK_STALL = Deadlines(first_token=20, stall=0.05, total=40)
QUICK_TOTAL = Deadlines(first_token=20, stall=20, total=0.1)

F = ModelFailure


@dataclass(frozen=True, slots=True)
class Fault:
    behaviour: Behaviour
    failure: ModelFailure
    detail: str
    limits: Deadlines = PATIENT
    retry_after: float | None = None


FAULTS = {
    "never answers": Fault(Never(), F.NO_FIRST_TOKEN, "0.05 s", QUICK_FIRST),
    "slow first token": Fault(Answer(first_delay=60), F.NO_FIRST_TOKEN, "0.05 s", QUICK_FIRST),
    "hangs up unanswered": Fault(Drops(), F.UNREACHABLE, "ServerDisconnectedError"),
    "dies mid-sentence": Fault(DiesAfter(2), F.BROKEN_STREAM, "ClientPayloadError"),
    "dies politely": Fault(DiesAfter(2, politely=True), F.BROKEN_STREAM, "no finish"),
    "stalls": Fault(StallsAfter(2), F.STALLED, "0.05 s", QUICK_STALL),
    "goes on for ever": Fault(
        Answer(tokens=("and ",) * 10_000, delay=0.01), F.TOO_LONG, "0.1 s", QUICK_TOTAL
    ),
    "429": Fault(
        Status(429, {"Retry-After": "3"}, "rate_limit_error"), F.BUSY, "429 rate_limit_error", retry_after=3.0
    ),
    "500": Fault(Status(500, type="api_error"), F.SERVER_ERROR, "500 api_error"),
    "502 by a gateway": Fault(Status(502, body=b"<html>Bad gateway</html>"), F.SERVER_ERROR, "502"),
    "529": Fault(Status(529, type="overloaded_error"), F.BUSY, "529 overloaded_error"),
    "503 overloaded": Fault(Status(503, type="overloaded_error"), F.BUSY, "503 overloaded_error"),
    "401": Fault(Status(401, type="authentication_error"), F.REQUEST_REFUSED, "401 authentication_error"),
    "404": Fault(Status(404, type=SECRET), F.REQUEST_REFUSED, "404"),
    "400 by the filter": Fault(Status(400, type="content_filter"), F.REFUSAL, "400 content_filter"),
    "redirect": Fault(Status(307, {"Location": "/v1/elsewhere"}), F.REQUEST_REFUSED, "307"),
    "overloaded midway": Fault(FailsMidway("overloaded_error"), F.BUSY, "overloaded_error"),
    "fails midway": Fault(FailsMidway("api_error"), F.SERVER_ERROR, "api_error"),
    "unknown failure midway": Fault(FailsMidway("odd_error"), F.BROKEN_STREAM, "odd_error"),
    "garbage": Fault(GARBAGE, F.BROKEN_STREAM, "DecodeError"),
    "no UTF-8": Fault(
        Raw(b'data: {"type":"x","error":{"type":"\xff"}}\n\n'), F.BROKEN_STREAM, "UnicodeDecodeError"
    ),
    "a page of the hotel": Fault(HTML, F.BROKEN_STREAM, "text/html"),
    "an answer, not a stream": Fault(
        Raw(b'{"choices":[]}', "application/json"), F.BROKEN_STREAM, "application/json"
    ),
    "endless line": Fault(Raw(b"data: " + b"x" * 2_000_000), F.BROKEN_STREAM, "Oversized"),
    "a page without end as an error": Fault(Status(500, body=b"<p>" * 100_000), F.SERVER_ERROR, "500"),
    "nothing at all": Fault(Raw(b""), F.BROKEN_STREAM, "no finish"),
    "empty answer": Fault(Empty(), F.EMPTY, "stop"),
    "blank answer": Fault(Answer(tokens=("\n\n", " ")), F.EMPTY, "stop"),
    "refusal": Fault(Refusal(), F.REFUSAL, "refusal"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_fault_has_its_name(
    fault: Fault, provider: Provider, http: aiohttp.ClientSession
) -> None:
    async with ModelServer(otherwise=fault.behaviour) as server:
        model = InTime(provider(http, server.base_url), fault.limits)
        with pytest.raises(ModelError) as raised:
            await whole(model)
    error = raised.value
    assert (error.failure, error.detail, error.retry_after) == (
        fault.failure,
        fault.detail,
        fault.retry_after,
    )
    assert error.model == model.name
    assert SECRET not in str(error)


async def test_nobody_listens(provider: Provider, http: aiohttp.ClientSession) -> None:
    with pytest.raises(ModelError) as raised:
        await whole(InTime(provider(http, refusing_url()), PATIENT))
    assert raised.value.failure is F.UNREACHABLE
