"""HubSpot: contacts by their searchable numbers, calls written once by a unique property.

Source: HubSpot, "CRM search" and "Calls" (developers.hubspot.com/docs/api/crm). Search has no idempotency and
lags writes by seconds, so our own write is read by its key, never searched for.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from crm_adapters.answers import TIMEOUT, Answer, exchange, looked_up, text, usable
from crm_adapters.phones import e164, national
from crm_adapters.port import (
    Ambiguous,
    CrmRefused,
    CrmUnavailable,
    CrmWrite,
    Found,
    LookupResult,
    NobodyFound,
    WriteKind,
)

SEARCHED: Final = (  # numbers without country code, then as somebody typed them
    ("hs_searchable_calculated_phone_number", False),
    ("hs_searchable_calculated_mobile_number", False),
    ("phone", True),
    ("mobilephone", True),
)
STORED: Final = ("phone", "mobilephone")
CALL_TO_CONTACT: Final = 194
PREVIOUS: Final = "previous_call_summary"


@dataclass(frozen=True, slots=True)
class Config:
    """`fields` maps our names to contact properties; `call_key` is a unique property of calls."""

    token: str = field(repr=False)
    fields: Mapping[str, str]
    base_url: str = "https://api.hubapi.com"
    call_key: str = "fivegates_call_key"
    consent_property: str = ""
    opt_out_property: str = ""


@dataclass(frozen=True, slots=True)
class HubSpot:
    http: httpx.AsyncClient
    config: Config
    region: str
    name: str = "hubspot"

    async def find(self, phone: str, fields: Collection[str]) -> LookupResult:
        wanted = {name: self.config.fields[name] for name in fields if name in self.config.fields}
        digits = national(phone)
        groups = [
            {"filters": [{"propertyName": name, "operator": "EQ", "value": phone if typed else digits}]}
            for name, typed in SEARCHED
        ]
        body = {
            "filterGroups": groups,
            "properties": sorted({*wanted.values(), *STORED}),
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}],
            "limit": 5,
        }
        answer = looked_up(await self._ask("POST", "/crm/v3/objects/contacts/search", body))
        contacts = _contacts(answer.json())
        theirs = {
            str(contact["id"]): contact["properties"]
            for contact in contacts
            if any(e164(text(contact["properties"].get(name)), self.region) == phone for name in STORED)
        }
        if not theirs:
            return NobodyFound()
        if len(theirs) > 1:
            return Ambiguous(len(theirs))
        ((contact_id, properties),) = theirs.items()
        values = {name: text(properties.get(prop)) for name, prop in wanted.items()}
        return Found(
            contact_id, {name: value for name, value in values.items() if value}, bool(values.get(PREVIOUS))
        )

    async def write(self, what: CrmWrite) -> str:
        if what.kind in (WriteKind.CONSENT, WriteKind.OPT_OUT):
            return await self._write_property(what)
        properties = {**self._call(what), self.config.call_key: what.key}
        entry: dict[str, Any] = {"id": what.key, "idProperty": self.config.call_key, "properties": properties}
        body = {"inputs": [entry]}
        answer = usable(await self._ask("POST", "/crm/v3/objects/calls/batch/upsert", body))
        record_id = _first_id(answer.json())
        if what.contact_id:
            path = f"/crm/v4/objects/calls/{record_id}/associations/contacts/{what.contact_id}"
            kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": CALL_TO_CONTACT}
            usable(await self._ask("PUT", path, [kind]))
        return record_id

    async def read_back(self, what: CrmWrite, record_id: str) -> bool | None:
        if what.kind in (WriteKind.CONSENT, WriteKind.OPT_OUT):
            name, value = self._property(what)
            answer = await self._ask("GET", f"/crm/v3/objects/contacts/{record_id}?properties={name}")
            return None if answer.status == 404 else _properties(looked_up(answer)).get(name) == value
        wanted = self._call(what)
        names = ",".join(sorted(wanted))
        answer = await self._ask("GET", f"/crm/v3/objects/calls/{record_id}?properties={names}")
        if answer.status == 404:
            return False
        found = _properties(looked_up(answer))
        return all(found.get(name) == wanted[name] for name in ("hs_call_title", "hs_call_body"))

    async def _write_property(self, what: CrmWrite) -> str:
        name, value = self._property(what)
        if not what.contact_id:
            raise CrmRefused("the caller is no contact there")
        path = f"/crm/v3/objects/contacts/{what.contact_id}"
        usable(await self._ask("PATCH", path, {"properties": {name: value}}))
        return what.contact_id

    def _property(self, what: CrmWrite) -> tuple[str, str]:
        """Where consent and opt-out are kept; both are custom. Raises `CrmRefused`."""
        consent = what.kind is WriteKind.CONSENT
        name = self.config.consent_property if consent else self.config.opt_out_property
        if not name:
            raise CrmRefused(f"context.crm.{what.kind}_property is not set")
        return name, what.facts.get("value", "true")

    def _call(self, what: CrmWrite) -> dict[str, str]:
        """A call record. `hs_call_body` is HTML, so what somebody said is escaped."""
        facts = "".join(
            f"<p>{html.escape(name)}: {html.escape(value)}</p>" for name, value in sorted(what.facts.items())
        )
        title = "AI call" if what.kind is WriteKind.OUTCOME else "AI call: follow-up"
        return {
            "hs_timestamp": datetime.fromtimestamp(what.at, UTC).isoformat(),
            "hs_call_title": title,
            "hs_call_body": facts,
            "hs_call_direction": "INBOUND",
            "hs_call_from_number": what.phone,
            "hs_call_status": "COMPLETED",
        }

    async def _ask(self, method: str, path: str, body: object = None) -> Answer:
        request = self.http.build_request(
            method,
            f"{self.config.base_url.rstrip('/')}{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.config.token}"},
            timeout=TIMEOUT,
        )
        return await exchange(self.http, request)


def connect(config: Config, http: httpx.AsyncClient, region: str) -> HubSpot:
    return HubSpot(http, config, region)


def _contacts(found: object) -> list[dict[str, Any]]:
    match found:
        case {"results": list(results)} if all(_is_contact(each) for each in results):
            return results
        case _:
            raise CrmUnavailable("the answer is not HubSpot's")


def _is_contact(each: object) -> bool:
    return isinstance(each, dict) and "id" in each and isinstance(each.get("properties"), dict)


def _properties(answer: Answer) -> Mapping[str, str]:
    match answer.json():
        case {"properties": dict(properties)}:
            return properties
        case _:
            raise CrmUnavailable("the answer is not HubSpot's")


def _first_id(written: object) -> str:
    match written:
        case {"results": [{"id": record_id}, *_]}:
            return str(record_id)
        case _:
            raise CrmUnavailable("the answer names no record")
