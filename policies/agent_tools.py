"""The agent file's `tools`: the next actions a model may ask for, over HTTP or as a Python function."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from policies.agent_values import Address, Contradiction, Identifier, Name, Section, Timeout, matching

BUILT_IN: Final = frozenset(
    {"request_handoff", "report_turn", "lookup_fact", "schedule_callback", "end_call"}
)

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
Function = Annotated[
    str, matching(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "must be a function as package.module:function")
]


class ReadBack(Section):
    """Asks by GET whether it was really done. `{name}` in `url` is an argument; `expect` is in the answer."""

    url: Address
    expect: dict[str, Any]


class Tool(Section):
    """`parameters`: a JSON Schema of the arguments. `claims` may be said only once the tool is confirmed."""

    name: Identifier
    description: Name
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    url: Address | None = None
    python: Function | None = None
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
        if self.parameters.get("type") != "object":
            yield "parameters", "must be a JSON Schema with `type: object`"
        arguments = self.parameters.get("properties", {})
        for name in PLACEHOLDER.findall(self.read_back.url) if self.read_back else ():
            if name not in arguments:
                yield "read_back.url", f"{{{name}}} is none of the tool's parameters"


def named_once(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Raises `Contradiction` where two tools have one name."""
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if tool.name in seen:
            raise Contradiction((f"[{index}].name", f"{tool.name!r} is the name of an earlier tool"))
        seen.add(tool.name)
    return tools
