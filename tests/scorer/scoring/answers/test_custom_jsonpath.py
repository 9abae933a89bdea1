"""Answers read by JSONPath, and the setting scoring.answer."""

import json

import pytest
from pydantic import ValidationError

from glidepath.config.comparison import AnswerSection
from scorer.scoring.answers import CustomSurface, Extracted, Surface, UnusableReason
from tests.support.answer_bodies import answer


def custom_answer(body, jsonpath, done="", request=b"{}"):
    return answer(body, request=request, path="/x", custom=CustomSurface(jsonpath, done))


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
def test_the_jsonpath_finds_the_answer(body, jsonpath, text):
    found = custom_answer(body, jsonpath)
    assert isinstance(found, Extracted)
    assert (found.surface, found.text) == (Surface.CUSTOM, text)


def test_rows_of_numbers_are_vectors():
    assert custom_answer({"v": [[1, 2], [3, 4]]}, "$.v").vectors == ((1.0, 2.0), (3.0, 4.0))
    assert custom_answer({"v": [[1, 2], [3, 4]]}, "$.v[*]").vectors == ((1.0, 2.0), (3.0, 4.0))
    assert custom_answer({"v": [1, 2]}, "$.v").vectors == ((1.0, 2.0),)


def test_any_other_value_is_structured_data():
    assert custom_answer({"a": {"b": 1}}, "$.a").structured == {"b": 1}


def test_if_the_jsonpath_matches_nothing_the_known_formats_are_tried(load):
    exchange = load("openai_chat")
    assert custom_answer(exchange.response, "$.output.text").surface is Surface.OPENAI_CHAT
    found = custom_answer({"x": 1}, "$.output.text")
    assert found.reason is UnusableReason.UNSUPPORTED


def test_a_stream_is_complete_if_done_finds_a_true_value():
    lines = [{"t": "a", "end": False}, {"t": "b", "end": True}]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert custom_answer(body, "$.t", "$.end").text == "ab"
    cut = custom_answer(body.splitlines()[0] + b'\n{"t": "c"}\n', "$.t", "$.end")
    assert cut.reason is UnusableReason.TRUNCATED
    assert custom_answer(body.splitlines()[0] + b'\n{"t": "c"}\n', "$.t").text == "ac"


def test_requested_json_is_parsed_in_a_custom_format():
    found = custom_answer({"t": '{"n": 1}'}, "$.t", request=b'{"response_format": {"type": "json_object"}}')
    assert found.structured == {"n": 1}


@pytest.mark.parametrize("path", ["", "$.[", "a b", "$.a["])
def test_an_invalid_jsonpath_setting_is_refused(path):
    with pytest.raises(ValidationError):
        AnswerSection(jsonpath=path)


def test_a_valid_jsonpath_setting_is_accepted():
    assert AnswerSection(jsonpath="$.output.text", done="$.end").done == "$.end"


def test_a_custom_format_may_name_its_last_event():
    pieces = [{"candidates": [{"content": {"parts": [{"text": t}]}}]} for t in "ab"]
    pieces[1]["candidates"][0]["finishReason"] = "STOP"
    gemini = CustomSurface("$.candidates[0].content.parts[*].text", done="$.candidates[0].finishReason")
    body = [f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces]
    assert answer("".join(body), custom=gemini).text == "ab"
    assert answer(body[0] + body[0], custom=gemini).reason is UnusableReason.TRUNCATED
