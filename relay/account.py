"""The Twilio account: a number pointed at this server and back again, and its alerts explained.

Source: Twilio, "IncomingPhoneNumber resource" and "Alert resource"; error pages 11200 and 64101 to 64114.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import msgspec
from twilio.base.exceptions import TwilioException
from twilio.http.response import Response
from twilio.rest import Client

from handoff.twilio_http import TwilioHttp
from relay.settings import Settings

LIMIT: Final = 10.0  # seconds a request
UNDO: Final = "twilio-connect.json"
MOST_ALERTS: Final = 200
OVERRIDES: Final = {
    "voice_application_sid": "a TwiML application",
    "trunk_sid": "a SIP trunk",
}
"""Where one of these is set, Twilio ignores the number's own voice URL."""

EXPLAINED: Final[Mapping[str, str]] = {
    "11200": "a webhook of ours did not answer: is the server up, and PUBLIC_URL right?",
    "11205": "Twilio could not connect to a webhook of ours: is PUBLIC_URL reachable from the internet?",
    "11210": "the host of PUBLIC_URL cannot be resolved",
    "12100": "TwiML of ours could not be parsed: an address that is not ours may have answered",
    "16021": "a call on this account reached its limit of conferences",
    "64101": "a value of `voice` in the agent file does not fit: provider, voice, language belong together",
    "64102": "Twilio could not open the websocket: a wrong PUBLIC_URL, a proxy without websockets, "
    "or a signature we refused because TWILIO_AUTH_TOKEN is another account's",
    "64103": "a failure at Twilio: the call was taken up again where that was possible",
    "64104": "a call reached Twilio's limit for its length",
    "64105": "our side of the websocket went away: a restart, a crash, or a proxy with an idle timeout",
    "64106": "the media provider does not support a parameter of `voice`: try another provider or model",
    "64107": "Twilio refused a message: something between us and Twilio writes into the websocket",
    "64108": "no audio arrived from the caller's side",
    "64109": "the account's limit of calls at a time is reached: ask Twilio to raise it",
    "64114": "the speech-to-text provider could not be reached: name another `transcription_provider`",
}


class AccountFault(Exception):
    """What to do is in the text; it holds no secret."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting of one number, before and after."""

    number: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Alert:
    at: datetime | None
    code: str
    explained: str
    about: str  # the SID of the call, or blank


class _Before(msgspec.Struct):
    """What a number had before we changed it."""

    number: str
    sid: str
    values: dict[str, str]


class TwilioAccount:
    """Every method raises `AccountFault`."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        if not (settings.account_sid and settings.auth_token):
            raise AccountFault("set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN: the account is asked with them")
        transport = TwilioHttp(http, timeout=LIMIT, base=settings.twilio_api_base)
        self._client = Client(settings.account_sid, settings.auth_token, http_client=transport)
        self._settings = settings

    async def connect(self, numbers: Sequence[str], fallback: str | None = None) -> list[Change]:
        """Point the numbers at `PUBLIC_URL`, and read that back. What they had before is kept for `undo`."""
        if not self._settings.public_url:
            raise AccountFault("set PUBLIC_URL: the address at which Twilio reaches this server")
        if not numbers:
            raise AccountFault("name a number, or write it under `agent.numbers` in the agent file")
        changes: list[Change] = []
        for number in numbers:
            sid, before = await self._look(number)
            for name, what in OVERRIDES.items():
                if before[name]:
                    raise AccountFault(
                        f"{number} belongs to {what} ({before[name]}): remove that in the console"
                    )
            wanted = self._wanted(fallback)
            if before | wanted == before:
                continue
            self._keep(_Before(number, sid, {name: before[name] for name in wanted}))
            changes += await self._set(number, sid, before, wanted)
        return changes

    async def undo(self) -> list[Change]:
        """Everything as it was before the first `connect`."""
        changes: list[Change] = []
        for each in self._kept():
            _, now = await self._look(each.number)
            changes += await self._set(each.number, each.sid, now, each.values)
        (self._settings.data / UNDO).unlink(missing_ok=True)
        return changes

    async def alerts(self, hours: float, now: datetime | None = None) -> list[Alert]:
        """Errors and warnings of the last hours, the newest first."""
        since = (now or datetime.now(UTC)) - timedelta(hours=hours)
        try:
            found = await self._client.monitor.v1.alerts.list_async(start_date=since, limit=MOST_ALERTS)
        except (TwilioException, httpx.HTTPError) as error:
            raise _fault("the alerts", error) from None
        return [
            Alert(
                each.date_generated or each.date_created,
                str(each.error_code or ""),
                EXPLAINED.get(str(each.error_code), "see Twilio's page for this code"),
                str(each.resource_sid or ""),
            )
            for each in found
            if each.log_level in ("error", "warning")
        ]

    def _wanted(self, fallback: str | None) -> dict[str, str]:
        base = self._settings.public_url
        return {
            "voice_url": f"{base}/twilio/voice",
            "voice_method": "POST",
            "status_callback": f"{base}/twilio/status",
            "status_callback_method": "POST",
            "voice_fallback_url": fallback or f"{base}/twilio/fallback",
            "voice_fallback_method": "POST",
        }

    async def _look(self, number: str) -> tuple[str, dict[str, str]]:
        try:
            likely = await self._client.incoming_phone_numbers.list_async(phone_number=number, limit=20)
        except (TwilioException, httpx.HTTPError) as error:
            raise _fault(number, error) from None
        found = [each for each in likely if each.phone_number == number]  # Twilio matches parts as well
        if not found:
            raise AccountFault(f"{number} is not a number of account {self._settings.account_sid}")
        names = (*self._wanted(None), *OVERRIDES)
        return str(found[0].sid), {name: str(getattr(found[0], name) or "") for name in names}

    async def _set(
        self, number: str, sid: str, before: Mapping[str, str], wanted: Mapping[str, str]
    ) -> list[Change]:
        try:
            await self._client.incoming_phone_numbers(sid).update_async(**wanted)
        except (TwilioException, httpx.HTTPError) as error:
            raise _fault(number, error) from None
        _, after = await self._look(number)
        for name, value in wanted.items():
            if after[name] != value:
                raise AccountFault(f"{number}: {name} is {after[name]!r} after it was set to {value!r}")
        return [
            Change(number, name, before[name], after[name]) for name in wanted if before[name] != after[name]
        ]

    def _kept(self) -> list[_Before]:
        path = self._settings.data / UNDO
        if not path.exists():
            raise AccountFault(f"there is nothing to undo: no {UNDO} in {self._settings.data}")
        return msgspec.json.decode(path.read_bytes(), type=list[_Before])

    def _keep(self, before: _Before) -> None:
        """Only the first time: a second `connect` must not make our own address the one to go back to."""
        path: Path = self._settings.data / UNDO
        kept = self._kept() if path.exists() else []
        if all(each.number != before.number for each in kept):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode([*kept, before]))


def _fault(what: str, error: Exception) -> AccountFault:
    page = next((each for each in error.args if isinstance(each, Response)), None)  # of a list
    status = page.status_code if page else getattr(error, "status", None)
    if status == httpx.codes.UNAUTHORIZED:
        return AccountFault("Twilio does not accept TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN together")
    detail = f"HTTP {status}, code {getattr(error, 'code', None)}" if status else type(error).__name__
    return AccountFault(f"{what}: Twilio answered with an error ({detail})")
