"""Whoever owns a follow-up is told of it, in words that name nobody."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.policy import default

import httpx
import pytest

from handoff.notices import (
    HEADLINES,
    Mail,
    Notice,
    NoticeEvent,
    NoticeNotSent,
    SmtpMailer,
    Webhook,
    headline,
    mail_text,
    signature,
    slack_body,
)

NOTICE = Notice(
    NoticeEvent.OVERDUE,
    "missed_sla",
    "CA1",
    "acme-sales",
    "sales",
    1_795_820_400.0,
    "https://x.example/brief/a.1.b",
)
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
URL = "https://hooks.example/services/T0/B0/very-secret"


def test_slack_shows_what_it_is_and_where_to_look() -> None:
    assert json.loads(slack_body(NOTICE)) == {
        "text": "Follow-up is overdue: missed sla",
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "*Follow-up is overdue: missed sla*\nAgent: acme-sales\nOwner: sales\n"
                    "Due: 2026-11-27 23:00 UTC\nCall: CA1\n<https://x.example/brief/a.1.b|Open>",
                },
            }
        ],
    }


def test_what_is_not_known_is_left_out() -> None:
    shown = json.loads(slack_body(replace(NOTICE, owner="", due_at=None, link="")))["blocks"][0]["text"][
        "text"
    ]
    assert shown == "*Follow-up is overdue: missed sla*\nAgent: acme-sales\nCall: CA1"


def test_a_name_calls_nobody_to_the_channel_and_begins_no_line() -> None:
    shown = json.loads(slack_body(replace(NOTICE, owner="<!channel>\nCall: CA9", kind="a&b")))
    assert "<!channel>" not in json.dumps(shown)
    assert "Owner: &lt;!channel&gt; Call: CA9" in shown["blocks"][0]["text"]["text"]
    assert shown["text"] == "Follow-up is overdue: a&amp;b"


@pytest.mark.parametrize("event", NoticeEvent)
def test_every_event_has_its_own_headline(event: NoticeEvent) -> None:
    assert headline(replace(NOTICE, event=event)).startswith(HEADLINES[event])
    assert len(set(HEADLINES.values())) == len(NoticeEvent)


def test_the_signature_is_that_of_slacks_own_example() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = signature(SECRET, 1531420618, body)
    assert signed == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


Answers = Callable[[httpx.Request], httpx.Response]


async def told(answers: Answers, secret: str = SECRET) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answers)) as http:
        await Webhook(URL, secret, http, clock=lambda: 1000.9).tell(NOTICE)


async def test_the_webhook_sends_what_it_signed() -> None:
    seen: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text="ok")

    await told(answers)
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", URL)
    assert request.content == slack_body(NOTICE)
    assert request.headers["content-type"] == "application/json"
    stamp = request.headers["x-fivegates-request-timestamp"]
    tag = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + request.content, hashlib.sha256).hexdigest()
    assert (stamp, request.headers["x-fivegates-signature"]) == ("1000", f"v0={tag}")
    await told(answers, secret="")
    assert "x-fivegates-signature" not in seen[1].headers


@pytest.mark.parametrize("status", [301, 400, 403, 404, 429, 500])
async def test_a_refusal_is_not_taken_for_told(status: int) -> None:
    with pytest.raises(NoticeNotSent, match=f"answered {status}"):
        await told(lambda _: httpx.Response(status, text=URL))


async def test_a_webhook_that_is_not_reached_says_nothing_of_its_address() -> None:
    def answers(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout(URL)

    with pytest.raises(NoticeNotSent) as raised:
        await told(answers)
    assert "very-secret" not in f"{raised.value!r}"
    async with httpx.AsyncClient() as http:
        assert "very-secret" not in repr(Webhook(URL, SECRET, http))
        assert SECRET not in repr(Webhook(URL, SECRET, http))


@dataclass
class Post:
    """A server that speaks just enough SMTP, and keeps what it was sent."""

    refuses: str = ""
    port: int = 0
    commands: list[str] = field(default_factory=list)
    mail: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().strip():
            self.commands.append(line)
            word = line.partition(" ")[0].upper()
            if word == self.refuses:
                writer.write(b"550 no\r\n")
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                self.mail = await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 kept\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 fine\r\n")
            await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def post(refuses: str = "") -> AsyncIterator[Post]:
    there = Post(refuses)
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    async with server:
        there.port = server.sockets[0].getsockname()[1]
        yield there


async def test_a_mail_arrives_with_its_subject_and_words() -> None:
    async with post() as there:
        mailer = SmtpMailer("127.0.0.1", there.port, "", "", "gates@acme.example")
        await Mail(mailer, "owner@acme.example").tell(
            replace(NOTICE, kind="missed_sla\r\nBcc: eve@x.example")
        )
    mail = message_from_bytes(there.mail, policy=default)
    assert (mail["From"], mail["To"]) == ("gates@acme.example", "owner@acme.example")
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[acme-sales] Follow-up is overdue: missed sla Bcc: eve@x.example"
    assert mail["Message-ID"].endswith("@acme.example>")
    assert "https://x.example/brief/a.1.b" in mail.as_string()
    recipients = [line for line in there.commands if line.startswith("rcpt")]
    assert len(recipients) == 1
    assert "owner@acme.example" in recipients[0]


@pytest.mark.parametrize("refuses", ["MAIL", "RCPT", "DATA"])
async def test_a_mail_that_is_refused_was_not_sent(refuses: str) -> None:
    async with post(refuses) as there:
        mailer = SmtpMailer("127.0.0.1", there.port, "", "", "gates@acme.example")
        with pytest.raises(NoticeNotSent) as raised:
            await mailer.send("owner@acme.example", "Subject", "Body")
    assert "owner@acme.example" not in f"{raised.value!r}"


async def test_a_password_is_never_sent_in_the_clear() -> None:
    async with post() as there:
        mailer = SmtpMailer("127.0.0.1", there.port, "gates", "hunter2", "gates@acme.example")
        with pytest.raises(NoticeNotSent):
            await mailer.send("owner@acme.example", "Subject", "Body")
    assert not any(line.upper().startswith("AUTH") for line in there.commands)
    assert there.mail == b""
    assert "hunter2" not in repr(mailer)


@pytest.mark.parametrize("to", ["", "two@x.example\nBcc: eve@x.example", "no address"])
async def test_an_address_that_is_none_is_not_written_to(to: str) -> None:
    async with post(refuses="RCPT") as there:
        mailer = SmtpMailer("127.0.0.1", there.port, "", "", "gates@acme.example")
        with pytest.raises(NoticeNotSent):
            await mailer.send(to, "Subject", "Body")
    assert there.mail == b""


async def test_a_server_that_is_not_there_is_told_by_name() -> None:
    async with post() as there:
        pass
    with pytest.raises(NoticeNotSent, match="ConnectionRefused"):
        await SmtpMailer("127.0.0.1", there.port, "", "", "g@acme.example").send("o@acme.example", "S", "B")


def test_a_mail_says_the_same_as_the_channel() -> None:
    assert mail_text(NOTICE) == (
        "Follow-up is overdue: missed sla\n\nAgent: acme-sales\nOwner: sales\nDue: 2026-11-27 23:00 UTC\n"
        "Call: CA1\nhttps://x.example/brief/a.1.b\n"
    )
