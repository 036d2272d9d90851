"""The agent file's JSON Schema, for editors that complete keys and underline mistakes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from policies.agent_file import Sections

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _ForEditors(GenerateJsonSchema):
    """Values that our own functions read (durations, spoken lines) are told by the metadata of their type."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        return {}

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    model: type[BaseModel] = Sections
    made = model.model_json_schema(schema_generator=_ForEditors)
    return {
        "$schema": DIALECT,
        "title": "Five Gates agent file",
        **{k: v for k, v in made.items() if k != "title"},
    }
