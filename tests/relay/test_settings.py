"""The environment: read once, every fault by name, no secret in any text."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.settings import SettingsInvalid, load, local_key

PUBLIC = {"PUBLIC_URL": "https://voice.example.com/", "TWILIO_AUTH_TOKEN": "t0ken"}


def faults(**env: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(env)
    return caught.value.faults


def test_nothing_is_required() -> None:
    settings = load({})
    assert settings.public_url is None
    assert (settings.data, settings.max_calls, settings.drain_seconds) == (Path("data"), 500, 30.0)


def test_blank_is_unset() -> None:
    assert load({"PUBLIC_URL": " ", "REDIS_URL": ""}) == load({})


def test_a_public_server() -> None:
    settings = load({**PUBLIC, "TWILIO_SHARED_KEYS": "a=1, b=2", "FIVEGATES_DRAIN_SECONDS": "0"})
    assert settings.public_url == "https://voice.example.com"
    assert settings.shared_keys == {"a": "1", "b": "2"}
    assert settings.drain_seconds == 0.0


def test_public_url_and_auth_token_are_both_set_or_both_unset() -> None:
    assert "TWILIO_AUTH_TOKEN" in faults(PUBLIC_URL="https://voice.example.com")[0]
    assert "PUBLIC_URL" in faults(TWILIO_AUTH_TOKEN="t0ken")[0]


def test_every_fault_is_told_at_once_and_no_secret_is_quoted() -> None:
    found = faults(
        PUBLIC_URL="http://voice.example.com",
        TWILIO_ACCOUNT_SID="CA1",
        TWILIO_AUTH_TOKEN="t0ken",
        TWILIO_SHARED_KEYS="hush",
        FIVEGATES_CONSOLE_TOKEN="hush-hush",
        FIVEGATES_MAX_CALLS="many",
        FIVEGATES_DRAIN_SECONDS="soon",
        OPENAI_BASE_URL="localhost:8000",
    )
    names = [fault.split()[0] for fault in found]
    assert names == [
        "PUBLIC_URL",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_SHARED_KEYS",
        "OPENAI_BASE_URL",
        "FIVEGATES_CONSOLE_TOKEN",
        "FIVEGATES_MAX_CALLS",
        "FIVEGATES_DRAIN_SECONDS",
    ]
    assert "hush" not in " ".join(found)
    assert "t0ken" not in " ".join(found)


@pytest.mark.parametrize("url", ["https://", "https://u:p@h", "https://h/?q=1", "wss://h", "h"])
def test_a_public_url_is_a_plain_https_address(url: str) -> None:
    assert faults(PUBLIC_URL=url, TWILIO_AUTH_TOKEN="t0ken")[0].startswith("PUBLIC_URL must be")


def test_studio_calls_need_the_account_to_be_known() -> None:
    assert "TWILIO_ACCOUNT_SID" in faults(**PUBLIC, FIVEGATES_STUDIO_SECRET="x" * 16)[0]


def test_the_flows_that_may_send_us_calls_are_named_by_their_sids() -> None:
    first, second = "FW" + "0a" * 16, "FW" + "1B" * 16
    assert load({"FIVEGATES_STUDIO_FLOWS": f"{first}, {second}"}).studio_flows == {first, second}
    assert load({}).studio_flows == frozenset()


@pytest.mark.parametrize("flows", ["FW1", "WW" + "0" * 32, "FW" + "0" * 32 + ",", "FW" + "z" * 32])
def test_what_is_no_flow_sid_is_a_fault(flows: str) -> None:
    assert faults(FIVEGATES_STUDIO_FLOWS=flows)[0].startswith("FIVEGATES_STUDIO_FLOWS must be flow SIDs")


def test_settings_show_no_secret() -> None:
    settings = load({**PUBLIC, "OPENAI_API_KEY": "sk-1", "REDIS_URL": "redis://:pw@h"})
    for secret in ("t0ken", "sk-1", "pw@"):
        assert secret not in repr(settings)


def test_the_local_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = local_key(data)
    assert len(key) == 32
    assert local_key(data) == key
    assert (data / "key").stat().st_mode & 0o777 == 0o600
