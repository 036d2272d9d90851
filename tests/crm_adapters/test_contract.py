"""One contract for every CRM: who is found, what is asked for, what is written once, how it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from crm_adapters import csv, hubspot, rest, salesforce
from crm_adapters.port import (
    Ambiguous,
    CrmAdapter,
    CrmRefused,
    CrmUnavailable,
    CrmWrite,
    Found,
    NobodyFound,
    WriteKind,
)
from tests.crm_adapters.fakes import PERSON, PHONE, Fake, HubSpotFake, RestFake, SalesforceFake

HTTP = ["hubspot", "salesforce", "rest"]
SECRETS = ("SECRET", "5550100", "Dana", "tok-secret")


@dataclass
class Crm:
    adapter: CrmAdapter
    fake: Fake


def make(name: str, **more: object) -> Crm:
    if name == "hubspot":
        fake: Fake = HubSpotFake(**more)  # type: ignore[arg-type]
        config = hubspot.Config(
            token="tok-secret",
            fields={"name": "firstname", "notes": "notes"},
            consent_property="consent",
            opt_out_property="opted_out",
        )
        return Crm(hubspot.connect(config, _http(fake), "US"), fake)
    if name == "salesforce":
        fake = SalesforceFake(**more)  # type: ignore[arg-type]
        login = salesforce.Config(
            login_url="https://login.example",
            client_id="id",
            client_secret="tok-secret",
            fields={"name": "Name", "notes": "Notes__c"},
        )
        return Crm(salesforce.connect(login, _http(fake), "US"), fake)
    fake = RestFake(**more)  # type: ignore[arg-type]
    return Crm(rest.connect(REST, _http(fake), "US"), fake)


REST = rest.Config(
    url="http://127.0.0.1:9",
    fields={"name": "name", "notes": "notes"},
    lookup=rest.Lookup("/contacts?phone={phone_e164}", result="results"),
    auth=rest.Bearer("tok-secret"),
    allow_private=True,
    phone="phone",
    writes={
        kind: rest.Write(path=f"/{kind}", read_back=f"/{kind}/{{id}}", expect={"summary": "{summary}"})
        for kind in WriteKind
    },
)


def _http(fake: Fake) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(fake))


def write(kind: WriteKind = WriteKind.OUTCOME, number: int = 1) -> CrmWrite:
    return CrmWrite("CA1", kind, number, "51", PHONE, 1_700_000_000.0, {"summary": "It was settled."})


@pytest.fixture(params=HTTP)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_caller_is_found_with_the_fields_that_were_asked_for_and_no_others(name: str) -> None:
    crm = make(name)
    found = await crm.adapter.find(PHONE, ["name"])
    assert found == Found("51", {"name": "Dana Fox"})
    assert "notes" not in crm.fake.seen().lower()


async def test_nobody_has_this_number(name: str) -> None:
    assert await make(name, people=[]).adapter.find(PHONE, ["name"]) == NobodyFound()


async def test_somebody_with_the_same_end_of_a_number_is_somebody_else(name: str) -> None:
    other = {**PERSON, "phone": "+44 2125550100"}
    assert await make(name, people=[other]).adapter.find(PHONE, ["name"]) == NobodyFound()


async def test_two_people_on_one_number_are_ambiguous(name: str) -> None:
    people = [PERSON, {**PERSON, "id": "52", "name": "Ada"}]
    assert await make(name, people=people).adapter.find(PHONE, ["name"]) == Ambiguous(2)


@pytest.mark.parametrize("kind", [WriteKind.OUTCOME, WriteKind.FOLLOW_UP])
async def test_the_same_is_written_once_and_can_be_read_back(name: str, kind: WriteKind) -> None:
    crm = make(name)
    record_id = await crm.adapter.write(write(kind))
    assert await crm.adapter.write(write(kind)) == record_id
    assert len(crm.fake.written) == 1
    assert await crm.adapter.read_back(write(kind), record_id) is True
    crm.fake.written = {key: {} for key in crm.fake.written}
    assert await crm.adapter.read_back(write(kind), record_id) in (False, None)


async def test_consent_and_opt_out_are_written_too(name: str) -> None:
    for kind in (WriteKind.CONSENT, WriteKind.OPT_OUT):
        crm = make(name)
        await crm.adapter.write(write(kind))
        assert len(crm.fake.written) == 1


FAILURES: dict[str, Callable[[], httpx.Response | Exception]] = {
    "500": lambda: httpx.Response(500),
    "429": lambda: httpx.Response(429, headers={"Retry-After": "7"}),
    "429 without a time": lambda: httpx.Response(429),
    "477": lambda: httpx.Response(477, headers={"Retry-After": "7"}),
    "403": lambda: httpx.Response(403, json={"message": PERSON["name"]}),
    "401": lambda: httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID"}]),
    "redirect": lambda: httpx.Response(302, headers={"Location": "https://evil.example/"}),
    "no JSON": lambda: httpx.Response(200, text="{broken SECRET"),
    "HTML": lambda: httpx.Response(200, text="<html>5550100</html>"),
    "another shape": lambda: httpx.Response(200, json=[1, 2, 3]),
    "huge": lambda: httpx.Response(200, content=b" " * 400_000),
    "timeout": lambda: httpx.ReadTimeout("5550100"),
    "no connection": lambda: httpx.ConnectError("5550100"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_look_up_that_fails_is_unavailable_and_names_nobody(name: str, failure: str) -> None:
    crm = make(name, fails=FAILURES[failure]())
    with pytest.raises(CrmUnavailable) as unavailable:
        await crm.adapter.find(PHONE, ["name"])
    assert not any(secret in str(unavailable.value) for secret in SECRETS)
    if failure in ("429", "477"):
        assert unavailable.value.retry_after == 7.0
    assert all("evil.example" not in str(each.url) for each in crm.fake.requests)


@pytest.mark.parametrize(
    ("failure", "again"),
    [("500", True), ("429", True), ("timeout", True), ("no connection", True), ("403", False)],
)
async def test_a_write_that_may_succeed_later_is_told_from_one_that_never_will(
    name: str, failure: str, *, again: bool
) -> None:
    with pytest.raises(CrmUnavailable if again else CrmRefused):
        await make(name, fails=FAILURES[failure]()).adapter.write(write())


async def test_salesforce_tells_its_limit_with_a_403() -> None:
    limited = httpx.Response(403, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "x"}])
    with pytest.raises(CrmUnavailable, match="rate_limited"):
        await make("salesforce", fails=limited).adapter.find(PHONE, ["name"])
    with pytest.raises(CrmUnavailable, match="rate_limited"):
        await make("salesforce", fails=limited).adapter.write(write())


async def test_a_token_that_has_run_out_is_renewed_once() -> None:
    gone = httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID"}])
    crm = make("salesforce", fails=gone, times=1)
    assert isinstance(await crm.adapter.find(PHONE, ["name"]), Found)
    assert crm.fake.logins == 2
    always = make("salesforce", fails=gone)
    with pytest.raises(CrmUnavailable):
        await always.adapter.find(PHONE, ["name"])
    assert always.fake.logins == 2


async def test_rest_asks_no_private_address_and_no_other_host_unless_it_may() -> None:
    fake = RestFake()
    closed = rest.connect(replace(REST, allow_private=False), _http(fake), "US")
    with pytest.raises(CrmUnavailable, match="private address"):
        await closed.find(PHONE, ["name"])
    assert fake.requests == []


def test_rest_does_not_take_the_end_of_a_number_for_the_number() -> None:
    loose = replace(REST, phone="", lookup=rest.Lookup("/c?p={phone_national}"))
    assert any("phone_e164" in fault for fault in rest.faults(loose))
    assert list(rest.faults(REST)) == []


async def test_csv_keeps_the_same_contract(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "phone,full_name,notes\n+12125550100,Dana Fox,SECRET\n+12125550101,A,x\n+12125550101,B,y\n"
    )
    adapter = csv.Csv(path, {"name": "full_name", "notes": "notes"}, "US")
    found = await adapter.find(PHONE, ["name"])
    assert isinstance(found, Found)
    assert found.fields == {"name": "Dana Fox"}
    assert await adapter.find("+12125550102", ["name"]) == NobodyFound()
    assert await adapter.find("+12125550101", ["name"]) == Ambiguous(2)
    record_id = await adapter.write(write())
    assert await adapter.write(write()) == record_id
    assert await adapter.read_back(write(), record_id) is True
    path.unlink()
    with pytest.raises(CrmUnavailable):
        await adapter.find(PHONE, ["name"])
