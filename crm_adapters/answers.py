"""One HTTP exchange with a CRM: sent once, read up to a limit, its failures named by what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

import httpx
import msgspec

from crm_adapters.port import CrmRefused, CrmUnavailable

LARGEST: Final = 256 * 1024  # bytes of an answer
TIMEOUT: Final = httpx.Timeout(connect=0.5, read=10.0, write=1.0, pool=0.5)  # a look-up has its own deadline
RATE_LIMITED: Final = frozenset({429, 477})  # 477: HubSpot is moving the account


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds, from a number or a date."""
        given = self.headers.get("retry-after", "").strip()
        try:
            return max(0.0, float(given))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(given).timestamp() - time())
        except ValueError:
            return None

    def json(self) -> Any:  # any JSON: each adapter takes out what it knows
        """Raises `CrmUnavailable` for what is no JSON, such as a page of a proxy."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CrmUnavailable("the answer is no JSON") from error


async def exchange(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Redirects are not followed. Raises `CrmUnavailable` when no whole answer came."""
    try:
        response = await http.send(request, stream=True, follow_redirects=False)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise CrmUnavailable(f"the answer is longer than {LARGEST // 1024} kB")
        finally:
            await response.aclose()
    except httpx.TimeoutException as error:
        raise CrmUnavailable("timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CrmUnavailable(f"unreachable ({type(error).__name__})") from error
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))


def usable(answer: Answer, *, rate_limited: bool = False) -> Answer:
    """The answer itself, if its status is 2xx. Raises `CrmUnavailable`, or `CrmRefused` for our own mistakes.

    `rate_limited`: the adapter knows from the body that a limit was met.
    """
    status = answer.status
    if 200 <= status < 300:
        return answer
    if rate_limited or status in RATE_LIMITED:
        raise CrmUnavailable("rate_limited", answer.retry_after or 10.0)
    if status >= 500 or status in (408, 423, 425):
        raise CrmUnavailable(f"server_error ({status})", answer.retry_after)
    if 300 <= status < 400:
        raise CrmRefused(f"redirected ({status})")
    if status in (401, 403):
        raise CrmRefused(f"forbidden ({status})")
    raise CrmRefused(f"refused ({status})")


def looked_up(answer: Answer, *, rate_limited: bool = False) -> Answer:
    """As `usable`, for a look-up, which has nobody to put a refusal aside for."""
    try:
        return usable(answer, rate_limited=rate_limited)
    except CrmRefused as error:
        raise CrmUnavailable(error.reason) from error


def text(value: object) -> str:
    """A field's value as text; nothing for what has no plain form."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value).strip()
        case _:
            return ""
