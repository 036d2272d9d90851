"""The door before every page and the socket: who may not enter is told why, and every answer is sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from console.access import COOKIE, SIGNED_IN_SECONDS, Access, Entry, TooManyFailures
from console.rendering import page

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it, browsers say `Origin: null` in the POST of our own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FIRST_PAGE: Final = "/console/calls"
_LOGIN: Final = "/console/login"
_REFUSED_SOCKET: Final = 1008  # policy violation, RFC 6455 §7.4.1
FORM_LIMIT: Final = 4096  # bytes

_NOT_PUBLIC: Final = (
    "These pages are open without a sign-in only on the server's own machine; to reach them from elsewhere, "
    "set FIVEGATES_CONSOLE_TOKEN to a long random text and start the server again."
)
_NOT_OUR_PAGE: Final = "The request does not come from a page of this server."
_WAIT: Final = "There were too many failed sign-ins. Wait a minute, then try again."


@dataclass(frozen=True, slots=True)
class Sealed:
    """Adds the security headers; `cached` lets a browser keep what is not about any call.

    `style`: the hash of a style that stands in the page itself.
    """

    app: ASGIApp
    cached: bool = False
    style: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if self.style:
                    policy = headers["Content-Security-Policy"]
                    headers["Content-Security-Policy"] = policy.replace(
                        "style-src", f"style-src {self.style}"
                    )
                if self.cached:
                    headers["Cache-Control"] = "no-cache"  # kept, but asked about each time
            await send(message)

        await self.app(scope, receive, sealed)


@dataclass(frozen=True, slots=True)
class Door:
    """Lets a request in to `app`, or answers it."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        entry = self.access.entry(connection)
        if scope["type"] == "websocket":
            allowed = entry.may_enter and self.access.same_origin(connection)
            await (self.app if allowed else WebSocketClose(_REFUSED_SOCKET))(scope, receive, send)
            return
        await (self.app if entry.may_enter else _turned_away(connection, entry))(scope, receive, send)


@dataclass(frozen=True, slots=True)
class SignIn:
    access: Access

    async def show(self, request: Request) -> Response:
        """`GET /console/login`"""
        entry = self.access.entry(request)
        if entry.may_enter:
            return RedirectResponse(_local(request.query_params.get("next", "")), 303)
        if entry is Entry.NO_TOKEN_SET:
            return refusal(403, "Not open from here", _NOT_PUBLIC)
        return page("login.html", {"next": _local(request.query_params.get("next", "")), "wrong": False})

    async def sign_in(self, request: Request) -> Response:
        """`POST /console/login`"""
        if not self.access.same_origin(request):
            return refusal(403, "Not from here", _NOT_OUR_PAGE)
        if not self.access.token:
            return refusal(403, "Not open from here", _NOT_PUBLIC)
        try:
            form = parse_qs((await request.body()).decode(), max_num_fields=10)
        except ValueError:
            return refusal(400, "Not understood", "The form could not be read.")
        forward = _local(form.get("next", [""])[0])
        try:
            if not self.access.right(form.get("token", [""])[0].strip()):
                return page("login.html", {"next": forward, "wrong": True}, 403)
        except TooManyFailures:
            return _too_many()
        response = RedirectResponse(forward, 303)
        response.set_cookie(
            COOKIE,
            self.access.cookie(),
            max_age=SIGNED_IN_SECONDS,
            secure=request.headers["origin"].startswith("https:"),
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """`POST /console/logout`"""
        if not self.access.same_origin(request):
            return refusal(403, "Not from here", _NOT_OUR_PAGE)
        response = RedirectResponse(_LOGIN, 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response


def signed_in(access: Access, request: Request) -> bool:
    """Is there something to sign out of?"""
    return access.entry(request) is Entry.SIGNED_IN


def refusal(status: int, title: str, says: str) -> Response:
    return page("message.html", {"title": title, "says": says}, status)


def _turned_away(connection: HTTPConnection, entry: Entry) -> Response:
    match entry:
        case Entry.NO_TOKEN_SET:
            return refusal(403, "Not open from here", _NOT_PUBLIC)
        case Entry.TOO_MANY_FAILURES:
            return _too_many()
        case _ if "authorization" in connection.headers:
            refused = refusal(
                401, "Not the console's token", "The token in Authorization is not the right one."
            )
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        case _:
            return RedirectResponse(f"{_LOGIN}?next={quote(_local(connection.url.path))}", 303)


def _too_many() -> Response:
    refused = refusal(429, "Too many failed sign-ins", _WAIT)
    refused.headers["Retry-After"] = "60"
    return refused


def _local(path: str) -> str:
    """Where to go after signing in: a page of ours, never another site."""
    ours = path == "/phone" or (path.startswith("/console/") and path != _LOGIN)
    return path if ours and path.isprintable() and "\\" not in path else FIRST_PAGE
