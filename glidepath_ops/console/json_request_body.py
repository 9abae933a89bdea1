"""Reads the body of a request to the console as a JSON object, up to a limit."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from glidepath.errors import GlidepathError, error_text

MOST_BODY = 64 * 1024


class BadRequestError(GlidepathError):
    """The request does not have the expected form."""


class TooLargeError(BadRequestError):
    """The body of the request is too long."""


async def json_body(request: Request) -> dict[str, Any]:
    """Return the request's JSON object. Raises BadRequestError for other bodies, TooLargeError above MOST_BODY."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadRequestError("the body must be JSON, with content-type: application/json")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BODY:
            raise TooLargeError(f"the body is longer than {MOST_BODY} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error_text(error)[:200]}") from error
    if not isinstance(found, dict):
        raise BadRequestError("the body must be a JSON object")
    return found
