"""Recognises error messages without a field ``error``: those of FastAPI, AWS, Cloudflare, GraphQL and others."""

from __future__ import annotations

from collections.abc import Mapping

_WITH_A_CODE = frozenset(("code", "message", "request_id", "requestId", "type", "param", "details"))
_CODES_OF_SUCCESS = ("0", "200", "ok", "success", "none")
_OF_GRAPHQL = frozenset(("errors", "data", "extensions"))
_ANSWERS = ("choices", "output")


def is_error_without_the_field(doc: Mapping[str, object]) -> bool:
    """Return whether a document is an error message.

    A document with only ``message`` does not count, because it may be an answer in a custom format.
    """
    keys = doc.keys()
    coded = {"code", "message"} <= keys <= _WITH_A_CODE and str(doc["code"]).lower() not in _CODES_OF_SUCCESS
    failed = (doc.get("success") is False or doc.get("status") == "error") and keys.isdisjoint(_ANSWERS)
    listed = keys <= _OF_GRAPHQL and bool(doc.get("errors")) and not doc.get("data")
    return coded or failed or listed or keys == {"detail"} or "__type" in keys
