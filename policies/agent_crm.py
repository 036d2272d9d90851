"""The agent file's `context.crm`: which CRM knows the callers, and how its answers become our fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from policies.agent_values import Contradiction, Name, Section, Timeout, matching

FieldName = Annotated[
    str, matching(r"[a-z][a-z0-9_]{0,63}", "must be at most 64 small letters, digits and _, a letter first")
]
Address = Annotated[str, matching(r"https?://[^\s/]+\S*", "must be an address: https://…")]
Host = Annotated[str, matching(r"[A-Za-z0-9.-]{1,253}", "must be a host name, without https:// and path")]
WriteKind = Literal["outcome", "follow_up", "consent", "opt_out"]
Method = Literal["GET", "POST", "PUT", "PATCH"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A variable of the environment that holds a secret; the file never holds the secret itself."""

    variable: str


def _secret(value: object) -> Secret:
    text = value if isinstance(value, str) else ""
    if not (text.startswith("${") and text.endswith("}") and text[2:-1].isidentifier()):
        raise ValueError("must not stand in the file: write ${NAME}, and set NAME in the environment")
    return Secret(text[2:-1])


SecretValue = Annotated[
    Secret, PlainValidator(_secret), WithJsonSchema({"type": "string", "pattern": r"^\$\{\w+\}$"})
]


class _Crm(Section):
    """What every CRM has. `fields` maps our names to the CRM's; one that is in no class is never fetched."""

    deadline: Timeout = 1.2
    fields: dict[FieldName, Name]


class CsvCrm(_Crm):
    """A file beside the agent file; the caller is the row whose `phone` column is their number."""

    adapter: Literal["csv"]
    path: Name


class HubSpotCrm(_Crm):
    """A private app's token. `call_key`: a unique custom property of calls, for writing once."""

    adapter: Literal["hubspot"]
    token: SecretValue
    base_url: Address = "https://api.hubapi.com"
    call_key: Name = "fivegates_call_key"
    consent_property: str = ""
    opt_out_property: str = ""


class SalesforceCrm(_Crm):
    """Client credentials of an external client app. `call_key`: an external-id field of Task."""

    adapter: Literal["salesforce"]
    login_url: Address
    client_id: SecretValue
    client_secret: SecretValue
    api_version: Annotated[str, matching(r"\d{2}\.0", "must be a version such as 64.0")] = "64.0"
    call_key: Name = "Call_Key__c"


class Auth(Section):
    """How a REST CRM knows us."""

    type: Literal["bearer", "basic", "header", "oauth2_client_credentials"]
    token: SecretValue | None = None
    user: SecretValue | None = None
    password: SecretValue | None = None
    header: str = ""
    value: SecretValue | None = None
    token_url: Address | None = None
    client_id: SecretValue | None = None
    client_secret: SecretValue | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needs: Mapping[str, tuple[str, ...]] = {
            "bearer": ("token",),
            "basic": ("user", "password"),
            "header": ("header", "value"),
            "oauth2_client_credentials": ("token_url", "client_id", "client_secret"),
        }
        missing = [name for name in needs[self.type] if not getattr(self, name)]
        if missing:
            raise Contradiction(*((name, f"is required with `type: {self.type}`") for name in missing))
        return self


class Lookup(Section):
    """`path` may hold {phone_e164}, {phone_digits}, {phone_national}; `result` is a JMESPath."""

    method: Method = "GET"
    path: Annotated[str, matching(r"/\S*", "must begin with /")]
    body: dict[str, Any] | None = None
    result: str = ""


class RestWrite(Section):
    """`body` may hold {summary}, {outcome}, … as values; `id` is a JMESPath to the new record's id."""

    method: Method = "POST"
    path: Annotated[str, matching(r"/\S*", "must begin with /")]
    body: dict[str, Any] | None = None
    idempotency_header: str = "Idempotency-Key"
    id: str = "id"
    read_back: Annotated[str, matching(r"/\S*", "must begin with /")] | None = None
    expect: dict[str, Any] = Field(default_factory=dict)


class RestCrm(_Crm):
    """Any CRM with a JSON interface, by configuration alone; `fields` are JMESPaths in one contact."""

    adapter: Literal["rest"]
    url: Address
    auth: Auth | None = None
    allow_hosts: tuple[Host, ...] = ()
    allow_private: bool = False
    lookup: Lookup
    write: dict[WriteKind, RestWrite] = Field(default_factory=dict)
    id: str = "id"
    phone: str = ""


Crm = Annotated[CsvCrm | HubSpotCrm | SalesforceCrm | RestCrm, Field(discriminator="adapter")]
