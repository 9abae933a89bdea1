"""A JSON tree keeps repeated keys and the spelling of numbers, which ``json.loads`` loses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from extproc.json_tree import BodyTooComplexError, Members, Number, dump, mapped, parse, parse_structure
from tests.support.json_values import JSON


def plain(value: Any) -> Any:
    """Return a tree as ``json.loads`` would return it."""
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, Members):
        return {name: plain(inner) for name, inner in value}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


@given(JSON)
def test_a_tree_is_the_value_and_its_dump_means_the_same(value: Any) -> None:
    text = json.dumps([value])
    tree, end = parse(text, 0)
    assert (plain(tree), end) == ([value], len(text))
    assert json.loads(dump(tree)) == [value]


def test_repeated_members_numbers_as_written_and_control_characters_are_kept() -> None:
    text = '{"a":1.50,"a":1e999,"b":"x\\ty","c":-0}'
    assert dump(parse_structure(text.replace("\\t", "\t"))) == text


@pytest.mark.parametrize("text", ["", "1", '"a"', "null", "[1] x", "{", "{'a': 1}", "[1,]"])
def test_only_a_whole_object_or_array_is_a_structure(text: str) -> None:
    assert parse_structure(text) is None


def test_every_string_and_number_is_mapped_and_too_deep_a_tree_is_refused() -> None:
    tree = parse_structure('{"a": [1, true, {"b": "c"}]}')
    assert dump(mapped(tree, str.upper, lambda _: Number("0"))) == '{"A":[0,true,{"B":"C"}]}'
    with pytest.raises(BodyTooComplexError):
        mapped(parse_structure("[" * 200 + "]" * 200), str.upper, lambda number: number)
    with pytest.raises(BodyTooComplexError):
        parse_structure("[" * 100_000 + "]" * 100_000)
