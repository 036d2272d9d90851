"""What is wrong with an agent file, in words a person who is not an engineer can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from policies.agent_values import Contradiction
from policies.yaml_lines import Document, Fault, Path, Value, key_text

NOT_BUILT: Set[Path] = frozenset(
    {
        ("evaluation", "success"),
        ("evaluation", "check"),
        ("evaluation", "sampling"),
        ("evaluation", "targets"),
        ("evaluation", "owners"),
        ("compliance", "disclosure", "prove"),
        ("compliance", "disclosure", "repeat"),
        ("compliance", "consent"),
        ("compliance", "jurisdictions"),
        ("compliance", "retention"),
        ("compliance", "opt_out"),
        ("compliance", "mode"),
    }
)
"""Keys of the design whose feature is still to come: refused by name. Building one deletes its entry."""

VALUES_NOT_BUILT: Mapping[Path, Set[str]] = {}

REFERENCE = re.compile(r"\$\{\w+\}")
PARTS = re.compile(r"\w+")
QUOTED = re.compile(r"'([^']*)'")
TAGS = ("adapter", "type")  # keys whose value says what the others are
OF_THE_KEY = "[key]"  # pydantic: the key itself is wrong, not its value
LIST = "must be a list, one item a line after `- `, or in brackets: [a, b]"
MAPPING = "must be a mapping of keys to values"

WORDS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "bool_type": "must be true or false (yes, no, on and off are text)",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "tuple_type": LIST,
    "dict_type": MAPPING,
    "mapping_type": MAPPING,
    "model_type": MAPPING,
}
"""pydantic's error types in our words; its own words are used for the rest."""


class AgentFileInvalid(Exception):
    """The agent file cannot be used: show the text, which lists every fault with its line; load nothing."""

    def __init__(self, source: str, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(f"{source}:{fault}" for fault in faults))
        self.source = source
        self.faults = faults


SECRETS: Set[str] = frozenset({"token", "client_id", "client_secret", "user", "password", "value"})
"""Keys under `context.crm` that hold a secret."""


def stray_references(value: Value, path: Path = ()) -> Iterator[Path]:
    """The places of `${NAME}` where no secret stands."""
    if path[:2] == ("context", "crm") and path[-1] in SECRETS and "fields" not in path:
        return
    if path[:1] == ("tools",) and path[2:3] == ("headers",):
        return
    match value:
        case dict():
            for key, inner in value.items():
                yield from stray_references(inner, (*path, key))
        case tuple():
            for index, inner in enumerate(value):
                yield from stray_references(inner, (*path, index))
        case str() if REFERENCE.search(value):
            yield path
        case _:
            return


def not_built(value: Value) -> Iterator[Path]:
    """The places of keys whose feature is still to come."""
    for key in sorted(NOT_BUILT):
        yield from _places(value, key)


def _places(value: Value, key: Path) -> Iterator[Path]:
    """Where a key stands: once, or once an item of a list."""
    if not key:
        yield ()
        return
    match value:
        case dict() if key[0] in value:
            yield from ((key[0], *rest) for rest in _places(value[str(key[0])], key[1:]))
        case tuple():
            for index, item in enumerate(value):
                yield from ((index, *rest) for rest in _places(item, key))


