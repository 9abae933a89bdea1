"""Renders the templates. Every text is escaped, and control characters are made visible."""

from __future__ import annotations

import hashlib
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from glidepath.duration_text import duration_text
from glidepath.printable_text import one_line, printable, shown_id
from glidepath_ops.console.action_effects import label_of

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


def _time(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1000)) if at_ms else "–"


def _number(value: float | None, digits: int = 4) -> str:
    return "–" if value is None else f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


@cache
def asset(name: str) -> str:
    """Return the URL of a static file. It changes when the file changes, so a browser never runs an old script."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        time=_time,
        number=_number,
        duration=duration_text,
        line=one_line,
        shown=printable,
        id=shown_id,
        quoted=lambda text: quote(str(text), safe=""),
        words=lambda text: str(text).replace("_", " "),
    )
    environment.globals.update(asset=asset, label_of=label_of)
    return environment


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def page(template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page. A lone surrogate, which UTF-8 cannot express, becomes "?"."""
    return HTMLResponse(render(template, **values).encode("utf-8", "replace"), code)
