"""The forms of error messages."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers.error_form import MAX_BYTES, ErrorForm, error_form


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "no", "type": "invalid_request_error"}}, ErrorForm.OPENAI),
        ({"error": {"message": "no", "code": 400}}, ErrorForm.OPENAI),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, ErrorForm.ANTHROPIC),
        ({"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}, ErrorForm.GOOGLE),
        ([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], ErrorForm.GOOGLE),
        ({"error": "model not found"}, ErrorForm.TEXT_FIELD),
        ({"message": "no"}, ErrorForm.MESSAGE),
        ({"detail": [{"msg": "field required"}]}, ErrorForm.DETAIL),
        ({"object": "error"}, ErrorForm.OTHER),
        ([], ErrorForm.OTHER),
        ("no", ErrorForm.OTHER),
    ],
)
def test_the_form_of_an_error_is_known_from_its_fields(body: object, expected: ErrorForm) -> None:
    assert error_form(json.dumps(body).encode()) is expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[" * 60_000, json.dumps({"error": "x" * MAX_BYTES}).encode()]
)
def test_a_body_that_is_no_json_or_too_long_has_another_form(body: bytes) -> None:
    assert error_form(body) is ErrorForm.OTHER
