"""The limits of JSON, and the difference between truncated and malformed JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.answers import Unusable, UnusableReason, extract
from scorer.scoring.answers.strict_json import MAX_BYTES, MAX_DEPTH, UnusableBodyError, clean, clean_value, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def reason_of(text):
    with pytest.raises(UnusableBodyError) as caught:
        read_json(text)
    return caught.value.outcome.reason


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.booleans())
def test_every_prefix_of_an_object_is_truncated(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert read_json(text) == value
    for end in range(len(text)):
        assert reason_of(text[:end]) is UnusableReason.TRUNCATED, text[:end]


@pytest.mark.parametrize(
    "text", ["{]", "{'a': 1}", '{"a": 1,}', '{"a": 1} x', "[NaN]", "[Infinity]", "[01]", "[tru]", '["\\x"]']
)
def test_invalid_json_is_malformed(text):
    assert reason_of(text) is UnusableReason.MALFORMED


def test_the_depth_is_bounded():
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 2, 900, 100_000):
        assert reason_of("[" * depth + "]" * depth) is UnusableReason.MALFORMED
    assert reason_of('{"a":' * 200 + "1" + "}" * 200) is UnusableReason.MALFORMED


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e999", "-1.5E+400", "9" * 400 + ".0"])
def test_a_number_that_overflows_stays_text(number):
    assert read_json(f'{{"n": [{number}]}}') == {"n": [number]}


def test_other_integers_are_exact():
    assert read_json("[9007199254740993, " + "9" * 400 + "]") == [9007199254740993, int("9" * 400)]


@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_valid_text_is_unchanged(text):
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert cleaned == text


def test_cleaned_values_keep_their_structure():
    assert clean_value({"\ud800": ["\udc00", 1, None]}) == {"\ufffd": ["\ufffd", 1, None]}


def many(name, count):
    calls = [{"id": str(i), "function": {"name": "f", "arguments": "{}"}} for i in range(count)]
    choice = {"message": {"tool_calls": calls}, "finish_reason": "stop"}
    return {
        "calls": {"choices": [choice]},
        "choices": {"choices": [{"index": i, "message": {"content": ""}} for i in range(count)]},
        "dimensions": {"data": [{"embedding": [0.0] * count}], "object": "list"},
        "ranked": {"results": [{"index": i, "score": 0.1} for i in range(count)]},
    }[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [("calls", 257), ("choices", 129), ("dimensions", 65_537), ("ranked", 65_537)]
)
def test_too_many_elements_are_too_large(name, count):
    body = json.dumps(many(name, count)).encode()
    found = extract(path="/", content_type="application/json", status=200, request_body=b"", response_body=body)
    assert isinstance(found, Unusable)
    assert found.reason is UnusableReason.TOO_LARGE


def test_a_body_over_the_limit_is_not_read():
    body = b"{" + b" " * MAX_BYTES
    found = extract(path="/", content_type="application/json", status=200, request_body=b"", response_body=body)
    assert isinstance(found, Unusable)
    assert found.reason is UnusableReason.TOO_LARGE
