"""Small stand-ins for three CRMs, as `httpx.MockTransport` asks them; each keeps what was written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import httpx

PHONE = "+12125550100"
PERSON = {"id": "51", "name": "Dana Fox", "phone": "(212) 555-0100", "notes": "SECRET"}


@dataclass
class Fake:
    """`people` are ours by neutral names; `fails` is answered instead, once or always (`times`)."""

    people: list[dict[str, str]] = field(default_factory=lambda: [PERSON])
    fails: httpx.Response | Exception | None = None
    times: int = 1_000
    requests: list[httpx.Request] = field(default_factory=list)
    written: dict[str, dict[str, object]] = field(default_factory=dict)  # by our key
    logins: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if "oauth2/token" in request.url.path:
            self.logins += 1
            answer = {"access_token": f"t{self.logins}", "instance_url": "https://org.example"}
            return httpx.Response(200, json=answer)
        if self.fails is not None and self.times > 0:
            self.times -= 1
            if isinstance(self.fails, Exception):
                raise self.fails
            return self.fails
        return self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        raise NotImplementedError

    def seen(self) -> str:
        """Everything that was asked, as it left us."""
        return "\n".join(f"{each.method} {each.url} {each.content.decode()}" for each in self.requests)


@dataclass
class HubSpotFake(Fake):
    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/contacts/search"):
            wanted = json.loads(request.content)["properties"]
            stored = {"phone": "phone", "firstname": "name", "notes": "notes"}
            found = [
                {"id": each["id"], "properties": {p: each.get(stored.get(p, ""), None) for p in wanted}}
                for each in self.people
            ]
            return httpx.Response(200, json={"total": len(found), "results": found})
        if path.endswith("/calls/batch/upsert"):
            (entry,) = json.loads(request.content)["inputs"]
            assert entry["idProperty"] == "fivegates_call_key"
            self.written[entry["id"]] = entry["properties"]
            return httpx.Response(200, json={"status": "COMPLETE", "results": [{"id": "9001"}]})
        if "/associations/" in path:
            return httpx.Response(201, json={})
        if request.method == "PATCH":
            self.written[path] = json.loads(request.content)["properties"]
            return httpx.Response(200, json={"id": "51"})
        if "/calls/" in path:
            (properties,) = self.written.values() or ({},)
            return httpx.Response(200, json={"id": "9001", "properties": properties})
        return httpx.Response(404, json={"status": "error"})


@dataclass
class SalesforceFake(Fake):
    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/parameterizedSearch"):
            found = [
                {"attributes": {"type": "Contact"}, "Id": p["id"], "Phone": p["phone"], "Name": p["name"]}
                for p in self.people
            ]
            return httpx.Response(200, json={"searchRecords": found})
        key = path.rpartition("/")[2]
        if request.method == "PATCH":
            status = 200 if key in self.written else 201
            self.written[key] = json.loads(request.content)
            return httpx.Response(status, json={"id": "00T1", "success": True, "errors": []})
        if key in self.written:
            return httpx.Response(200, json=self.written[key])
        return httpx.Response(404, json=[{"errorCode": "NOT_FOUND", "message": "no"}])


@dataclass
class RestFake(Fake):
    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/contacts":
            assert request.url.params["phone"] == PHONE
            return httpx.Response(200, json={"results": self.people})
        if request.method == "POST":
            self.written[request.headers["Idempotency-Key"]] = json.loads(request.content)
            return httpx.Response(201, json={"id": "r1"})
        (properties,) = self.written.values() or ({},)
        return httpx.Response(200, json={"stored": True, **properties})
