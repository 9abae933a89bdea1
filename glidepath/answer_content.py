"""Decides whether the body of an answer has content that a client can use, by one search for the keys of content."""

from __future__ import annotations

import re

TAIL = 64 * 1024  # bytes at the end of a body that are read, or searched first

# Content that a client can use. Reasoning alone is none. White space alone is some only if a text is completed.
_KEYS = (
    rb'"(?:content|text|refusal|partial_json|delta|name|transcript|data|url|code|input|arguments|response|b64_json'
    rb'|stringValue|generation|completion)"\s*+:\s*+"'
)
_OBJECTS = rb'"(?:args|arguments|input)"\s*+:\s*+\{\s*+"'
_CONTENT = re.compile(_KEYS + rb'(?: |\\[nrt])*+(?!")|' + _OBJECTS)
_COMPLETION = re.compile(_KEYS + rb'(?!")|' + _OBJECTS)


def has_content(body: bytes, *, completes: bool) -> bool:
    """Return whether the body has content that a client can use.

    The end of the body is searched first, because the content comes last after long reasoning. ``completes``: whether
    the answer completes a text or code, which may need white space only.
    """
    content = _COMPLETION if completes else _CONTENT
    return content.search(body, max(0, len(body) - TAIL)) is not None or content.search(body) is not None


def completes_text(doc: dict[str, object]) -> bool:
    choices = doc.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    return "text" in first or "response" in doc or is_of_llamacpp(doc) or is_of_sglang(doc)  # OpenAI and Ollama first


def is_of_sglang(doc: dict[str, object]) -> bool:
    return isinstance(doc.get("meta_info"), dict) and isinstance(doc.get("text"), str)


def is_of_llamacpp(doc: dict[str, object]) -> bool:
    return isinstance(doc.get("stop"), bool) and isinstance(doc.get("content"), str)
