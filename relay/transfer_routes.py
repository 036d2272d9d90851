"""`POST /twilio/handoff/*`, `/twilio/taskrouter`, `/twilio/recording`: from each request to its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from handoff.steps import AttemptUnknown
from relay import twiml
from relay.forms import Form, Refused
from relay.webhooks import Webhooks

Told = Callable[[str, Form, Form], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class TransferRoutes:
    """`webhooks` gives what is alive while the process serves: it is opened after the routes are made."""

    webhooks: Callable[[Request], Webhooks]

    def all(self) -> list[Route]:
        handlers = {
            "/twilio/handoff/wait": self.wait,
            "/twilio/handoff/whisper": self.whisper,
            "/twilio/handoff/choice": self.choice,
            "/twilio/handoff/result": self.result,
            "/twilio/handoff/leg": self.leg,
            "/twilio/handoff/room": self.room,
            "/twilio/handoff/assignment": self.assignment,
            "/twilio/taskrouter": self.event,
            "/twilio/recording": self.recording,
        }
        return [Route(path, handler, methods=["POST"]) for path, handler in handlers.items()]

    async def wait(self, request: Request) -> Response:
        async def answer(ref: str, form: Form, _: Form) -> str:
            return await self.webhooks(request).transfers.wait(ref, form)

        return await self._answered(request, answer)

    async def whisper(self, request: Request) -> Response:
        return await self._answered(request, self.webhooks(request).transfers.whisper)

    async def choice(self, request: Request) -> Response:
        return await self._answered(request, self.webhooks(request).transfers.choice)

    async def result(self, request: Request) -> Response:
        async def answer(ref: str, form: Form, query: Form) -> str:
            webhooks, call_sid = self.webhooks(request), form.get("CallSid", "")

            async def first() -> str:
                outcome = await webhooks.transfers.result(ref, form, query)
                return await webhooks.carry_out(request, outcome, call_sid)

            how = [form.get(name, "") for name in ("QueueResult", "DialCallStatus", "RecordingSid")]
            return await webhooks.once(call_sid, "-".join(["result", ref, *how, query.get("why", "")]), first)

        return await self._answered(request, answer)

    async def leg(self, request: Request) -> Response:
        return await self._answered(request, self.webhooks(request).transfers.leg)

    async def room(self, request: Request) -> Response:
        async def answer(ref: str, form: Form, _: Form) -> None:
            await self.webhooks(request).transfers.room(ref, form)

        return await self._answered(request, answer)

    async def recording(self, request: Request) -> Response:
        async def answer(ref: str, form: Form, _: Form) -> None:
            await self.webhooks(request).transfers.recording(ref, form)

        return await self._answered(request, answer)

    async def assignment(self, request: Request) -> Response:
        try:
            form = await self.webhooks(request).forms.read(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        return JSONResponse(await self.webhooks(request).transfers.assignment(form))

    async def event(self, request: Request) -> Response:
        try:
            form = await self.webhooks(request).forms.read(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        await self.webhooks(request).transfers.event(form)
        return Response(status_code=204)

    async def _answered(self, request: Request, answer: Told) -> Response:
        """TwiML, or nothing to say. A reference nobody knows ends the leg that brought it."""
        try:
            form = await self.webhooks(request).forms.read(request)
            text = await answer(request.query_params.get("ref", ""), form, request.query_params)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status)
        except AttemptUnknown:
            return Response(twiml.hang_up(), media_type="text/xml")
        return Response(status_code=204) if text is None else Response(text, media_type="text/xml")
