"""The form of an error message: where a client's program finds the text of the error."""

from __future__ import annotations

import json
from enum import StrEnum

MAX_BYTES = 65_536  # an error message is short; a longer body is no error message


class ErrorForm(StrEnum):
    """The form of an error's body."""

    OPENAI = "openai"  # {"error": {"message": …, "type": …}}
    ANTHROPIC = "anthropic"  # {"type": "error", "error": {"type": …, "message": …}}
    GOOGLE = "google"  # {"error": {"code": 400, "message": …, "status": "INVALID_ARGUMENT"}}
    TEXT_FIELD = "text_field"  # {"error": "…"}, as Ollama and Text Generation Inference write it
    MESSAGE = "message"  # {"message": "…"}, as Cohere and Bedrock write it
    DETAIL = "detail"  # {"detail": …}, as FastAPI writes it
    OTHER = "other"  # no JSON object, or an unknown one


def error_form(body: bytes) -> ErrorForm:
    """Return the form of an error's body."""
    try:
        found = json.loads(body) if len(body) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        return ErrorForm.OTHER
    if isinstance(found, list) and found:  # Gemini answers a streaming call with an array
        found = found[0]
    return _form_of(found) if isinstance(found, dict) else ErrorForm.OTHER


def _form_of(body: dict[str, object]) -> ErrorForm:
    error = body.get("error")
    if isinstance(error, dict):
        if body.get("type") == "error":
            return ErrorForm.ANTHROPIC
        return ErrorForm.GOOGLE if "status" in error and isinstance(error.get("code"), int) else ErrorForm.OPENAI
    if isinstance(error, str):
        return ErrorForm.TEXT_FIELD
    known = (("message", ErrorForm.MESSAGE), ("detail", ErrorForm.DETAIL))
    return next((form for name, form in known if name in body), ErrorForm.OTHER)
