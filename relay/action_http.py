"""A tool over HTTP: its arguments as a JSON object by POST, read back by GET."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from compliance.delivery import Refused, Retry
from policies.agent_tools import PLACEHOLDER, Tool
from relay.actions import Answer

MOST: Final = 16 * 1024  # bytes of an answer that are read
TEXT: Final = 2_000  # characters of it that the model may see
BUSY: Final = frozenset({408, 425, 429})  # the server says that it did nothing with the request


@dataclass(frozen=True, slots=True)
class HttpTool:
    """`headers` hold the secret that lets us in."""

    http: httpx.AsyncClient
    tool: Tool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def call(self, arguments: Mapping[str, object], key: str) -> Answer:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        response, body = await self._request("POST", self.tool.url or "", headers, arguments)
        if response.status_code in BUSY:
            raise Retry(f"HTTP {response.status_code}", _after(response), unsent=True)
        if response.status_code >= 500:
            raise Retry(f"HTTP {response.status_code}")  # it may have been done all the same
        if not response.is_success:
            raise Refused(f"HTTP {response.status_code}")
        return Answer(body[:TEXT].decode("utf-8", "replace"), _record_id(body))

    async def read_back(self, arguments: Mapping[str, object]) -> bool | None:
        check = self.tool.read_back
        if check is None:
            return None
        url = PLACEHOLDER.sub(lambda found: quote(str(arguments.get(found[1], "")), safe=""), check.url)
        response, body = await self._request("GET", url, self.headers)
        if response.status_code == 404:
            return False
        if not response.is_success:
            raise Retry(f"HTTP {response.status_code}", _after(response))
        try:
            return contains(msgspec.json.decode(body), check.expect)
        except msgspec.DecodeError:
            return None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], arguments: Mapping[str, object] | None = None
    ) -> tuple[httpx.Response, bytes]:
        """Redirects are not followed: another host is not where the agent file sends the caller's words."""
        content = None if arguments is None else msgspec.json.encode(arguments)
        sent = {**headers, "Content-Type": "application/json"} if content else dict(headers)
        try:
            async with self.http.stream(
                method, url, headers=sent, content=content, timeout=self.tool.timeout, follow_redirects=False
            ) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MOST:
                        break
                return response, body
        except httpx.ConnectError as error:
            raise Retry("not reachable", unsent=True) from error
        except httpx.TimeoutException as error:
            raise Retry("no answer in time") from error
        except httpx.HTTPError as error:
            raise Retry(type(error).__name__) from error


def contains(found: object, expected: object) -> bool:
    """Is everything that is expected in what was found? A list holds each expected item somewhere."""
    match expected, found:
        case dict(), dict():
            return all(name in found and contains(found[name], inner) for name, inner in expected.items())
        case list(), list():
            return all(any(contains(each, inner) for each in found) for inner in expected)
        case _:
            return type(found) is type(expected) and found == expected


def _record_id(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    found = answer.get("id") if isinstance(answer, dict) else None
    return str(found)[:200] if isinstance(found, str | int) else ""


def _after(response: httpx.Response) -> float | None:
    after = response.headers.get("retry-after", "")
    return float(after) if after.isdecimal() else None
