"""Templates to pages; whatever a caller said is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2
from starlette.responses import HTMLResponse, Response

STATIC: Final = Path(__file__).parent / "static"


def page(template: str, status: int = 200, **values: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(template).render(values), status)


def _moment(at: float) -> str:
    """`at` is seconds since 1970, shown in UTC; the page's script shows it in the reader's own zone."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _length(seconds: float | None) -> str:
    """`75.2` as `1:15`; nothing where it is not known."""
    if seconds is None:
        return ""
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
