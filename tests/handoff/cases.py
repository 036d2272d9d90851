"""One case to hand over, and TwiML read as XML."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import httpx

from handoff.attempt import Attempt
from handoff.port import Case, Urls
from handoff.twilio_rest import TwilioRest
from policies.agent_values import Section
from policies.vocabulary import EscalationReason
from tests.twilio_api import ACCOUNT, TOKEN, TwilioApi

Kind = TypeVar("Kind", bound=Section)

CALL = "CA" + "c" * 32
REF = "ref.signed-1"
OURS, CALLER, PERSON = "+15550100001", "+15550100002", "+15550100003"
URLS = Urls("https://voice.example.com")

CASE = Case(
    call_sid=CALL,
    account_sid=ACCOUNT,
    ref=REF,
    reason=EscalationReason.EXPLICIT_REQUEST,
    intent="cancel_contract",
    tier="vip",
    language="en-US",
    next_step="Check the notice period.",
    caller=CALLER,
    ours=OURS,
    brief="A caller wants to cancel and asks for the notice period.",
    brief_url="https://voice.example.com/brief/ref.signed-1",
    attributes={"campaign": "web"},
)
KOREAN_CASE = replace(CASE, language="ko-KR", brief="고객님께서 해지를 원하십니다.")


def xml(twiml: str) -> ET.Element:
    root = ET.fromstring(twiml)
    assert root.tag == "Response"
    return root


def verbs(twiml: str) -> list[str]:
    return [child.tag for child in xml(twiml)]


def only(twiml: str, path: str) -> ET.Element:
    found = xml(twiml).findall(path)
    assert len(found) == 1, twiml
    return found[0]


def asks(url: str | None) -> tuple[str, Mapping[str, str]]:
    """Path and query of one of our addresses."""
    parts = urlsplit(url or "")
    assert f"{parts.scheme}://{parts.netloc}" == URLS.base
    return parts.path, dict(parse_qsl(parts.query))


def made(kind: type[Kind], **keys: object) -> Kind:
    """A part of an agent file, as the file has it."""
    return kind.model_validate(keys)


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Kept:
    """Attempts in memory, refused over a newer one; `rivals` write first, once each."""

    def __init__(self) -> None:
        self.attempts: dict[str, bytes] = {}
        self.writes = 0

    async def load(self, ref: str) -> Attempt | None:
        found = self.attempts.get(ref)
        return None if found is None else Attempt.decode(found)

    async def save(self, before: Attempt | None, after: Attempt) -> bool:
        now = self.attempts.get(after.ref)
        if now != (None if before is None else before.encode()):
            return False
        self.attempts[after.ref] = after.encode()
        self.writes += 1
        return True


@asynccontextmanager
async def rest_of(api: TwilioApi, *, limit: float = 5.0, token: str = TOKEN) -> AsyncIterator[TwilioRest]:
    async with httpx.AsyncClient() as http:
        yield TwilioRest(ACCOUNT, token, http, base=api.url, timeout=limit)
