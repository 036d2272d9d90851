"""The carrier's HTTP side: signed webhooks with the form fields of real calls, answered with TwiML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from evaluation.twiml import BadTwiml, Instruction, parse

REHEARSAL_HEADER: Final = "X-Fivegates-Rehearsal"
WEBHOOK_TIMEOUT: Final = 15.0
USER_AGENT: Final = "TwilioProxy/1.1"

_COUNTRIES: Final = {"+1": "US", "+44": "GB", "+49": "DE", "+82": "KR"}


class WebhookFailed(Exception):
    """The server did not answer a webhook with TwiML. `status` is the HTTP status, None without an answer."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Account:
    """Whose calls these are; with an `auth_token`, webhooks and handshakes are signed."""

    sid: str = "AC" + "0" * 32
    auth_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Leg:
    """One inbound call, as every webhook names it."""

    account_sid: str
    call_sid: str
    caller: str = field(repr=False)
    called: str = field(repr=False)

    def form(self, status: str) -> dict[str, str]:
        """The fields of every webhook; blank ones are sent, as Twilio does."""
        countries = {"Caller": self.caller, "To": self.called, "Called": self.called, "From": self.caller}
        return {
            "Called": self.called,
            **{f"{name}Country": _country(number) for name, number in countries.items()},
            "Direction": "inbound",
            "CallSid": self.call_sid,
            "To": self.called,
            "From": self.caller,
            "Caller": self.caller,
            "ApiVersion": "2010-04-01",
            "AccountSid": self.account_sid,
            **{f"{name}{part}": "" for part in ("State", "Zip", "City") for name in countries},
            "CallStatus": status,
        }

    def voice_form(self) -> dict[str, str]:
        return self.form("ringing") | {
            "StirVerstat": "TN-Validation-Passed-C",
            "CallToken": "simulated",
        }

    def status_form(self, seconds: float, timestamp: str) -> dict[str, str]:
        """The number's status callback after the call; `Duration` is in begun minutes.

        `timestamp` is an RFC 2822 date.
        """
        return self.form("completed") | {
            "Duration": str(int(seconds // 60) + 1),
            "CallDuration": str(round(seconds)),
            "Timestamp": timestamp,
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "0",
        }


@dataclass(frozen=True, slots=True)
class Answer:
    instructions: tuple[Instruction, ...]
    url: str
    code: int


class Carrier:
    """Speaks to one server. Signatures are over the public address, wherever the connection really goes."""

    def __init__(
        self, http: httpx.AsyncClient, account: Account, *, via: str | None, rehearsal: bool
    ) -> None:
        self._http = http
        self._account = account
        self._via = via
        self._rehearsal = rehearsal

    def signature(self, url: str, form: Mapping[str, str]) -> dict[str, str]:
        """No header without an auth token."""
        if not self._account.auth_token:
            return {}
        validator = RequestValidator(self._account.auth_token)
        return {SIGNATURE_HEADER: validator.compute_signature(url, form)}

    async def ask(self, url: str, form: Mapping[str, str], method: str = "POST") -> Answer:
        """Send a webhook and read the TwiML it is answered with. Raises WebhookFailed."""
        response = await self._send(url, form, method)
        if response.status_code >= 300:
            raise WebhookFailed(f"the webhook answered {response.status_code}", response.status_code)
        try:
            return Answer(parse(response.text, url), url, response.status_code)
        except BadTwiml as error:
            raise WebhookFailed(str(error), response.status_code) from error

    async def tell(self, url: str, form: Mapping[str, str]) -> int:
        """Send a callback whose answer is not read; its HTTP status. Raises WebhookFailed."""
        return (await self._send(url, form, "POST")).status_code

    async def _send(self, url: str, form: Mapping[str, str], method: str) -> httpx.Response:
        by_post = method != "GET"
        public = url if by_post else str(httpx.URL(url).copy_merge_params(dict(form)))
        headers = {
            "Host": urlsplit(public).netloc,
            "User-Agent": USER_AGENT,
            **self.signature(public, form if by_post else {}),
            **({REHEARSAL_HEADER: "1"} if self._rehearsal else {}),
        }
        try:
            return await self._http.request(
                method, reachable(public, self._via), data=dict(form) if by_post else None, headers=headers
            )
        except httpx.HTTPError as error:
            raise WebhookFailed(f"the webhook cannot be reached ({type(error).__name__})") from error


def reachable(public: str, via: str | None) -> str:
    """The address to connect to: the public one, or the same path at `via`, in the same family of schemes."""
    if via is None:
        return public
    there, here = urlsplit(public), urlsplit(via)
    secure = here.scheme in {"https", "wss"}
    websocket = there.scheme in {"ws", "wss"}
    scheme = ("wss" if secure else "ws") if websocket else ("https" if secure else "http")
    return urlunsplit(there._replace(scheme=scheme, netloc=here.netloc))


def _country(number: str) -> str:
    return next((country for prefix, country in _COUNTRIES.items() if number.startswith(prefix)), "")
