"""The sign-in, as a browser goes through it, and the headers that seal every answer."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import Message

from console.access import COOKIE, FAILURES_ALLOWED, Access
from tests.console.house import Nothing, pages

TOKEN = "a-long-random-console-token"
PUBLIC = "https://voice.example.com"
OURS = {"origin": PUBLIC}
LOCAL = "http://127.0.0.1:8080"


def browser(access: Access, base: str = PUBLIC) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages(Nothing(), access)), base_url=base)


async def test_signing_in_leads_to_the_page_that_was_asked_for() -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        turned_away = await client.get("/phone")
        assert turned_away.status_code == 303
        assert turned_away.headers["location"] == "/console/login?next=/phone"
        form = await client.get(turned_away.headers["location"])
        assert 'name="next" value="/phone"' in form.text

        given = {"token": TOKEN, "next": "/phone"}
        signed_in = await client.post("/console/login", data=given, headers=OURS)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/phone")
        cookie = signed_in.headers["set-cookie"]
        for attribute in ("HttpOnly", "SameSite=strict", "Secure", "Max-Age=28800", "Path=/"):
            assert attribute in cookie
        assert TOKEN not in cookie
        page = await client.get("/phone")
        assert page.status_code == 200
        assert "Sign out" in page.text

        assert (await client.post("/console/logout", headers=OURS)).status_code == 303
        assert COOKIE not in client.cookies
        assert (await client.get("/console/calls")).status_code == 303


async def test_the_cookie_is_not_marked_secure_where_there_is_no_tls() -> None:
    async with browser(Access(token=TOKEN), "http://10.0.0.5:8080") as client:
        signed_in = await client.post(
            "/console/login", data={"token": TOKEN}, headers={"origin": "http://10.0.0.5:8080"}
        )
        assert "Secure" not in signed_in.headers["set-cookie"]


async def test_a_wrong_token_is_told_and_too_many_are_not_looked_at() -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        for _ in range(FAILURES_ALLOWED):
            wrong = await client.post("/console/login", data={"token": "a guess"}, headers=OURS)
            assert wrong.status_code == 403
            assert (
                "This is not the console&#39;s token." in wrong.text
                or "not the console's token" in wrong.text
            )
        late = await client.post("/console/login", data={"token": TOKEN}, headers=OURS)
        assert late.status_code == 429
        assert late.headers["retry-after"] == "60"


@pytest.mark.parametrize("path", ["/console/login", "/console/logout"])
@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.test"}, {"origin": "null"}])
async def test_a_form_of_another_site_is_refused(path: str, headers: dict[str, str]) -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        answer = await client.post(path, data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "forward",
    ["https://evil.test/", "//evil.test/console/", "/\\evil.test", "/console/\\x", "/console/login", ""],
)
async def test_signing_in_never_leads_elsewhere(forward: str) -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        answer = await client.post("/console/login", data={"token": TOKEN, "next": forward}, headers=OURS)
        assert answer.headers["location"] == "/console/calls"


async def test_without_a_token_the_answer_says_what_to_set() -> None:
    async with browser(Access(PUBLIC)) as client:
        for path in ("/phone", "/console/", "/console/calls", "/console/calls/CA1", "/console/login"):
            answer = await client.get(path)
            assert answer.status_code == 403
            assert "FIVEGATES_CONSOLE_TOKEN" in answer.text


async def test_a_wrong_bearer_is_not_sent_to_the_sign_in_page() -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        wrong = await client.get("/console/calls", headers={"authorization": "Bearer nonsense"})
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        right = await client.get("/console/calls", headers={"authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=1" for _ in range(50))])
async def test_what_is_no_form_is_refused(body: bytes) -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        assert (await client.post("/console/login", content=body, headers=OURS)).status_code == 400


async def test_a_form_larger_than_ours_is_not_read() -> None:
    async with browser(Access(PUBLIC, TOKEN)) as client:
        answer = await client.post("/console/login", content=b"token=" + b"x" * 10_000, headers=OURS)
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("access", "headers"),
    [
        (Access(), {"host": "127.0.0.1:8080"}),
        (Access(), {"host": "127.0.0.1:8080", "origin": "https://evil.test"}),
        (Access(), {"host": "evil.test", "origin": "http://evil.test"}),
        (Access(PUBLIC, TOKEN), {"host": "voice.example.com", **OURS}),
        (Access(PUBLIC, TOKEN), {"host": "voice.example.com", "authorization": f"Bearer {TOKEN}"}),
    ],
)
async def test_the_phones_socket_is_behind_the_same_door(access: Access, headers: dict[str, str]) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/phone/socket", "headers": raw, "client": ("127.0.0.1", 1)}
    await pages(Nothing(), access)(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/phone", "/console/calls", "/console/calls/CA1", "/console/login"])
@pytest.mark.parametrize("access", [Access(), Access(PUBLIC), Access(PUBLIC, TOKEN)])
async def test_every_answer_is_sealed(path: str, access: Access) -> None:
    async with browser(access, LOCAL) as client:
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        )
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


async def test_the_pages_bring_no_script_or_style_of_their_own() -> None:
    async with browser(Access(), LOCAL) as client:
        for path in ("/phone", "/console/calls", "/console/calls/CA1"):
            text = (await client.get(path)).text
            assert "<style" not in text
            assert " style=" not in text
            assert " onclick=" not in text
            assert text.count("<script") == text.count('<script type="module" src="/console/static/')
        script = await client.get("/console/static/phone.js")
        assert script.status_code == 200
        assert "innerHTML" not in script.text
        assert script.headers["cache-control"] == "no-cache"
