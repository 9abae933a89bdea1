"""Find the error message in a body, for any HTTP status of the response."""

from __future__ import annotations

from scorer.scoring.answers.body_format import Body, JsonDocument, PlainText, Stream
from scorer.scoring.answers.strict_json import clean


def error_message(body: Body) -> str | None:
    """Return the error message in a body, or None if the body is not an error message."""
    match body:
        case JsonDocument(list(values)):  # Gemini streams an array, whose last item may be an error
            return next((found for value in values if (found := _error(value)) is not None), None)
        case JsonDocument(value):
            return _error(value)
        case Stream() as stream:
            return next((found for name, doc in stream.objects() if (found := _error(doc, name)) is not None), None)
        case PlainText():
            return None


def failure_message(body: Body) -> str:
    """Return the error message of a body whose HTTP status is an error.

    If the body has no error message, return the start of its plain text, or its field ``message`` or ``detail``, or "".
    """
    match body:
        case PlainText(text):
            return text.strip()[:200]
        case JsonDocument(value) if isinstance(value, dict) and error_message(body) is None:
            found = value.get("message") or value.get("detail")
            return clean(found) if isinstance(found, str) else ""
        case _:
            return error_message(body) or ""


def _error(value: object, event: str = "") -> str | None:
    if not isinstance(value, dict):
        return None
    found = value.get("error")
    if event == "error" or value.get("type") == "error" or value.get("object") == "error":
        return _message(found or value)
    if found and isinstance(found, str | dict | list | bool):  # a number may be a measured value
        return _message(found)
    if event == "response.failed" or value.get("type") == "response.failed":
        response = value.get("response")
        return _message(response.get("error") if isinstance(response, dict) else None)
    return None


def _message(error: object) -> str:
    if isinstance(error, dict):
        inner = error.get("error")
        found = (
            error.get("message")
            or (inner if isinstance(inner, str) else None)
            or error.get("type")
            or error.get("code")
        )
        return clean(str(found)) if isinstance(found, str | int) else "an error without a message"
    return clean(error) if isinstance(error, str) else "an error without a message"
