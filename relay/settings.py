"""The environment, read once: everything wrong or missing is said at once, by name, before the port opens."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from policies.this_machine import loopback
from relay import redis_address

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
FLOW_SID = re.compile("FW[0-9a-fA-F]{32}")

Value = TypeVar("Value")
Default = TypeVar("Default")


class SettingsInvalid(Exception):
    """Mend the environment. `faults` are sentences, one a fault; secrets are never quoted."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    public_url: str | None = None  # https://host[/prefix], without a trailing slash
    account_sid: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    studio_secret: str | None = field(default=None, repr=False)
    studio_flows: frozenset[str] = frozenset()  # flows that may send us calls, beside the agent files' own
    openai_api_key: str = field(default="", repr=False)
    openai_base_url: str = OPENAI
    anthropic_api_key: str = field(default="", repr=False)
    anthropic_base_url: str = ANTHROPIC
    redis_url: str | None = field(default=None, repr=False)
    data: Path = Path("data")
    agent: Path | None = None
    console_token: str | None = field(default=None, repr=False)
    api_token: str | None = field(default=None, repr=False)
    twilio_api_base: str | None = None  # another host for Twilio's REST API: for tests and private proxies
    max_calls: int = 500
    drain_seconds: float = 30.0

    @property
    def public(self) -> bool:
        return self.public_url is not None


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings; unset and blank are the same. Raises `SettingsInvalid` with every fault."""
    reader = _Reader({name: value.strip() for name, value in env.items() if value.strip()})
    settings = Settings(
        public_url=reader.get("PUBLIC_URL", _public_url, None),
        account_sid=reader.get("TWILIO_ACCOUNT_SID", _account_sid, None),
        auth_token=reader.get("TWILIO_AUTH_TOKEN", str, None),
        shared_keys=reader.get("TWILIO_SHARED_KEYS", _pairs, {}),
        studio_secret=reader.get("FIVEGATES_STUDIO_SECRET", _secret, None),
        studio_flows=reader.get("FIVEGATES_STUDIO_FLOWS", _flow_sids, frozenset()),
        openai_api_key=reader.get("OPENAI_API_KEY", str, ""),
        openai_base_url=reader.get("OPENAI_BASE_URL", _address, OPENAI),
        anthropic_api_key=reader.get("ANTHROPIC_API_KEY", str, ""),
        anthropic_base_url=reader.get("ANTHROPIC_BASE_URL", _address, ANTHROPIC),
        redis_url=reader.get("REDIS_URL", _redis_url, None),
        data=reader.get("FIVEGATES_DATA", Path, Path("data")),
        agent=reader.get("FIVEGATES_AGENT", Path, None),
        console_token=reader.get("FIVEGATES_CONSOLE_TOKEN", _secret, None),
        api_token=reader.get("FIVEGATES_API_TOKEN", _secret, None),
        twilio_api_base=reader.get("TWILIO_API_BASE", _address, None),
        max_calls=reader.get("FIVEGATES_MAX_CALLS", _count, 500),
        drain_seconds=reader.get("FIVEGATES_DRAIN_SECONDS", _seconds, 30.0),
    )
    faults = [*reader.faults, *_together(settings, reader.env)]
    if faults:
        raise SettingsInvalid(faults)
    return settings


def data_fault(data: Path) -> str | None:
    """Why nothing can be kept in FIVEGATES_DATA; None when it can. Makes the folder."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            return None
    except OSError as error:
        return f"FIVEGATES_DATA={data}: cannot be written to ({error.strerror})"


def local_key(data: Path) -> bytes:
    """The secret of this machine, made once with mode 0600, for a server that has no other."""
    path = data / "key"
    data.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), open(path, "xb", opener=_private) as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _together(settings: Settings, env: Mapping[str, str]) -> Iterator[str]:
    if "PUBLIC_URL" in env and "TWILIO_AUTH_TOKEN" not in env:
        yield "PUBLIC_URL is set without TWILIO_AUTH_TOKEN: set both, or neither to stay on this machine"
    if "TWILIO_AUTH_TOKEN" in env and "PUBLIC_URL" not in env:
        yield "TWILIO_AUTH_TOKEN is set without PUBLIC_URL: signatures are checked against PUBLIC_URL"
    if settings.shared_keys and not settings.auth_token:
        yield "TWILIO_SHARED_KEYS needs TWILIO_AUTH_TOKEN and PUBLIC_URL"
    if settings.studio_secret and not settings.account_sid:
        yield "FIVEGATES_STUDIO_SECRET needs TWILIO_ACCOUNT_SID: nothing else tells whose call it is"


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.faults: list[str] = []

    def get(self, name: str, parse: Callable[[str], Value], default: Default) -> Value | Default:
        if name not in self.env:
            return default
        try:
            return parse(self.env[name])
        except ValueError as error:
            self.faults.append(f"{name} {error}")
            return default


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    local = loopback(parts.hostname or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ValueError("must begin with https:// (Twilio opens a wss:// socket on the same address)")
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address such as https://voice.example.com, without user, query or #")
    return text.rstrip("/")


def _account_sid(text: str) -> str:
    if not (text.startswith("AC") and len(text) == 34 and text.isalnum()):
        raise ValueError("must be an account SID: AC and 32 letters or digits")
    return text


def _flow_sids(text: str) -> frozenset[str]:
    sids = frozenset(part.strip() for part in text.split(","))
    if not all(FLOW_SID.fullmatch(sid) for sid in sids):
        raise ValueError("must be flow SIDs (FW and 32 hexadecimal digits) with commas between them")
    return sids


def _pairs(text: str) -> dict[str, str]:
    pairs = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if not all(name and secret for name, secret in pairs.items()):
        raise ValueError("must be id=secret pairs with commas between them")
    return pairs


def _secret(text: str) -> str:
    if len(text) < 16:
        raise ValueError("must have at least 16 characters")
    return text


def _address(text: str) -> str:
    if urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname:
        raise ValueError("must be an http or https address")
    return text.rstrip("/")


def _redis_url(text: str) -> str:
    try:
        redis_address.parse(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("REDIS_URL: ")) from None
    return text


def _count(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise ValueError("must be a whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("must be a number of seconds") from None
    if not 0 <= seconds <= 14_400:
        raise ValueError("must be from 0 to 14400 seconds")
    return seconds
