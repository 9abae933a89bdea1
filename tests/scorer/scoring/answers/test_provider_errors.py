"""Error messages in bodies with status 200."""

import json

import pytest

from scorer.scoring.answers import UnusableReason
from tests.support.answer_bodies import answer, chat, stream


def test_an_error_beside_choices_is_an_error():
    chunk = {"error": {"code": 502, "message": "gone"}, "choices": [{"delta": {}, "finish_reason": "error"}]}
    assert (
        answer(stream({"content": "a"}, done=False) + f"data: {json.dumps(chunk)}\n\n").reason
        is UnusableReason.ERROR_BODY
    )
    assert answer(chat({"content": ""}, "error")).reason is UnusableReason.ERROR_BODY


@pytest.mark.parametrize(
    "body",
    [
        'event: error\ndata: {"message": "gone"}\n\n',
        "event: error\ndata: gone\n\n",
        'error: {"code": 500, "message": "gone"}\n\n',
        'data: {"object": "error", "message": "gone"}\n\n',
    ],
)
def test_every_kind_of_error_in_a_stream_is_recognised(body):
    found = answer(body, content_type="text/event-stream")
    assert found.reason is UnusableReason.ERROR_BODY
    assert "gone" in found.detail


@pytest.mark.parametrize("error", [None, {}, "", False, 0.25])
def test_an_empty_error_field_is_ignored(error):
    assert answer(chat({"content": "a"}, error=error)).text == "a"
