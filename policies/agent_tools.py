"""The agent file's `tools`: the next actions a model may ask for, over HTTP or as a Python function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, Field, model_validator

from policies.agent_crm import SecretValue
from policies.agent_values import Address, Contradiction, Identifier, Name, Section, Timeout, matching

BUILT_IN: Final = frozenset(
    {"request_handoff", "report_turn", "lookup_fact", "schedule_callback", "end_call"}
)

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
Function = Annotated[
    str, matching(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "must be a function as package.module:function")
]
Header = Annotated[str, matching(r"[A-Za-z][A-Za-z0-9-]{0,63}", "must be the name of a header")]


def _plain(value: Any) -> Any:
    """Lists as JSON has them: a document of ours holds tuples."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_plain)]


class ReadBack(Section):
    """Asks by GET whether it was really done. `{name}` in `url` is an argument; `expect` is in the answer."""

    url: Address
    expect: JsonObject


class Tool(Section):
    """`parameters`: a JSON Schema of the arguments. `claims` may be said only once the tool is confirmed.

    `headers` go with each request to `url` and to `read_back.url`; their values are secrets: ${NAME}.
    """

    name: Identifier
    description: Name
    parameters: JsonObject = Field(default_factory=lambda: {"type": "object", "properties": {}})
    url: Address | None = None
    python: Function | None = None
    headers: dict[Header, SecretValue] = Field(default_factory=dict)
    side_effect: bool = True  # the careful assumption: done once, however often it is asked for
    timeout: Timeout = 3.0
    claims: tuple[Name, ...] = ()
    read_back: ReadBack | None = None

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        if problems := tuple(self._problems()):
            raise Contradiction(*problems)
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        if (self.url is None) == (self.python is None):
            yield "name", "needs exactly one of `url` and `python`"
        if self.name in BUILT_IN:
            yield "name", f"{self.name!r} is built in: choose another name"
        if self.python and (self.headers or self.read_back):
            yield "python", "takes neither `headers` nor `read_back`: the function does what is needed"
        if self.parameters.get("type") != "object":
            yield "parameters", "must be a JSON Schema with `type: object`"
        elif fault := _schema_fault(self.parameters):
            yield "parameters", fault
        arguments = self.parameters.get("properties", {})
        for name in PLACEHOLDER.findall(self.read_back.url) if self.read_back else ():
            if name not in arguments:
                yield "read_back.url", f"{{{name}}} is none of the tool's parameters"


def _schema_fault(schema: dict[str, Any]) -> str:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "it"
        return f"is no JSON Schema: {where} breaks {error.validator}"
    return "must not use $ref: write each argument out" if _refers(schema) else ""


def _refers(schema: object) -> bool:
    """Whatever a schema refers to would have to be fetched."""
    match schema:
        case dict():
            return "$ref" in schema or any(map(_refers, schema.values()))
        case list() | tuple():
            return any(map(_refers, schema))
        case _:
            return False


def named_once(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Raises `Contradiction` where two tools have one name."""
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if tool.name in seen:
            raise Contradiction((f"[{index}].name", f"{tool.name!r} is the name of an earlier tool"))
        seen.add(tool.name)
    return tools
