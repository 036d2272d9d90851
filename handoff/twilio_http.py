"""How the SDK's client reaches Twilio: over our own httpx client, with a time limit and without a log.

The SDK's own asynchronous client ignores its timeout, logs numbers and headers, and uses a part of aiohttp
that is deprecated. The SDK asks of an HTTP client only `is_async` and `request`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import httpx
from twilio.http.response import Response


class TwilioHttp:
    """`base` replaces scheme, host and port of every address (TWILIO_API_BASE); None: Twilio's own hosts."""

    is_async = True

    def __init__(self, http: httpx.AsyncClient, *, timeout: float, base: str | None = None) -> None:
        self._http = http
        self._timeout = timeout
        self._base = urlsplit(base) if base else None

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the SDK's name
        allow_redirects: bool = False,
    ) -> Response:
        """The SDK's call. Raises `httpx.HTTPError`."""
        response = await self._http.request(
            method,
            self._address(url),
            params=params or None,
            data=data,
            headers=headers,
            auth=auth,
            timeout=timeout or self._timeout,
            follow_redirects=allow_redirects,
        )
        return Response(response.status_code, response.text, response.headers)

    def _address(self, url: str) -> str:
        if self._base is None:
            return url
        asked = urlsplit(url)
        path = self._base.path.rstrip("/") + asked.path
        return urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))
