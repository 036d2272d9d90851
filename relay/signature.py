"""Is this request from Twilio? Webhooks and the websocket handshake, by auth token or by shared key.

Sources: Twilio, "Webhooks security" (docs/usage/webhooks/webhooks-security) and "Webhook shared keys"
(docs/usage/webhooks/webhook-shared-keys). The expected URL comes from configuration, never from the Host or
forwarding headers, which the sender of a forged request controls.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

Form = Mapping[str, Sequence[str]]  # every value of every field, blank ones kept


@dataclass(frozen=True, slots=True)
class Keys:
    """What Twilio signs with: the account's primary auth token, and shared keys by their id."""

    auth_token: str = field(repr=False)
    shared: Mapping[str, str] = field(default_factory=dict, repr=False)


def genuine(keys: Keys, url: str, headers: Mapping[str, str], form: Form | None = None) -> bool:
    """Check the signature of a webhook (https, with its form) or of a handshake (wss, without).

    `url` is the public address exactly as Twilio was given it; `headers` are matched as they are, so pass a
    case-insensitive mapping.
    """
    signature = headers.get(SIGNATURE_HEADER, "")
    settings = headers.get(SIGNATURE_SETTINGS_HEADER, "")
    secret = _secret(keys, settings)
    if not (signature and secret):
        return False
    validator = RequestValidator(secret)
    try:
        expected = [
            validator.compute_signature(address, _Fields(form or {}), get_signature_algorithm(settings))
            for address in _spellings(url)
        ]
    except ValueError:  # an algorithm the SDK does not know, or text that is not valid Unicode
        return False
    given = signature.encode()
    return any(hmac.compare_digest(one.encode(), given) for one in expected)


def _secret(keys: Keys, settings: str) -> str | None:
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "key":
            return keys.shared.get(value.strip())
    return keys.auth_token


def _spellings(url: str) -> list[str]:
    """Twilio is not consistent about the port: the URL as it is, and with the default port written out."""
    parts = urlsplit(url)
    if parts.port is not None:
        return [url]
    port = 443 if parts.scheme in ("https", "wss") else 80
    return [url, parts._replace(netloc=f"{parts.netloc}:{port}").geturl()]


class _Fields(dict[str, Sequence[str]]):
    """The SDK reads repeated form fields through `getlist`; a plain dict would lose them."""

    def getlist(self, name: str) -> Sequence[str]:
        return self[name]
