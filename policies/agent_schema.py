"""The agent file's JSON Schema, for editors that complete keys and underline mistakes."""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from policies.agent_compliance import DAYS, LIFETIME
from policies.agent_file import Sections
from policies.agent_values import DURATION

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _ForEditors(GenerateJsonSchema):
    """Values that our own functions read (durations, spoken lines) are told by the metadata of their type."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        return {}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A name of another pattern is refused, as we do; JSON Schema's `patternProperties` let it pass."""
        made = super().dict_schema(schema)
        for pattern, value in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
        return made

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    model: type[BaseModel] = Sections
    made = model.model_json_schema(schema_generator=_ForEditors)
    definitions = made.get("$defs", {})
    for section in (made, *definitions.values()):
        for name, key in section.get("properties", {}).items():
            section["properties"][name] = _as_written(key, definitions)
    return {
        "$schema": DIALECT,
        "title": "Five Gates agent file",
        **{k: v for k, v in made.items() if k != "title"},
    }


def _as_written(key: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A key with its default as an author would write it; without one that cannot be written."""
    if "default" not in key:
        return key
    rest = {name: value for name, value in key.items() if name != "default"}
    default = _text(key["default"], key.get("pattern", ""))
    valid = default is not None and Draft202012Validator({**rest, "$defs": definitions}).is_valid(default)
    return {**rest, "default": default} if valid else rest


def _text(default: Any, pattern: str) -> Any:  # a default can be any value
    """Seconds and days with their unit. A section says its defaults key by key."""
    match default, pattern.strip("^$"):
        case float() | int(), DURATION.pattern:
            return f"{default / 86_400:g}d" if default and default % 86_400 == 0 else f"{default:g}s"
        case float() | int(), LIFETIME.pattern:
            return f"{default / DAYS['y']:g}y" if default % DAYS["y"] == 0 else f"{default:g}d"
        case dict(), _:
            return None
        case _:
            return default
