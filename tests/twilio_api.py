"""Twilio's REST API on loopback: what its OpenAPI files do not name is refused with 400, as are wrong types.

It keeps calls, tasks and reservations, and refuses what the real service refuses: to cancel a task that
somebody has, to accept a reservation that is over, to move a call that has ended.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web
from jsonschema import Draft4Validator

SPECS: Final = Path(__file__).parent / "data" / "twilio"
ACCOUNT: Final = "AC" + "a" * 32
TOKEN: Final = "secret-of-the-account"
WORKSPACE: Final = "WS" + "1" * 32
OTHER_WORKSPACE: Final = "WS" + "0" * 32
WORKFLOW: Final = "WW" + "2" * 32
QUEUES: Final = ("WQ" + "3" * 32, "WQ" + "4" * 32)
TASK_ENDS: Final = {"canceled": ("pending", "reserved"), "completed": ("assigned", "wrapping")}

Object = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was let in."""

    method: str
    path: str
    form: Mapping[str, tuple[str, ...]]
    query: Mapping[str, tuple[str, ...]]

    def __getitem__(self, name: str) -> str:
        return self.form[name][0]


@dataclass(slots=True)
class Statistics:
    eligible: int = 1
    available: int = 1
    longest_wait: int = 0


class NotAllowed(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Spec:
    """One OpenAPI document: which operation a path is, and what may be in its form and query."""

    def __init__(self, path: Path) -> None:
        document: Object = json.loads(path.read_text(encoding="utf-8"))
        self._document = document
        paths = document["paths"]
        assert isinstance(paths, dict)
        self._operations = [(_template(each), paths[each]) for each in paths]

    def check(self, asked: Asked) -> bool:
        """False when no path of this document fits. Raises `NotAllowed`."""
        for template, item in self._operations:
            if (found := template.fullmatch(asked.path)) and asked.method.lower() in item:
                self._check(asked, item, item[asked.method.lower()], found.groupdict())
                return True
        return False

    def _check(self, asked: Asked, item: Object, operation: Object, path: Mapping[str, str]) -> None:
        parameters = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
        given = {"path": {name: (value,) for name, value in path.items()}, "query": asked.query}
        for place, values in given.items():
            named = [each for each in parameters if each["in"] == place]
            properties: Object = {str(each["name"]): each["schema"] for each in named}
            needed = [str(each["name"]) for each in named if each.get("required")]
            self._validate(values, {"properties": properties, "required": needed})
        self._validate(asked.form, _form_schema(operation))

    def _validate(self, values: Mapping[str, tuple[str, ...]], schema: Object) -> None:
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        if unknown := [name for name in values if name not in properties]:
            raise NotAllowed(400, 20001, f"unknown parameter: {', '.join(unknown)}")
        instance = {name: self._typed(value, properties[name]) for name, value in values.items()}
        whole: Object = {"type": "object", **schema, "components": self._document["components"]}
        for fault in Draft4Validator(whole).iter_errors(instance):
            raise NotAllowed(400, 20001, f"{'/'.join(map(str, fault.path))}: {fault.message}")

    def _typed(self, values: tuple[str, ...], schema: Object) -> object:
        """Form texts as the type that the document says; what does not fit stays text and fails."""
        reference = str(schema.get("$ref", ""))
        if reference:
            schema = self._schema(reference)
        kind = schema.get("type")
        text = values[0]
        if kind == "array":
            return list(values)
        if len(values) > 1:
            return list(values)
        if kind == "integer" and re.fullmatch(r"-?\d+", text):
            return int(text)
        if kind == "boolean" and text in ("true", "false"):
            return text == "true"
        return text

    def _schema(self, reference: str) -> Object:
        components = self._document["components"]
        assert isinstance(components, dict)
        found = components["schemas"][reference.rpartition("/")[2]]
        assert isinstance(found, dict)
        return found


class Network(Protocol):
    """Who carries out what our requests order; told after the fake has written it down."""

    def ring(self, call_sid: str, asked: Asked) -> None:
        """A new call to a person."""

    def move(self, call_sid: str, asked: Asked) -> None:
        """A live call goes on with other TwiML, or is ended."""

    def decide(self) -> None:
        """A task or a reservation has another status."""


@dataclass
class TwilioApi:
    """What the fake holds, for tests to set and to read. `asked` are the requests that were let in."""

    account: str = ACCOUNT
    token: str = field(default=TOKEN, repr=False)
    network: Network | None = None
    asked: list[Asked] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # by the OpenAPI files
    calls: dict[str, str] = field(default_factory=dict)  # SID: status
    tasks: dict[str, Object] = field(default_factory=dict)
    reservations: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, Statistics] = field(default_factory=lambda: {each: Statistics() for each in QUEUES})
    accepted_meanwhile: set[str] = field(default_factory=set)  # tasks a worker takes just before our update
    fails_with: int | None = None
    stall: threading.Event | None = None  # answers nothing until it is set
    url: str = ""
    _specs: tuple[Spec, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def task(self, number: int, call_sid: str, status: str = "pending", **attributes: str) -> str:
        sid = f"WT{number:032x}"
        self.tasks[sid] = {
            "sid": sid,
            "workspace_sid": WORKSPACE,
            "workflow_sid": WORKFLOW,
            "assignment_status": status,
            "attributes": json.dumps({"call_sid": call_sid, **attributes}),
        }
        return sid

    def reservation(self, number: int) -> str:
        sid = f"WR{number:032x}"
        self.reservations[sid] = "pending"
        return sid

    def posted(self, part: str) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST" and part in each.path]

    def answer(self, asked: Asked, authorization: str) -> Object:
        with self._lock:
            if authorization != "Basic " + base64.b64encode(f"{self.account}:{self.token}".encode()).decode():
                raise NotAllowed(401, 20003, "Authenticate")
            self._check(asked)
            if self.fails_with:
                raise NotAllowed(self.fails_with, 20500, "Internal Server Error")
            self.asked.append(asked)
            return self._act(asked)

    def _check(self, asked: Asked) -> None:
        try:
            known = any(spec.check(asked) for spec in self._specs)
        except NotAllowed as no:
            self.refused.append(f"{asked.method} {asked.path}: {no}")
            raise
        if not known:
            self.refused.append(f"{asked.method} {asked.path}: no such operation")
            raise NotAllowed(404, 20404, "no such operation")

    def _act(self, asked: Asked) -> Object:
        parts = asked.path.strip("/").split("/")
        match [asked.method, *parts]:
            case ["POST", "2010-04-01", "Accounts", _, "Calls.json"]:
                sid = f"CA{len(self.calls) + 0xF000:032x}"
                self.calls[sid] = "queued"
                if self.network:
                    self.network.ring(sid, asked)
                return {"sid": sid, "status": "queued"}
            case ["POST", "2010-04-01", "Accounts", _, "Calls", name]:
                return self._update_call(asked, name.removesuffix(".json"))
            case ["GET", "v1", "Workspaces"]:
                return _page("workspaces", [{"sid": OTHER_WORKSPACE}, {"sid": WORKSPACE}])
            case ["GET", "v1", "Workspaces", workspace, "Workflows", workflow]:
                if (workspace, workflow) != (WORKSPACE, WORKFLOW):
                    raise NotAllowed(404, 20404, "not found")
                return {"sid": workflow, "configuration": json.dumps(_routing())}
            case ["GET", "v1", "Workspaces", _, "TaskQueues", queue, "RealTimeStatistics"]:
                now = self.statistics[queue]
                return {
                    "total_eligible_workers": now.eligible,
                    "total_available_workers": now.available,
                    "longest_task_waiting_age": now.longest_wait,
                }
            case ["GET", "v1", "Workspaces", _, "Tasks"]:
                return _page("tasks", self._found(asked.query.get("EvaluateTaskAttributes", ("",))[0]))
            case ["POST", "v1", "Workspaces", workspace, "Tasks"]:
                sid = self.task(len(self.tasks) + 1, "")
                self.tasks[sid] |= {"workspace_sid": workspace, "attributes": asked["Attributes"]}
                return self.tasks[sid]
            case ["GET" | "POST", "v1", "Workspaces", _, "Tasks", sid]:
                return self._task(asked, sid)
            case ["POST", "v1", "Workspaces", _, "Tasks", task, "Reservations", sid]:
                return self._decide(asked, task, sid)
        raise NotAllowed(404, 20404, "not found")

    def _decided(self) -> None:
        if self.network:
            self.network.decide()

    def _update_call(self, asked: Asked, sid: str) -> Object:
        if self.calls.get(sid) not in ("queued", "ringing", "in-progress"):
            raise NotAllowed(400, 21220, "Call is not in-progress. Cannot redirect.")
        if "Status" in asked.form:
            self.calls[sid] = asked["Status"]
        if self.network:
            self.network.move(sid, asked)
        return {"sid": sid, "status": self.calls[sid]}

    def _found(self, expression: str) -> list[Object]:
        wanted = re.fullmatch(r'call_sid == "(CA[0-9a-f]{32})"', expression)
        if not wanted:
            raise NotAllowed(400, 20001, "the expression cannot be read")
        return [
            each
            for each in self.tasks.values()
            if json.loads(str(each["attributes"])).get("call_sid") == wanted[1]
        ]

    def _task(self, asked: Asked, sid: str) -> Object:
        if sid not in self.tasks:
            raise NotAllowed(404, 20404, "not found")
        task = self.tasks[sid]
        if "AssignmentStatus" in asked.form and "Attributes" in asked.form:
            raise NotAllowed(400, 20001, "status and attributes must be changed in two requests")
        if asked.method == "POST" and sid in self.accepted_meanwhile:
            self.accepted_meanwhile.discard(sid)
            task["assignment_status"] = "assigned"
        if wanted := asked.form.get("AssignmentStatus"):
            if task["assignment_status"] not in TASK_ENDS.get(wanted[0], ()):
                raise NotAllowed(400, 20001, f"a task that is {task['assignment_status']} cannot be that")
            task["assignment_status"] = wanted[0]
            self._decided()
        if attributes := asked.form.get("Attributes"):
            task["attributes"] = attributes[0]
        return task

    def _decide(self, asked: Asked, task: str, sid: str) -> Object:
        if self.reservations.get(sid) != "pending":
            raise NotAllowed(410, 20410, "the reservation is over")
        self.reservations[sid] = asked["ReservationStatus"]
        self.tasks[task]["assignment_status"] = (
            "assigned" if asked["ReservationStatus"] == "accepted" else "pending"
        )
        self._decided()
        return {"sid": sid, "reservation_status": self.reservations[sid]}


@contextmanager
def twilio_api() -> Iterator[TwilioApi]:
    """The fake, listening in a thread; `url` is for TWILIO_API_BASE."""
    api = TwilioApi(_specs=_all_specs())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def do_GET(self) -> None:
            self._handle("GET")

        def do_POST(self) -> None:
            self._handle("POST")

        def _handle(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if api.stall is not None:
                api.stall.wait(10)
            status, data = _answered(api, method, self.path, body, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Nothing on the tests' screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        if api.stall is not None:
            api.stall.set()
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def twilio_api_here(account: str = ACCOUNT, token: str = TOKEN) -> AsyncIterator[TwilioApi]:
    """The same in the running loop, so that virtual time waits for its answers."""
    api = TwilioApi(account=account, token=token, _specs=_all_specs())

    async def handle(request: web.Request) -> web.Response:
        body, authorization = await request.read(), request.headers.get("Authorization", "")
        status, data = _answered(api, request.method, request.raw_path, body, authorization)
        return web.Response(status=status, body=data, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()


def _answered(api: TwilioApi, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
    address = urlsplit(path)
    asked = Asked(method, unquote(address.path), _values(body.decode()), _values(address.query))
    try:
        status, answer = 200, api.answer(asked, authorization)
    except NotAllowed as no:
        status, answer = no.status, {"code": no.code, "message": str(no), "status": no.status}
    return status, json.dumps(answer).encode()


@cache
def _all_specs() -> tuple[Spec, ...]:
    return tuple(Spec(each) for each in sorted(SPECS.glob("twilio_*.json")))


def _template(path: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+?)", re.escape(path))
    return re.compile(pattern)


def _form_schema(operation: Object) -> Object:
    body = operation.get("requestBody")
    if not isinstance(body, dict):
        return {"properties": {}}
    schema = body["content"]["application/x-www-form-urlencoded"]["schema"]
    assert isinstance(schema, dict)
    return schema


def _values(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        found[name] = (*found.get(name, ()), value)
    return found


def _list(value: object) -> list[Object]:
    return value if isinstance(value, list) else []


def _page(name: str, items: list[Object]) -> Object:
    return {name: items, "meta": {"key": name, "page": 0, "page_size": 50, "next_page_url": None}}


def _routing() -> Object:
    filters = [{"expression": "tier == 'vip'", "targets": [{"queue": QUEUES[0], "timeout": 30}]}]
    return {"task_routing": {"filters": filters, "default_filter": {"queue": QUEUES[1]}}}