def faults_of(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Fault]:
    """pydantic's errors as faults: with a line, a suggestion, and none of the file's own text but keys."""
    for each in error.errors(include_url=False):
        path = _in_document(each["loc"], document)
        where, line = key_text(path), document.line(path)
        match each["type"], each.get("ctx", {}).get("error"):
            case "extra_forbidden", _:
                yield Fault(line, where, _of_unknown_key(each["loc"], model))
            case "union_tag_invalid", _:
                tags = QUOTED.findall(each["ctx"]["expected_tags"])
                tag = str(each["ctx"]["tag"])
                where, line = key_text(at := (*path, _tag_key(each))), document.line(at)
                yield Fault(line, where, f"must be one of {', '.join(tags)}" + suggestion(tag, tags))
            case "union_tag_not_found", _:
                yield Fault(line, key_text((*path, _tag_key(each))), WORDS["missing"])
            case "literal_error", _:
                yield Fault(line, where, _of_choice(path, each))
            case _, Contradiction(problems=problems):
                for key, says in problems:
                    inner = (*path, *(int(part) if part.isdecimal() else part for part in PARTS.findall(key)))
                    yield Fault(document.line(inner), key_text(inner), says)
            case _, ValueError() as reason:
                yield Fault(line, where, str(reason))
            case kind, _:
                yield Fault(line, where, WORDS.get(kind, each["msg"].replace("Input should", "must", 1)))


def _tag_key(error: ErrorDetails) -> str:
    """The key whose value chooses the member of a union."""
    key: str = QUOTED.findall(error["ctx"]["discriminator"])[0]
    return key


def _in_document(path: Path, document: Document) -> Path:
    """A path as the file has it: pydantic also names the member of a union that was chosen by its tag."""
    found: list[str | int] = []
    value = document.value
    if path[-1:] == (OF_THE_KEY,):
        path = path[:-1]
    for key in path:
        inner = _inner(value, key)
        if inner is not None:
            found.append(key)
            value = inner
        elif key == path[-1] and not _is_tag(value, key):
            found.append(key)
    return tuple(found)


def _is_tag(value: Value, key: str | int) -> bool:
    """Is it the name of a union's member, which the file has as a value?"""
    return isinstance(value, dict) and key in (value.get(tag) for tag in TAGS)


def _inner(value: Value, key: str | int) -> Value | None:
    match value, key:
        case dict(), str():
            return value.get(key)
        case tuple(), int() if key < len(value):
            return value[key]
        case _:
            return None


def _of_unknown_key(path: Path, model: type[BaseModel]) -> str:
    key = str(path[-1])
    return f"unknown key {key!r}" + suggestion(key, _keys_at(model, path[:-1]))


def _of_choice(path: Path, error: ErrorDetails) -> str:
    choice = error["input"]
    if isinstance(choice, str) and choice in VALUES_NOT_BUILT.get(_names(path), ()):
        return f"`{choice}` is not built yet in this release: choose another"
    choices = QUOTED.findall(error["ctx"]["expected"])
    return f"must be one of {', '.join(choices)}" + suggestion(str(choice), choices)


def suggestion(word: str, known: Sequence[str]) -> str:
    """`; did you mean …?`, or nothing."""
    lowered = {each.lower(): each for each in known}
    closest = get_close_matches(word.lower().replace("-", "_"), lowered, n=1) or get_close_matches(
        word.lower(), lowered, n=1
    )
    return f"; did you mean {lowered[closest[0]]!r}?" if closest else ""


def _names(path: Path) -> tuple[str, ...]:
    """The keys of a path, without the places in lists."""
    return tuple(key for key in path if isinstance(key, str))


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys of the section a path of pydantic's leads to."""
    at: list[Any] = [model]
    for key in path:
        at = [inner for each in at for inner in _inside(each, key)]
    models = [found for each in at for found in _models_in(each)]
    return list(dict.fromkeys(key for each in models for key in _fields(each)))


def _inside(annotation: Any, key: str | int) -> Iterator[Any]:  # an annotation can be any object
    """What stands under a key. A tag stays where it is, and leaves one member of its union."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        tags = [field.annotation for name, field in annotation.model_fields.items() if name in TAGS]
        if key in get_args(tags[0] if tags else None):
            yield annotation
        elif field := _fields(annotation).get(str(key)):
            yield field.annotation
    elif origin is dict:
        yield inner[1]
    elif origin is tuple:
        yield inner[0]
    else:
        for each in inner:
            yield from _inside(each, key)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) not in (dict, tuple):
        for inner in get_args(annotation):
            yield from _models_in(inner)


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Fields by their keys in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}
