"""Tests of how a body is recognised: one JSON document, a stream of documents, or plain text."""

import json

import pytest

from scorer.scoring.answers import UnusableReason
from tests.support.answer_bodies import answer, chat, stream


@pytest.mark.parametrize("ending", ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n"])
def test_a_stream_may_have_any_line_ending(ending):
    assert answer(stream({"content": "a"}, {"content": "b"}, ending=ending)).text == "ab"


def test_a_stream_may_end_without_a_blank_line():
    assert answer(stream({"content": "a"}).rstrip()).text == "a"


def test_text_that_begins_like_json_is_text_if_declared_as_text():
    assert answer("[link](https://example.org)", content_type="text/plain").text == "[link](https://example.org)"


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown; charset=utf-8"])
def test_a_stream_that_is_declared_as_text_is_a_stream(kind):
    assert answer(": hello\n\n" + stream({"content": "a"}, {"content": "b"}), content_type=kind).text == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "data: three apples\n\ndata: two pears\n",
        "data: 3\n\n",
        "data: [DONE]\n\n",
        'data: {"a": 1}\n\ndata: but not here\n\n',
        ": a comment",
        "event: error\ndata: no JSON\n\n",
        "id: 7\nretry: 5\n",
    ],
)
def test_text_that_begins_like_a_stream_is_text_if_declared_as_text(text):
    assert answer(text, content_type="text/plain").text == text


@pytest.mark.parametrize(
    "keep_alive", ["data:\n\n", "data: \n\n", "event: ping\ndata:\n\n", "event: ping\ndata: ok\n\n"]
)
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_keep_alive_event_is_not_part_of_the_answer(keep_alive, place):
    events = stream({"content": "a"}, {"content": "b"}).split("\n\n")
    events.insert(place, keep_alive.removesuffix("\n\n"))
    assert answer("\n\n".join(events), content_type="text/event-stream").text == "ab"


def test_an_error_event_without_data_is_an_error():
    body = "event: error\ndata:\n\n" + stream({"content": "a"})
    assert answer(body, content_type="text/event-stream").reason is UnusableReason.ERROR_BODY


@pytest.mark.parametrize("blanks", [1, 63, 64, 65, 5000])
@pytest.mark.parametrize("kind", ["", "application/json", "text/event-stream", "application/x-ndjson"])
def test_white_space_before_a_body_does_not_hide_its_format(blanks, kind):
    before = " \r\n\t"[blanks % 4] * blanks
    bodies = [json.dumps(chat({"content": "a"}))]
    if kind != "application/json":
        bodies.append('{"message": {"content": "a"}, "done": false}\n{"message": {"content": ""}, "done": true}\n')
    if kind in ("", "text/event-stream"):
        bodies.append("\n" + stream({"content": "a"}))
    for body in bodies:
        assert answer(before + body, content_type=kind).text == "a"
    assert answer(f'{before}{{"error": "busy"}}', content_type=kind).reason is UnusableReason.ERROR_BODY
