"""A number is pointed at this server and back again, and what Twilio has to say is explained."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from relay.account import AccountFault, TwilioAccount
from relay.settings import Settings
from tests.relay.running import ACCOUNT, public

NUMBER = "+15550100001"
SID = "PN" + "1" * 32
OURS = "https://voice.example.com"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class Twilio:
    """The part of Twilio's REST API that holds numbers and alerts; unknown parameters are refused."""

    number: dict[str, str] = field(
        default_factory=lambda: {
            "sid": SID,
            "phone_number": NUMBER,
            "voice_url": "https://old.example/voice",
            "voice_method": "GET",
            "status_callback": "",
            "status_callback_method": "POST",
            "voice_fallback_url": "",
            "voice_fallback_method": "POST",
            "voice_application_sid": "",
            "trunk_sid": "",
        }
    )
    status: int = 200
    forgets: str = ""  # a setting that is accepted and not kept

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status != 200:
            return httpx.Response(self.status, json={"code": 20003, "message": "no", "status": self.status})
        if "/Alerts" in request.url.path:
            alert = {"error_code": "64102", "log_level": "error", "resource_sid": "CA1"}
            alert["date_generated"] = "2026-11-27T11:00:00Z"
            quiet = {"error_code": "1", "log_level": "debug"}
            return httpx.Response(200, json={"alerts": [alert, quiet], "meta": {"key": "alerts"}})
        if request.method == "POST":
            assert request.url.path.endswith(f"/IncomingPhoneNumbers/{SID}.json")
            for name, (value,) in parse_qs(request.content.decode(), keep_blank_values=True).items():
                own = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
                assert own in self.number
                if own != self.forgets:
                    self.number[own] = value
            return httpx.Response(200, json=self.number)
        asked = request.url.params["PhoneNumber"]
        found = [self.number] if asked in self.number["phone_number"] else []
        return httpx.Response(200, json={"incoming_phone_numbers": found})


def account(data: Path, twilio: Twilio, **more: object) -> TwilioAccount:
    http = httpx.AsyncClient(transport=httpx.MockTransport(twilio))
    return TwilioAccount(public(data, **more), http)


async def test_a_number_is_pointed_here_checked_and_put_back(tmp_path: Path) -> None:
    twilio = Twilio()
    before = dict(twilio.number)
    connected = await account(tmp_path, twilio).connect([NUMBER])
    assert twilio.number["voice_url"] == f"{OURS}/twilio/voice"
    assert twilio.number["status_callback"] == f"{OURS}/twilio/status"
    assert twilio.number["voice_fallback_url"] == f"{OURS}/twilio/fallback"
    assert ("voice_url", "https://old.example/voice") in [(each.name, each.before) for each in connected]
    assert await account(tmp_path, twilio).connect([NUMBER]) == []
    await account(tmp_path, twilio).connect([NUMBER], fallback="https://else.example/")
    undone = await account(tmp_path, twilio).undo()
    assert twilio.number == before
    assert {each.name for each in undone} == {each.name for each in connected}
    with pytest.raises(AccountFault, match="nothing to undo"):
        await account(tmp_path, twilio).undo()


@pytest.mark.parametrize("name", ["voice_application_sid", "trunk_sid"])
async def test_a_number_that_something_else_answers_is_left_alone(tmp_path: Path, name: str) -> None:
    twilio = Twilio()
    twilio.number[name] = "AP1"
    with pytest.raises(AccountFault, match="AP1"):
        await account(tmp_path, twilio).connect([NUMBER])
    assert twilio.number["voice_url"] == "https://old.example/voice"


async def test_what_twilio_did_not_keep_is_told(tmp_path: Path) -> None:
    with pytest.raises(AccountFault, match="status_callback is ''"):
        await account(tmp_path, Twilio(forgets="status_callback")).connect([NUMBER])


async def test_faults_name_the_mend_and_no_secret(tmp_path: Path) -> None:
    with pytest.raises(AccountFault, match=f"is not a number of account {ACCOUNT}"):
        await account(tmp_path, Twilio()).connect(["+15550100009"])
    with pytest.raises(AccountFault, match="does not accept TWILIO_ACCOUNT_SID"):
        await account(tmp_path, Twilio(status=401)).connect([NUMBER])
    with pytest.raises(AccountFault, match="HTTP 500"):
        await account(tmp_path, Twilio(status=500)).alerts(1)
    with pytest.raises(AccountFault, match=r"agent\.numbers"):
        await account(tmp_path, Twilio()).connect([])
    with pytest.raises(AccountFault, match="set TWILIO_ACCOUNT_SID"):
        TwilioAccount(Settings(), httpx.AsyncClient())


async def test_alerts_are_explained_and_chatter_is_left_out(tmp_path: Path) -> None:
    (alert,) = await account(tmp_path, Twilio()).alerts(24, NOW)
    assert (alert.code, alert.about) == ("64102", "CA1")
    assert "websocket" in alert.explained
