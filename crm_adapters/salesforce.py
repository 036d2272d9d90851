"""Salesforce: contacts and leads by phone, calls as Tasks, written once by an external id.

Source: Salesforce, "REST API Developer Guide" (parameterizedSearch, sObject Rows by External ID, Limits). A
rate limit is a 403 with `REQUEST_LIMIT_EXCEEDED`. A token has no lifetime: a 401 gets a new one, once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from crm_adapters.answers import TIMEOUT, Answer, exchange, looked_up, text, usable
from crm_adapters.phones import e164, national
from crm_adapters.port import Ambiguous, CrmUnavailable, CrmWrite, Found, LookupResult, NobodyFound, WriteKind

STORED: Final[Mapping[str, tuple[str, ...]]] = {
    "Contact": ("Phone", "MobilePhone", "HomePhone", "OtherPhone"),
    "Lead": ("Phone", "MobilePhone"),
}
LONGEST: Final = 32_000  # characters of a Description
PREVIOUS: Final = "previous_call_summary"


@dataclass(frozen=True, slots=True)
class Config:
    """`fields` maps our names to fields of Contact and Lead; `call_key` is an external-id field of Task."""

    login_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    fields: Mapping[str, str]
    api_version: str = "64.0"
    call_key: str = "Call_Key__c"


@dataclass(slots=True)
class Salesforce:
    http: httpx.AsyncClient
    config: Config
    region: str
    name: str = "salesforce"
    _token: str = field(default="", repr=False)
    _instance: str = ""

    async def find(self, phone: str, fields: Collection[str]) -> LookupResult:
        wanted = {name: self.config.fields[name] for name in fields if name in self.config.fields}
        objects = [
            {"name": name, "fields": sorted({"Id", *stored, *wanted.values()}), "limit": 5}
            for name, stored in STORED.items()
        ]
        body = {"q": national(phone), "in": "PHONE", "sobjects": objects, "overallLimit": 10}
        answer = await self._ask("POST", "/parameterizedSearch", body)
        records = _records(looked_up(answer, rate_limited=_limited(answer)).json())
        theirs = {str(record["Id"]): record for record in records if self._is(record, phone)}
        if not theirs:
            return NobodyFound()
        if len(theirs) > 1:
            return Ambiguous(len(theirs))
        ((contact_id, record),) = theirs.items()
        values = {name: text(_at(record, path)) for name, path in wanted.items()}
        return Found(
            contact_id, {name: value for name, value in values.items() if value}, bool(values.get(PREVIOUS))
        )

    async def write(self, what: CrmWrite) -> str:
        path = f"/sobjects/Task/{self.config.call_key}/{quote(what.key, safe='')}"
        answer = await self._ask("PATCH", path, self._task(what))
        usable(answer, rate_limited=_limited(answer) or "UNABLE_TO_LOCK_ROW" in _codes(answer))
        if answer.status == 204:  # older versions answer an update with nothing
            return what.key
        match answer.json():
            case {"id": str(record_id)}:
                return record_id
            case _:
                raise CrmUnavailable("the answer names no record")

    async def read_back(self, what: CrmWrite, record_id: str) -> bool | None:
        path = f"/sobjects/Task/{self.config.call_key}/{quote(what.key, safe='')}?fields=Subject,Description"
        answer = await self._ask("GET", path)
        if answer.status == 404:
            return False
        match looked_up(answer, rate_limited=_limited(answer)).json():
            case {"Subject": subject, "Description": description}:
                wanted = self._task(what)
                return bool((subject, description) == (wanted["Subject"], wanted["Description"]))
            case _:
                return None

    def _is(self, record: Mapping[str, Any], phone: str) -> bool:
        """The search matches digits anywhere; what somebody typed has to be the same number."""
        return any(
            e164(text(record.get(name)), self.region) == phone
            for stored in STORED.values()
            for name in stored
        )

    def _task(self, what: CrmWrite) -> dict[str, str]:
        subject = {
            WriteKind.OUTCOME: "AI call",
            WriteKind.FOLLOW_UP: "AI call: follow-up",
            WriteKind.CONSENT: "AI call: consent",
            WriteKind.OPT_OUT: "AI call: opt-out",
        }[what.kind]
        task = {
            "Subject": subject,
            "Status": "Not Started" if what.kind is WriteKind.FOLLOW_UP else "Completed",
            "Priority": "Normal",
            "TaskSubtype": "Call",
            "ActivityDate": datetime.fromtimestamp(what.at, UTC).date().isoformat(),
            "Description": "\n".join(f"{name}: {value}" for name, value in sorted(what.facts.items()))[
                :LONGEST
            ],
            "CallObject": what.call_sid,
        }
        return {**task, "WhoId": what.contact_id} if what.contact_id else task

    async def _ask(self, method: str, path: str, body: object = None) -> Answer:
        """One request; a token that has run out is renewed once."""
        if not self._token:
            await self._log_in()
        answer = await self._send(method, path, body)
        if answer.status == 401:
            await self._log_in()
            answer = await self._send(method, path, body)
        return answer

    async def _send(self, method: str, path: str, body: object) -> Answer:
        request = self.http.build_request(
            method,
            f"{self._instance}/services/data/v{self.config.api_version}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=TIMEOUT,
        )
        return await exchange(self.http, request)

    async def _log_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.config.client_id,
            "client_secret": self.config.client_secret,
        }
        url = f"{self.config.login_url.rstrip('/')}/services/oauth2/token"
        request = self.http.build_request("POST", url, data=form, timeout=TIMEOUT)
        match looked_up(await exchange(self.http, request)).json():
            case {"access_token": str(token), "instance_url": str(instance)}:
                self._token, self._instance = token, instance.rstrip("/")
            case _:
                raise CrmUnavailable("the answer is not Salesforce's")


def connect(config: Config, http: httpx.AsyncClient, region: str) -> Salesforce:
    return Salesforce(http, config, region)


def _codes(answer: Answer) -> set[str]:
    """The `errorCode`s of an answer that is not 2xx: errors are a list."""
    if 200 <= answer.status < 300:
        return set()
    try:
        found = answer.json()
    except CrmUnavailable:
        return set()
    errors = found if isinstance(found, list) else []
    return {str(error["errorCode"]) for error in errors if isinstance(error, dict) and "errorCode" in error}


def _limited(answer: Answer) -> bool:
    return "REQUEST_LIMIT_EXCEEDED" in _codes(answer)


def _records(found: object) -> list[dict[str, Any]]:
    match found:
        case {"searchRecords": list(records)} if all(isinstance(r, dict) and "Id" in r for r in records):
            return records
        case _:
            raise CrmUnavailable("the answer is not Salesforce's")


def _at(record: Mapping[str, Any], path: str) -> object:
    """`Owner.Name` is a field of a record inside the record."""
    value: object = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
