"""Follow-ups and missed promises, told to those who own them: a signed webhook in Slack's form, or an e-mail.

Nothing personal goes out: the call's SID and a link. Who may open the link may read the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from typing import Final, Protocol

import httpx
import msgspec

VERSION: Final = "v0"
TIME_LIMIT: Final = 5.0  # seconds
STARTTLS: Final = 587
IMPLICIT_TLS: Final = 465


class NoticeEvent(StrEnum):
    CREATED = "created"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED_SLA = "missed_sla"
    PROHIBITED_HIT = "prohibited_hit"


HEADLINES: Final = {
    NoticeEvent.CREATED: "New follow-up",
    NoticeEvent.DUE: "Follow-up is due",
    NoticeEvent.OVERDUE: "Follow-up is overdue",
    NoticeEvent.MISSED_SLA: "Nobody took a call in time",
    NoticeEvent.PROHIBITED_HIT: "The guard stopped a forbidden answer",
}


class NoticeNotSent(Exception):
    """Try again later, or tell the next owner: nobody was told. Says neither address nor text."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`kind`: of follow-up, or the rule that was hit. `due_at`: seconds since 1970, if there is a time."""

    event: NoticeEvent
    kind: str
    call_sid: str
    agent: str
    owner: str
    due_at: float | None = None
    link: str = field(default="", repr=False)


class Notifies(Protocol):
    async def tell(self, notice: Notice) -> None:
        """Raises `NoticeNotSent`."""


class Mailer(Protocol):
    async def send(self, to: str, subject: str, body: str) -> None:
        """Raises `NoticeNotSent`."""


class Mrkdwn(msgspec.Struct, frozen=True):
    text: str
    type: str = "mrkdwn"


class Block(msgspec.Struct, frozen=True):
    text: Mrkdwn
    type: str = "section"


class SlackMessage(msgspec.Struct, frozen=True):
    """`text` is what a notification shows; `blocks` what the channel shows."""

    text: str
    blocks: tuple[Block, ...]


def slack_body(notice: Notice) -> bytes:
    lines = (f"*{_slack(headline(notice))}*", *(f"{name}: {_slack(value)}" for name, value in _facts(notice)))
    link = f"<{_slack(notice.link)}|Open>" if notice.link else ""
    shown = Mrkdwn("\n".join(filter(None, (*lines, link))))
    return msgspec.json.encode(SlackMessage(_slack(headline(notice)), (Block(shown),)))


def mail_text(notice: Notice) -> str:
    lines = (headline(notice), "", *(f"{name}: {value}" for name, value in _facts(notice)), notice.link)
    return "\n".join(lines).rstrip() + "\n"


def headline(notice: Notice) -> str:
    """One line, whatever the agent file calls its rules."""
    return " ".join(f"{HEADLINES[notice.event]}: {notice.kind.replace('_', ' ')}".split())


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """As Slack signs what it sends: `v0=` and the HMAC-SHA256 of "v0:timestamp:body", in hexadecimal."""
    signed = f"{VERSION}:{timestamp}:".encode() + body
    return f"{VERSION}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Slack's own webhooks ignore the two headers; any other receiver checks them, and how old they are."""

    url: str = field(repr=False)  # Slack's carries its secret
    secret: str = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    clock: Callable[[], float] = field(default=lambda: datetime.now(UTC).timestamp(), repr=False)

    async def tell(self, notice: Notice) -> None:
        """Raises `NoticeNotSent`."""
        body, timestamp = slack_body(notice), int(self.clock())
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Fivegates-Request-Timestamp"] = str(timestamp)
            headers["X-Fivegates-Signature"] = signature(self.secret, timestamp, body)
        try:
            response = await self.http.post(self.url, content=body, headers=headers, timeout=TIME_LIMIT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoticeNotSent(f"the webhook was not reached ({type(error).__name__})") from None
        if not response.is_success:
            raise NoticeNotSent(f"the webhook answered {response.status_code}")


@dataclass(frozen=True, slots=True)
class Mail:
    """Notices to one address."""

    mailer: Mailer
    to: str = field(repr=False)

    async def tell(self, notice: Notice) -> None:
        """Raises `NoticeNotSent`."""
        await self.mailer.send(self.to, f"[{notice.agent}] {headline(notice)}", mail_text(notice))


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """Over TLS where a password is sent: from the start on port 465, else by STARTTLS."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    time_limit: float = TIME_LIMIT

    async def send(self, to: str, subject: str, body: str) -> None:
        """Raises `NoticeNotSent`."""
        try:
            await asyncio.to_thread(self._send, self._message(to, subject, body))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise NoticeNotSent(f"the mail was not sent ({type(error).__name__})") from None

    def _message(self, to: str, subject: str, body: str) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self.sender, to
        message["Subject"] = " ".join(subject.split())
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2] or None)
        message.set_content(body)
        return message

    def _send(self, message: EmailMessage) -> None:
        trusted = ssl.create_default_context()
        if self.port == IMPLICIT_TLS:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.time_limit, context=trusted
            )
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=self.time_limit)
        with connection:
            if self.port != IMPLICIT_TLS and (self.user or self.port == STARTTLS):
                connection.starttls(context=trusted)
            if self.user:
                connection.login(self.user, self.password)
            connection.send_message(message)


def _facts(notice: Notice) -> tuple[tuple[str, str], ...]:
    due = f"{datetime.fromtimestamp(notice.due_at, UTC):%Y-%m-%d %H:%M} UTC" if notice.due_at else ""
    named = (("Agent", notice.agent), ("Owner", notice.owner), ("Due", due), ("Call", notice.call_sid))
    return tuple((name, " ".join(value.split())) for name, value in named if value)


def _slack(text: str) -> str:
    """ "Slack uses &, < and > as control characters": a name must mention nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
