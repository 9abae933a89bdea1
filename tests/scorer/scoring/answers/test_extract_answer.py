"""Bodies without an answer."""

import pytest

from scorer.scoring.answers import Unusable, UnusableReason
from tests.support.answer_bodies import answer


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", UnusableReason.EMPTY_BODY),
        (b" \r\n", "application/json", UnusableReason.EMPTY_BODY),
        (b"{]", "application/json", UnusableReason.MALFORMED),
        (b'{"choices": [NaN]}', "application/json", UnusableReason.MALFORMED),
        (b'{"a": "\xff\xfe"}', "application/json", UnusableReason.MALFORMED),
        (b'{"choices": []}', "application/json", UnusableReason.MALFORMED),
        (b'{"choices": [5]}', "application/json", UnusableReason.UNSUPPORTED),
        (b'{"choices": [{"message": 5}]}', "application/json", UnusableReason.MALFORMED),
        (b'{"hello": 1}', "application/json", UnusableReason.UNSUPPORTED),
        (b"<html>", "text/html", UnusableReason.UNSUPPORTED),
        (b"\x00\x01", "application/octet-stream", UnusableReason.MALFORMED),
        (b": ping\n\n", "text/event-stream", UnusableReason.TRUNCATED),
        (b"data: {]\n\ndata: [DONE]\n\n", "text/event-stream", UnusableReason.MALFORMED),
        (b'{"done": false}\n{]\n{}\n', "application/x-ndjson", UnusableReason.MALFORMED),
    ],
)
def test_a_body_without_an_answer_has_a_reason(body, kind, reason):
    found = answer(body, content_type=kind)
    assert isinstance(found, Unusable)
    assert found.reason is reason


def test_a_body_cut_by_the_capture_is_too_large(load):
    exchange = load("openai_chat")
    found = answer(exchange.response, body_cut=True)
    assert found.reason is UnusableReason.TOO_LARGE
