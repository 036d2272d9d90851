"""Any CRM with a JSON interface, by configuration alone.

Requests leave for the configured hosts only, to an address that was resolved and checked here, so that no
name can lead into the network of the server (SSRF); redirects are not followed, long answers are not read.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import jmespath
from jmespath.exceptions import JMESPathError

from crm_adapters.answers import TIMEOUT, Answer, exchange, looked_up, text, usable
from crm_adapters.phones import digits, e164, national
from crm_adapters.port import (
    Ambiguous,
    CrmRefused,
    CrmUnavailable,
    CrmWrite,
    Found,
    LookupResult,
    NobodyFound,
)

PREVIOUS: Final = "previous_call_summary"
NOBODY: Final = frozenset({204, 404})


@dataclass(frozen=True, slots=True)
class Lookup:
    path: str
    method: str = "GET"
    body: Mapping[str, Any] | None = None
    result: str = ""  # JMESPath to the contacts: a list, or one


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    method: str = "POST"
    body: Mapping[str, Any] | None = None  # None: the facts themselves
    idempotency_header: str = "Idempotency-Key"
    id: str = "id"
    read_back: str | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bearer:
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Basic:
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth 2.0, RFC 6749 §4.4."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)


Auth = Bearer | Basic | Header | ClientCredentials | None


@dataclass(frozen=True, slots=True)
class Config:
    """`fields` maps our names to JMESPaths in one contact; `id` and `phone` are such paths too.

    With `phone`, a contact whose number is another one is no match, whatever the CRM's search says.
    """

    url: str
    fields: Mapping[str, str]
    lookup: Lookup
    auth: Auth = None
    allow_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    writes: Mapping[str, Write] = field(default_factory=dict)
    id: str = "id"
    phone: str = ""


@dataclass(slots=True)
class Rest:
    http: httpx.AsyncClient
    config: Config
    region: str
    name: str = "rest"
    _token: str = field(default="", repr=False)

    async def find(self, phone: str, fields: Collection[str]) -> LookupResult:
        lookup, places = self.config.lookup, _places(phone)
        answer = await self._ask(
            lookup.method, _filled_path(lookup.path, places), _filled(lookup.body, places)
        )
        if answer.status in NOBODY:
            return NobodyFound()
        body = looked_up(answer).json()
        found = _search(lookup.result, body) if lookup.result else body
        if found is None and not isinstance(body, dict):
            raise CrmUnavailable("the answer has another shape than context.crm.lookup.result says")
        contacts = [each for each in _listed(found) if self._is(each, phone)]
        if not contacts:
            return NobodyFound()
        if len({self._id(each) or str(index) for index, each in enumerate(contacts)}) > 1:
            return Ambiguous(len(contacts))
        wanted = {name: self.config.fields[name] for name in fields if name in self.config.fields}
        values = {name: text(_search(path, contacts[0])) for name, path in wanted.items()}
        return Found(
            self._id(contacts[0]),
            {name: value for name, value in values.items() if value},
            bool(values.get(PREVIOUS)),
        )

    async def write(self, what: CrmWrite) -> str:
        write = self._write_for(what)
        places = {**_places(what.phone), **what.facts, "contact_id": what.contact_id or "", "key": what.key}
        body = _filled(write.body, places) if write.body is not None else {"key": what.key, **what.facts}
        headers = {write.idempotency_header: what.key} if write.idempotency_header else {}
        answer = await self._ask(write.method, _filled_path(write.path, places), body, headers)
        usable(answer)
        return (text(_search(write.id, answer.json())) if answer.body else "") or what.key

    async def read_back(self, what: CrmWrite, record_id: str) -> bool | None:
        write = self._write_for(what)
        if write.read_back is None:
            return None
        places = {**_places(what.phone), **what.facts, "contact_id": what.contact_id or "", "key": what.key}
        answer = await self._ask("GET", _filled_path(write.read_back, {**places, "id": record_id}), None)
        if answer.status in NOBODY:
            return False
        return _contained(_filled(write.expect, places) or {}, looked_up(answer).json())

    def _write_for(self, what: CrmWrite) -> Write:
        """Raises `CrmRefused` where the agent file says nothing of it."""
        if (write := self.config.writes.get(what.kind)) is None:
            raise CrmRefused(f"context.crm.write.{what.kind} is not set")
        return write

    def _id(self, contact: object) -> str:
        return text(_search(self.config.id, contact))

    def _is(self, contact: object, phone: str) -> bool:
        if not self.config.phone:
            return True
        return e164(text(_search(self.config.phone, contact)), self.region) == phone

    # -- the wire ----------------------------------------------------------------------------------------

    async def _ask(
        self, method: str, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; an OAuth token that has run out is renewed once."""
        url = f"{self.config.url.rstrip('/')}{path}"
        oauth = isinstance(self.config.auth, ClientCredentials)
        if oauth and not self._token:
            await self._log_in()
        answer = await self._send(method, url, body, {**(headers or {}), **self._authorised()})
        if answer.status == 401 and oauth:
            await self._log_in()
            answer = await self._send(method, url, body, {**(headers or {}), **self._authorised()})
        return answer

    async def _send(
        self, method: str, url: str, body: object, headers: Mapping[str, str], form: bool = False
    ) -> Answer:
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = await self._checked(host, parts.port or (443 if parts.scheme == "https" else 80))
        request = self.http.build_request(
            method,
            httpx.URL(url).copy_with(host=address),
            json=None if form or body is None else body,
            data=body if form and isinstance(body, dict) else None,
            headers={**headers, "Host": parts.netloc.rpartition("@")[2]},
            timeout=TIMEOUT,
            extensions={"sni_hostname": host},
        )
        return await exchange(self.http, request)

    async def _checked(self, host: str, port: int) -> str:
        """An address of this host that may be asked. Raises `CrmUnavailable`."""
        allowed = {urlsplit(self.config.url).hostname, *self.config.allow_hosts}
        if host not in allowed:
            raise CrmUnavailable(f"{host} is not in context.crm.allow_hosts")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise CrmUnavailable("unreachable (the host has no address)") from error
        addresses = [str(each[4][0]) for each in found]
        if not self.config.allow_private and not all(
            ipaddress.ip_address(each).is_global for each in addresses
        ):
            raise CrmUnavailable(f"{host} has a private address: set context.crm.allow_private if it may")
        return addresses[0]

    def _authorised(self) -> dict[str, str]:
        match self.config.auth:
            case None:
                return {}
            case Bearer(token):
                return {"Authorization": f"Bearer {token}"}
            case Basic(user, password):
                both = base64.b64encode(f"{user}:{password}".encode()).decode()
                return {"Authorization": f"Basic {both}"}
            case Header(name, value):
                return {name: value}
            case ClientCredentials():
                return {"Authorization": f"Bearer {self._token}"}

    async def _log_in(self) -> None:
        auth = self.config.auth
        if not isinstance(auth, ClientCredentials):
            return
        form = {
            "grant_type": "client_credentials",
            "client_id": auth.client_id,
            "client_secret": auth.client_secret,
        }
        answer = looked_up(await self._send("POST", auth.token_url, form, {}, form=True))
        match answer.json():
            case {"access_token": str(token)}:
                self._token = token
            case _:
                raise CrmUnavailable("the token server gave no token")


