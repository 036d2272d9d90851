"""Is it Twilio? The vectors were computed with the vendor's SDK, for the token below."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from twilio.request_validator import RequestValidator

from relay.signature import Form, Keys, genuine

TOKEN = "0123456789abcdef0123456789abcdef"
KEYS = Keys(TOKEN, {"wsk_1": "a-shared-secret"})
SOCKET = "wss://voice.example.com/relay"
ACTION = "https://voice.example.com/action"
FORM: Form = {
    "CallSid": ["CA00000000000000000000000000000001"],
    "SessionStatus": ["ended"],
    "CallerZip": [""],
    "HandoffData": ['{"reason":"agent"}'],
}


def signed(signature: str, settings: str | None = None) -> Headers:
    named = {"x-twilio-signature": signature}
    if settings is not None:
        named["x-twilio-webhooks-signature-settings"] = settings
    return Headers(named)


def test_the_handshake_is_signed_over_the_url_of_the_twiml() -> None:
    assert genuine(KEYS, SOCKET, signed("aCIjMwztLm9r0JhYwGdUIMvnNGc="))


def test_the_256_bit_scheme_is_understood() -> None:
    headers = signed("5v9A15zXvB+Pv+LScwYJULJlCn/JNGKEd5YCtwubTU4=", "algorithm=HMAC_SHA256")
    assert genuine(KEYS, SOCKET, headers)


def test_a_shared_key_is_found_by_its_id() -> None:
    signature = RequestValidator("a-shared-secret").compute_signature(ACTION, dict(FORM_FLAT), "HMAC_SHA256")
    assert genuine(KEYS, ACTION, signed(signature, "key=wsk_1,algorithm=HMAC_SHA256"), FORM)
    assert not genuine(KEYS, ACTION, signed(signature, "key=wsk_2,algorithm=HMAC_SHA256"), FORM)
    assert not genuine(KEYS, ACTION, signed(signature), FORM)


def test_a_query_string_is_part_of_the_url() -> None:
    assert genuine(KEYS, f"{SOCKET}?a=1&b=2", signed("5W/o07gyjs9r49D1kpFNPfMTLVQ="))
    assert not genuine(KEYS, SOCKET, signed("5W/o07gyjs9r49D1kpFNPfMTLVQ="))


def test_blank_form_values_are_signed_too() -> None:
    assert genuine(KEYS, ACTION, signed("EFJbgcXM5vY5N63NoPu9KnlnnW0="), FORM)
    assert not genuine(KEYS, ACTION, signed("q4YaaDvrcqHKhxJbvXh89QXgjDU="), FORM)


def test_repeated_fields_are_signed_each() -> None:
    form: Form = {"Digits": ["1", "2"]}
    mac = RequestValidator(TOKEN).compute_signature(f"{ACTION}Digits1Digits2", {})
    assert genuine(KEYS, ACTION, signed(mac), form)


@pytest.mark.parametrize("port", [":443", ""])
def test_the_default_port_may_be_written_out(port: str) -> None:
    mac = RequestValidator(TOKEN).compute_signature(f"wss://voice.example.com{port}/relay", {})
    assert genuine(KEYS, SOCKET, signed(mac))


@pytest.mark.parametrize(
    "headers",
    [
        Headers({}),
        signed(""),
        signed("aCIjMwztLm9r0JhYwGdUIMvnNGd="),
        signed("aCIjMwztLm9r0JhYwGdUIMvnNGc"),
        signed("caf\u00e9"),
        signed("aCIjMwztLm9r0JhYwGdUIMvnNGc=", "algorithm=HMAC_MD5"),
        signed("aCIjMwztLm9r0JhYwGdUIMvnNGc=", "key="),
    ],
)
def test_anything_else_is_forged(headers: Headers) -> None:
    assert not genuine(KEYS, SOCKET, headers)


@pytest.mark.parametrize("scheme", ["https", "ws", "http"])
def test_the_scheme_counts(scheme: str) -> None:
    assert not genuine(KEYS, SOCKET.replace("wss", scheme), signed("aCIjMwztLm9r0JhYwGdUIMvnNGc="))


def test_a_recorded_form_validates_with_all_its_blanks() -> None:
    forms = json.loads((Path(__file__).parents[1] / "data/conversationrelay/webhook_forms.json").read_text())
    voice = forms["voice_webhook"]
    mac = RequestValidator(TOKEN).compute_signature(ACTION, voice)
    assert "" in voice.values()
    assert genuine(KEYS, ACTION, signed(mac), {name: [value] for name, value in voice.items()})


def test_secrets_are_not_shown() -> None:
    assert TOKEN not in repr(KEYS)
    assert "a-shared-secret" not in repr(KEYS)


FORM_FLAT = [(name, values[0]) for name, values in FORM.items()]
