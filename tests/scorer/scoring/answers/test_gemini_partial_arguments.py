"""Arguments in pieces with a JSONPath, as Gemini streams them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.answers import UnusableReason
from scorer.scoring.answers.gemini_partial_arguments import PartialArguments
from scorer.scoring.answers.strict_json import UnusableBodyError
from tests.support.answer_bodies import answer

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("ab .'[$", max_size=4))
NAMES = st.text("abc_-", min_size=1, max_size=3)
OBJECTS = st.dictionaries(
    NAMES,
    st.recursive(
        VALUES,
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=3,
)


def pieces(value: object, path: str = "$") -> list[dict[str, Any]]:
    """Return the pieces of a value, with each string in two pieces."""
    match value:
        case dict():
            return [piece for key, inner in value.items() for piece in pieces(inner, f"{path}.{key}")]
        case list():
            return [piece for i, inner in enumerate(value) for piece in pieces(inner, f"{path}[{i}]")]
        case str():
            half = len(value) // 2
            return [{"jsonPath": path, "stringValue": text} for text in (value[:half], value[half:])]
        case bool():
            return [{"jsonPath": path, "boolValue": value}]
        case None:
            return [{"jsonPath": path, "nullValue": "NULL_VALUE"}]
        case _:
            return [{"jsonPath": path, "numberValue": value}]


def joined(found: list[dict[str, Any]]) -> object:
    arguments = PartialArguments()
    for piece in found:
        arguments.add(piece)
    return arguments.build()


@given(OBJECTS)
def test_the_pieces_of_any_arguments_give_these_arguments(arguments: dict[str, object]) -> None:
    assert joined(pieces(arguments)) == arguments


@pytest.mark.parametrize("path", ["$['city']", '$["city"]', "$.city"])
def test_a_name_may_stand_in_brackets(path: str) -> None:
    assert joined([{"jsonPath": path, "stringValue": "Lima"}]) == {"city": "Lima"}


@pytest.mark.parametrize("path", ["", "city", "$", "$..city", "$.*", "$.a[?(@.b)]", "$[1234567]", "$" + ".a" * 500])
def test_a_path_of_another_kind_is_unsupported(path: str) -> None:
    with pytest.raises(UnusableBodyError) as error:
        joined([{"jsonPath": path, "stringValue": "x"}])
    assert error.value.outcome.reason is UnusableReason.UNSUPPORTED


@pytest.mark.parametrize("paths", [("$.a", "$.a.b"), ("$.a[0]", "$.a.b"), ("$[0]", "$[1]")])
def test_paths_that_contradict_each_other_are_malformed(paths: tuple[str, ...]) -> None:
    with pytest.raises(UnusableBodyError) as error:
        joined([{"jsonPath": path, "numberValue": 1} for path in paths])
    assert error.value.outcome.reason is UnusableReason.MALFORMED


def test_a_high_position_needs_no_memory_for_those_before_it() -> None:
    assert joined([{"jsonPath": "$.a[999999]", "numberValue": 1}]) == {"a": [1]}


def call_stream(*calls: dict[str, Any]) -> str:
    docs = [{"candidates": [{"content": {"parts": [{"functionCall": call}]}}]} for call in calls]
    docs.append({"candidates": [{"content": {}, "finishReason": "STOP"}]})
    return "".join(f"data: {json.dumps(doc)}\n\n" for doc in docs)


def test_a_streamed_gemini_call_equals_the_whole_call() -> None:
    args = {"order": {"lines": [{"sku": "a-1", "count": 2}], "gift": False, "note": None}}
    partial = [{"partialArgs": [piece], "willContinue": True} for piece in pieces(args)]
    streamed = call_stream({"name": "place", "willContinue": True}, *partial, {}, {"name": "pay", "args": {"n": 1}})
    whole = call_stream({"name": "place", "args": args}, {"name": "pay", "args": {"n": 1}})
    assert answer(streamed).content == answer(whole).content
    assert [found.name for found in answer(streamed).tool_calls] == ["place", "pay"]


def test_a_piece_before_the_name_of_the_function_is_malformed() -> None:
    body = call_stream({"partialArgs": [{"jsonPath": "$.a", "numberValue": 1}]})
    assert answer(body).reason is UnusableReason.MALFORMED