def connect(config: Config, http: httpx.AsyncClient, region: str) -> Rest:
    return Rest(http, config, region)


def faults(config: Config) -> Iterator[str]:
    """Paths that are no JMESPath, and a search whose answer could be somebody else's."""
    asked = f"{config.lookup.path} {config.lookup.body}"
    if not config.phone and "{phone_e164}" not in asked:
        yield "phone: is needed where the lookup does not ask for {phone_e164}: an end of a number is shared"
    paths = {"lookup.result": config.lookup.result, "id": config.id, "phone": config.phone}
    paths |= {f"fields.{name}": path for name, path in config.fields.items()}
    paths |= {f"write.{kind}.id": write.id for kind, write in config.writes.items()}
    for where, path in paths.items():
        try:
            if path:
                jmespath.compile(path)
        except JMESPathError:
            yield f"{where}: {path!r} is no JMESPath"


def _places(phone: str) -> dict[str, str]:
    return {"phone_e164": phone, "phone_digits": digits(phone), "phone_national": national(phone)}


def _filled_path(path: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def _filled(template: object, places: Mapping[str, str]) -> Any:
    """Values take their place as values: no text is joined, so none can break out of its string."""
    match template:
        case str():
            for name, value in places.items():
                if template == f"{{{name}}}":
                    return value
                template = template.replace(f"{{{name}}}", value)
            return template
        case Mapping():
            return {name: _filled(each, places) for name, each in template.items()}
        case list() | tuple():
            return [_filled(each, places) for each in template]
        case _:
            return template


def _search(path: str, value: object) -> object:
    try:
        return jmespath.search(path, value)
    except JMESPathError as error:
        raise CrmUnavailable("a path of the agent file does not fit the answer") from error


def _listed(found: object) -> list[object]:
    match found:
        case None | "" | {} | []:
            return []
        case list():
            return found
        case dict():
            return [found]
        case _:
            raise CrmUnavailable("the answer holds no contacts where context.crm.lookup.result says")


def _contained(expected: object, found: object) -> bool:
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            name in found and _contained(each, found[name]) for name, each in expected.items()
        )
    return expected == found
