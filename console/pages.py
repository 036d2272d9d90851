"""The pages: the calls, one call's record, the browser phone; and the routes to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from compliance.record import JournalUnreadable, NoJournal
from compliance.summary import three_lines
from console import story
from console.access import Access
from console.bridge import Booths, Bridge, Dial
from console.door import FIRST_PAGE, FORM_LIMIT, Door, Sealed, SignIn, refusal, signed_in
from console.reader import Reader
from console.rendering import STATIC, page

NEWEST = 100  # calls on the list


@dataclass(frozen=True, slots=True)
class Answering:
    """An agent that takes calls: its name, the number to dial it (blank: any), the language it speaks."""

    name: str
    number: str = ""
    language: str = "en-US"


@dataclass(frozen=True, slots=True)
class Console:
    """What the pages stand on. `dial` makes the browser phone's phones, `version` is shown at the foot."""

    reader: Reader
    access: Access
    dial: Dial
    agents: tuple[Answering, ...]
    version: str
    booths: Booths = field(default_factory=Booths)


def routes(console: Console) -> list[BaseRoute]:
    """Everything below `/console/` and `/phone`, to be put into the server's own list of routes."""
    pages, sign_in = Pages(console), SignIn(console.access)
    public = [Middleware(Sealed)]
    guarded = [*public, Middleware(Door, access=console.access)]
    return [
        Route("/phone", pages.phone, middleware=guarded),
        WebSocketRoute("/phone/socket", pages.socket, middleware=guarded),
        Route("/console/", pages.first, middleware=guarded),
        Route("/console/calls", pages.calls, middleware=guarded),
        Route("/console/calls/{call_sid}", pages.call, middleware=guarded),
        Route("/console/login", sign_in.show, middleware=public),
        Route(
            "/console/login",
            sign_in.sign_in,
            methods=["POST"],
            middleware=public,
            max_body_size=FORM_LIMIT,
        ),
        Route("/console/logout", sign_in.sign_out, methods=["POST"], middleware=public),
        Mount(
            "/console/static",
            StaticFiles(directory=STATIC),
            middleware=[Middleware(Sealed, cached=True)],
        ),
    ]


@dataclass(frozen=True, slots=True)
class Pages:
    console: Console

    async def first(self, request: Request) -> Response:
        """`GET /console/`"""
        del request
        return RedirectResponse(FIRST_PAGE, 303)

    async def calls(self, request: Request) -> Response:
        """`GET /console/calls`"""
        try:
            calls = await asyncio.to_thread(self.console.reader.calls, NEWEST)
        except NoJournal:
            calls = []
        except JournalUnreadable:
            return _unreadable()
        return self._page(request, "calls.html", calls=calls, newest=NEWEST)

    async def call(self, request: Request) -> Response:
        """`GET /console/calls/{call_sid}`"""
        call_sid = request.path_params["call_sid"]
        try:
            stored = await asyncio.to_thread(self.console.reader.events, call_sid)
        except NoJournal:
            stored = []
        except JournalUnreadable:
            return _unreadable()
        events = [line.event for line in stored]
        if not events:
            says = "No call of this name is in the record. It may have been deleted when its retention ended."
            return refusal(404, "No such call", says)
        headed = [line.partition(": ") for line in three_lines(events)]
        return self._page(request, "call.html", call_sid=call_sid, headed=headed, story=story.tell(events))

    async def phone(self, request: Request) -> Response:
        """`GET /phone`"""
        return self._page(request, "phone.html", agents=self.console.agents)

    async def socket(self, socket: WebSocket) -> None:
        """`WS /phone/socket`"""
        console = self.console
        await Bridge(socket, console.dial, console.reader, console.booths).serve()

    def _page(self, request: Request, template: str, **values: object) -> Response:
        shared = {"version": self.console.version, "signed_in": signed_in(self.console.access, request)}
        return page(template, shared | values)


def _unreadable() -> Response:
    return refusal(503, "No record just now", "The record cannot be read at the moment; calls go on.")
