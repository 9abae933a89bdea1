"""Reads one line of a JSON Lines file as a JSON object."""

from __future__ import annotations

import json
from typing import Any

from glidepath.errors import InputError, error_text


def json_object(line: bytes, *, max_bytes: int, where: str = "", wanted: str = "a JSON object") -> dict[str, Any]:
    """Return the JSON object in ``line``.

    ``where``: the file and the line number, with which an error message begins.
    ``wanted``: what the error message asks for if the line has another JSON value.

    Raises InputError if the line, without its newline, is longer than ``max_bytes`` or has no JSON object.
    """
    at = f"{where}: " if where else ""
    if len(line) - line.endswith(b"\n") > max_bytes:
        raise InputError(f"{at}the line is longer than {max_bytes} bytes")
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{at}not JSON: {error_text(error)}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{at}must be {wanted}")
    return raw
