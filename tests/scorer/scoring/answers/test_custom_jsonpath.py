"""Answers by JSONPath, and the setting that gives it."""

import json

import pytest
from pydantic import ValidationError

from glidepath.config.comparison import AnswerSection
from scorer.scoring.answers import CustomSurface, Extracted, Surface, UnusableReason, extract


def answer(body, jsonpath, done="", content_type="application/json", request=b"{}"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return extract(
        path="/x",
        content_type=content_type,
        status=200,
        request_body=request,
        response_body=raw,
        custom=CustomSurface(jsonpath, done),
    )


@pytest.mark.parametrize(
    ("body", "jsonpath", "text"),
    [
        ({"output": {"text": "hi"}}, "$.output.text", "hi"),
        ({"candidates": [{"parts": [{"text": "a"}, {"text": "b"}]}]}, "$.candidates[0].parts[*].text", "ab"),
        ([{"generated": "hi"}], "$[0].generated", "hi"),
        ({"n": 4}, "$.n", "4"),
        ({"a": {"b": 1, "c": [True]}}, "$.a", '{"b":1,"c":[true]}'),
    ],
)
def test_the_path_finds_the_answer(body, jsonpath, text):
    found = answer(body, jsonpath)
    assert isinstance(found, Extracted)
    assert (found.surface, found.text) == (Surface.CUSTOM, text)


def test_rows_of_numbers_are_vectors():
    assert answer({"v": [[1, 2], [3, 4]]}, "$.v").vectors == ((1.0, 2.0), (3.0, 4.0))
    assert answer({"v": [[1, 2], [3, 4]]}, "$.v[*]").vectors == ((1.0, 2.0), (3.0, 4.0))
    assert answer({"v": [1, 2]}, "$.v").vectors == ((1.0, 2.0),)


def test_another_value_is_structured_too():
    assert answer({"a": {"b": 1}}, "$.a").structured == {"b": 1}


def test_a_path_that_matches_nothing_leaves_it_to_the_known_forms(load):
    exchange = load("openai_chat")
    assert answer(exchange.response, "$.output.text").surface is Surface.OPENAI_CHAT
    found = answer({"x": 1}, "$.output.text")
    assert found.reason is UnusableReason.UNSUPPORTED


def test_a_stream_is_over_when_done_finds_something_true():
    lines = [{"t": "a", "end": False}, {"t": "b", "end": True}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert answer(body, "$.t", "$.end").text == "ab"
    cut = answer(body.splitlines()[0] + b'\n{"t": "c"}\n', "$.t", "$.end")
    assert cut.reason is UnusableReason.TRUNCATED
    assert answer(body.splitlines()[0] + b'\n{"t": "c"}\n', "$.t").text == "ac"


def test_json_asked_for_is_parsed_here_too():
    found = answer({"t": '{"n": 1}'}, "$.t", request=b'{"response_format": {"type": "json_object"}}')
    assert found.structured == {"n": 1}


@pytest.mark.parametrize("path", ["", "$.[", "a b", "$.a["])
def test_a_setting_that_is_no_jsonpath_is_refused(path):
    with pytest.raises(ValidationError):
        AnswerSection(jsonpath=path)


def test_a_setting_that_is_one_is_taken():
    assert AnswerSection(jsonpath="$.output.text", done="$.end").done == "$.end"
