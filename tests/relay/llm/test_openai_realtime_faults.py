"""Whatever the Realtime API does wrong has the name it has with the other providers, and tells nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from relay.llm import openai_realtime
from relay.llm.deadlines import Deadlines, InTime
from relay.llm.port import (
    ModelError,
    ModelFailure,
)
from tests.model_server import refusing_url
from tests.realtime_answers import (
    SECRET,
    Answers,
    Behaviour,
    Drops,
    Errs,
    Fails,
    Frames,
    Silent,
    Unmoved,
)
from tests.realtime_server import RealtimeServer
from tests.relay.llm.providers import whole
from tests.relay.llm.realtime import FIRST, calling

F = ModelFailure
PATIENT = Deadlines(first_token=20, stall=20, total=40)


@dataclass(frozen=True, slots=True)
class Fault:
    failure: ModelFailure
    detail: str
    behaviour: Behaviour = Answers()  # noqa: RUF009  - frozen
    refuse: int = 0
    retry_after: float | None = None
    limits: Deadlines = PATIENT


FAULTS = {
    "refused key": Fault(F.REQUEST_REFUSED, "401 invalid_request_error", refuse=401),
    "429": Fault(F.BUSY, "429 invalid_request_error", refuse=429, retry_after=3.0),
    "500": Fault(F.SERVER_ERROR, "500 invalid_request_error", refuse=500),
    "redirect": Fault(F.REQUEST_REFUSED, "307 invalid_request_error", refuse=307),
    "rate limit": Fault(F.BUSY, "tokens rate_limit_exceeded", Fails("rate_limit_exceeded", "tokens")),
    "rate limit, by its code": Fault(
        F.BUSY, "server_error rate_limit_exceeded", Fails("rate_limit_exceeded")
    ),
    "no quota": Fault(F.BUSY, "insufficient_quota", Fails("insufficient_quota", "insufficient_quota")),
    "failed": Fault(F.SERVER_ERROR, "server_error", Fails("server_error")),
    "failed midway": Fault(F.SERVER_ERROR, "server_error", Fails("server_error", midway=True)),
    "failed oddly": Fault(F.BROKEN_STREAM, "odd_error", Fails(SECRET, "odd_error")),
    "refused request": Fault(F.REQUEST_REFUSED, "invalid_request_error invalid_value", Errs("invalid_value")),
    "error midway": Fault(F.SERVER_ERROR, "server_error", Errs(None, "server_error", midway=True)),
    "cancelled by the server": Fault(
        F.BROKEN_STREAM, "not completed", Answers("", status="cancelled", reason="turn_detected")
    ),
    "filtered": Fault(F.REFUSAL, "refusal", Answers("", status="incomplete", reason="content_filter")),
    "empty": Fault(F.EMPTY, "stop", Answers("")),
    "hangs up unanswered": Fault(F.UNREACHABLE, "closed", Drops()),
    "dies mid-sentence": Fault(F.BROKEN_STREAM, "closed", Drops(words=2)),
    "silent": Fault(F.NO_FIRST_TOKEN, "0.05 s", Silent(), limits=Deadlines(0.05, 20, 40)),
    "stalls": Fault(F.STALLED, "0.05 s", Unmoved(), limits=Deadlines(20, 0.05, 40)),
    "garbage": Fault(F.BROKEN_STREAM, "DecodeError", Frames(("{]]",))),
    "no object": Fault(F.BROKEN_STREAM, "ValidationError", Frames(("12",))),
    "no UTF-8": Fault(F.BROKEN_STREAM, "UnicodeDecodeError", Frames((b'{"type":"\xff"}',))),
    "a delta of no text": Fault(
        F.BROKEN_STREAM,
        "ValidationError",
        Frames(('{"type":"response.output_text.delta","response_id":"resp_1","delta":7}',)),
    ),
    "an endless frame": Fault(F.BROKEN_STREAM, "closed", Frames(("x" * 2_000_000,))),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_every_fault_has_its_name(fault: Fault) -> None:
    async with (
        RealtimeServer(otherwise=fault.behaviour, refuse=fault.refuse) as server,
        calling(server, cancel_within=0.05) as call,
    ):
        model = InTime(call, fault.limits)
        for _ in range(2):  # a second time it is the same: the call has not been spoiled
            with pytest.raises(ModelError) as raised:
                await whole(model)
            error = raised.value
            assert (error.failure, error.detail, error.retry_after) == (
                fault.failure,
                fault.detail,
                fault.retry_after,
            )
            assert error.model == "openai_realtime/m"
            assert SECRET not in str(error)


async def test_a_key_refused_behind_the_door_leaves_no_socket_open() -> None:
    async with RealtimeServer(unwelcome="invalid_api_key") as server, calling(server) as call:
        await call.open()
        with pytest.raises(ModelError) as raised:
            await whole(call, FIRST)
        for socket in server.calls:
            await socket.closed.wait()
    assert (raised.value.failure, raised.value.detail) == (
        F.REQUEST_REFUSED,
        "invalid_request_error invalid_api_key",
    )


async def test_nobody_listens() -> None:
    model = openai_realtime.connect(model="m", base_url=f"{refusing_url()}/v1")
    with pytest.raises(ModelError) as raised:
        await whole(model)
    assert raised.value.failure is F.UNREACHABLE
