"""Twilio's form posts: read with a limit, believed only when they are signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import structlog
from starlette.requests import ClientDisconnect, Request

from relay.addresses import Addresses
from relay.signature import genuine

BODY_LIMIT = 64 * 1024  # bytes; Twilio's forms have about 2 KB

Form = Mapping[str, str]

log = structlog.get_logger()


class Refused(Exception):
    """Answer with this status and sentence; nothing of the request is acted on."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(says)
        self.status = status


@dataclass(frozen=True, slots=True)
class Forms:
    addresses: Addresses
    account_sid: str | None  # None: any account that signs

    async def read(self, request: Request) -> Form:
        """The first value of each field, blank ones kept. Raises `Refused`."""
        form = {name: values[0] for name, values in (await self._genuine(request)).items()}
        if self.account_sid not in (None, form.get("AccountSid", self.account_sid)):
            raise Refused(403, "this call belongs to another account")
        return form

    async def _genuine(self, request: Request) -> Mapping[str, Sequence[str]]:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_LIMIT:
                    raise Refused(413, "the form is larger than any of Twilio's")
            form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=500)
        except (ClientDisconnect, ValueError) as error:
            raise Refused(400, "the body is no form") from error
        if self.addresses.keys is None:
            if not self.addresses.local(request):
                raise Refused(403, "without TWILIO_AUTH_TOKEN and PUBLIC_URL only this machine may call")
        elif not genuine(self.addresses.keys, self.addresses.requested(request), request.headers, form):
            log.warning("webhook refused: wrong signature", path=request.url.path)
            raise Refused(403, "the signature is not Twilio's for this address: check PUBLIC_URL")
        return form


def required(form: Form, name: str) -> str:
    """Raises `Refused`."""
    if not (value := form.get(name, "")):
        raise Refused(400, f"the field {name} is missing")
    return value
