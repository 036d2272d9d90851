"""The CRM an agent file names, made ready: the one place that maps `adapter:` to a module."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from compliance.past_calls import PastCalls
from crm_adapters import csv, hubspot, rest, salesforce
from crm_adapters.breaker import Breaker
from crm_adapters.phones import region_of
from crm_adapters.port import CrmAdapter
from policies.agent_crm import Auth, CsvCrm, HubSpotCrm, RestCrm, SalesforceCrm, Secret
from policies.agent_crm import Crm as CrmSection
from policies.agent_file import AgentFile
from relay.clock import Clock
from relay.lookup import Crm, Desk


class SecretUnset(Exception):
    """Set this variable of the environment."""


def faults(files: Sequence[AgentFile], env: Mapping[str, str] | None = None) -> list[str]:
    """What keeps callers from being found and can be known before the port opens.

    `env` holds the secrets; None: the environment of the process is not looked at.
    """
    return [
        f"{file.source}: context.crm: {fault}"
        for file in files
        if file.context.crm
        for fault in _faults(file, file.context.crm, env)
    ]


def open_desk(
    file: AgentFile,
    past: PastCalls,
    clock: Clock,
    env: Mapping[str, str] = os.environ,
    http: httpx.AsyncClient | None = None,
) -> Desk:
    """Where the callers of this file are looked up; `env` holds the secrets. Raises `SecretUnset`."""
    section = file.context.crm
    crm = None
    if section:
        adapter = connect(file, section, env, http or httpx.AsyncClient())
        crm = Crm(adapter, frozenset(section.fields), section.deadline, Breaker())
    return Desk(
        agent=file.agent.name,
        rules=file.context.rules(),
        dialled=file.context.sources.dialled_number,
        parameters=file.context.sources.parameters,
        request=file.context.sources.request,
        crm=crm,
        past=past,
        region=region(file),
        clock=clock,
    )


def region(file: AgentFile) -> str:
    """The line's own region (ISO 3166): of its number, else of its language."""
    default = file.language.partition("-")[2].upper() or "US"
    return region_of(next(iter(file.agent.numbers), ""), default)


def connect(
    file: AgentFile, section: CrmSection, env: Mapping[str, str], http: httpx.AsyncClient
) -> CrmAdapter:
    """Raises `SecretUnset`."""
    match section:
        case CsvCrm():
            return _csv(file, section)
        case HubSpotCrm():
            config = hubspot.Config(
                token=_value(section.token, env),
                fields=section.fields,
                base_url=section.base_url,
                call_key=section.call_key,
                consent_property=section.consent_property,
                opt_out_property=section.opt_out_property,
            )
            return hubspot.connect(config, http, region(file))
        case SalesforceCrm():
            login = salesforce.Config(
                login_url=section.login_url,
                client_id=_value(section.client_id, env),
                client_secret=_value(section.client_secret, env),
                fields=section.fields,
                api_version=section.api_version,
                call_key=section.call_key,
            )
            return salesforce.connect(login, http, region(file))
        case RestCrm():
            return rest.connect(_rest(section, env), http, region(file))


def _faults(file: AgentFile, section: CrmSection, env: Mapping[str, str] | None) -> Iterator[str]:
    match section:
        case CsvCrm():
            yield from csv.faults(_csv(file, section))
        case RestCrm():
            yield from rest.faults(_rest(section, dict.fromkeys(_variables(section), "unset")))
    for variable in _variables(section):
        if env is not None and not env.get(variable):
            yield f"{variable} is not set in the environment"


def _variables(section: CrmSection) -> list[str]:
    auth = section.auth if isinstance(section, RestCrm) and section.auth else None
    values = [*vars(section).values(), *(vars(auth).values() if auth else ())]
    return [each.variable for each in values if isinstance(each, Secret)]


def _value(secret: Secret, env: Mapping[str, str]) -> str:
    if not (value := env.get(secret.variable, "")):
        raise SecretUnset(secret.variable)
    return value


def _csv(file: AgentFile, section: CsvCrm) -> csv.Csv:
    return csv.Csv(Path(file.source).parent / section.path, section.fields, region(file))


def _rest(section: RestCrm, env: Mapping[str, str]) -> rest.Config:
    lookup = section.lookup
    return rest.Config(
        url=section.url,
        fields=section.fields,
        lookup=rest.Lookup(lookup.path, lookup.method, lookup.body, lookup.result),
        auth=_auth(section.auth, env) if section.auth else None,
        allow_hosts=section.allow_hosts,
        allow_private=section.allow_private,
        writes={
            kind: rest.Write(
                path=write.path,
                method=write.method,
                body=write.body,
                idempotency_header=write.idempotency_header,
                id=write.id,
                read_back=write.read_back,
                expect=write.expect,
            )
            for kind, write in section.write.items()
        },
        id=section.id,
        phone=section.phone,
    )


def _auth(auth: Auth, env: Mapping[str, str]) -> rest.Auth:
    match auth:
        case Auth(type="bearer", token=Secret() as token):
            return rest.Bearer(_value(token, env))
        case Auth(type="basic", user=Secret() as user, password=Secret() as password):
            return rest.Basic(_value(user, env), _value(password, env))
        case Auth(type="header", header=name, value=Secret() as value):
            return rest.Header(name, _value(value, env))
        case Auth(token_url=str() as url, client_id=Secret() as id_, client_secret=Secret() as secret):
            return rest.ClientCredentials(url, _value(id_, env), _value(secret, env))
        case _:
            return None  # the agent file has refused it
