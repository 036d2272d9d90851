"""Templates to pages; whatever a caller said is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2
from starlette.responses import HTMLResponse, Response

STATIC: Final = Path(__file__).parent / "static"


def page(template: str, values: Mapping[str, object], status: int = 200) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status)


def _moment(at: float) -> str:
    """`at` is seconds since 1970, shown in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _length(seconds: float) -> str:
    """`75.2` as `1:15`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _words(name: str) -> str:
    """A closed-list word as people say it: `handed_off` as `handed off`."""
    return name.replace("_", " ")


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"moment": _moment, "iso": _iso, "length_of_call": _length, "words": _words}
