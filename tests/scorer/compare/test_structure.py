from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.scoring import ExtractionSection, ScoringSection
from scorer.compare.extraction import MISSING, compare_json, parse_json, schema_error
from scorer.compare.structure import match_trees
from scorer.compare.tools import compare_tools
from scorer.extract import ToolCall

PLAIN = ExtractionSection()
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


def test_each_difference_says_where_and_what() -> None:
    left = {"id": 7, "items": [{"price": 10}, {"price": 20}], "note": "a", "paid": True}
    right = {"id": "7", "items": [{"price": 10}, {"price": 21}], "paid": True, "extra": 1}
    tree = match_trees(left, right, PLAIN)
    assert [str(d) for d in tree.differences] == [
        "id: 7 → '7'",
        "items[1].price: 20 → 21",
        "note: 'a' is missing",
        "extra: 1 is new",
    ]
    assert tree.share == pytest.approx(2 / 6)


def test_tolerances_are_absolute_or_relative_and_belong_to_a_key() -> None:
    settings_ = ExtractionSection(tolerance={"total": "1%", "items[].price": 0.01})
    assert match_trees({"total": 1000.0}, {"total": 1009.0}, settings_).share == 1.0
    assert match_trees({"total": 1000.0}, {"total": 1011.0}, settings_).share == 0.0
    assert match_trees({"items": [{"price": 1.0}]}, {"items": [{"price": 1.01}]}, settings_).share == 1.0
    assert match_trees({"other": 1.0}, {"other": 1.001}, settings_).share == 0.0


def test_order_counts_unless_a_list_is_declared_unordered() -> None:
    left, right = {"tags": ["a", "b", "c"]}, {"tags": ["c", "a", "b"]}
    assert match_trees(left, right, PLAIN).share == 0.0
    assert match_trees(left, right, ExtractionSection(unordered=("tags",))).share == 1.0
    nested = ExtractionSection(unordered=("rows", "rows[].tags"), tolerance={"rows[].n": 0.5})
    a = {"rows": [{"n": 1, "tags": ["x", "y"]}, {"n": 9, "tags": ["z"]}]}
    b = {"rows": [{"n": 9.4, "tags": ["z"]}, {"n": 1.2, "tags": ["y", "x"]}]}
    assert match_trees(a, b, nested).share == 1.0


def test_ignored_keys_are_not_compared() -> None:
    settings_ = ExtractionSection(ignore=("meta.*", "rows[].id"))
    a = {"meta": {"at": 1, "by": "x"}, "rows": [{"id": 1, "v": 2}]}
    b = {"meta": {"at": 2}, "rows": [{"id": 9, "v": 2}]}
    assert match_trees(a, b, settings_).share == 1.0


def test_true_is_not_one() -> None:
    assert match_trees(True, 1, PLAIN).differences[0].kind == "type"
    assert match_trees(1, 1.0, PLAIN).share == 1.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_matching_is_bounded_and_symmetric(a: object, b: object) -> None:
    one, other = match_trees(a, b, PLAIN), match_trees(b, a, PLAIN)
    assert 0.0 <= one.share <= 1.0
    assert one.share == pytest.approx(other.share)
    assert match_trees(a, a, PLAIN).share == 1.0


def test_an_answer_that_breaks_the_schema_is_flagged_and_counts_half() -> None:
    good, bad = {"total": 1}, {"total": "1"}
    result = compare_json(good, bad, SCHEMA, ScoringSection())
    assert "schema" in result.flags
    assert "field_types" in result.flags
    assert "$.total" in result.details["schema"]
    kept = compare_json({"total": 1, "a": 1}, {"total": 1, "a": 2}, SCHEMA, ScoringSection())
    broken = compare_json({"total": 1, "a": 1}, {"a": 1}, SCHEMA, ScoringSection())
    assert kept.agreement == 0.5
    assert broken.agreement == 0.25


def test_a_side_that_writes_no_json_agrees_with_nothing() -> None:
    result = compare_json({"a": 1}, MISSING, None, ScoringSection())
    assert (result.agreement, result.flags) == (0.0, ("json",))
    assert compare_json(MISSING, {"a": 1}, None, ScoringSection()).flags == ("baseline_json",)


def test_json_is_parsed_with_its_fence_and_never_repaired() -> None:
    assert parse_json('```json\n{"a": 1}\n```') == {"a": 1}
    assert parse_json('{"a": 1') is MISSING
    assert parse_json("Here: {}") is MISSING


def test_a_request_with_a_broken_schema_holds_nobody_to_it() -> None:
    assert schema_error({}, {"type": "no-such-type"}) == ""
    assert schema_error({}, {"$ref": "#/nowhere"}) == ""


WEATHER = ToolCall("weather", {"city": "Oslo", "unit": "C"})


def test_the_same_calls_in_another_order_agree() -> None:
    other = ToolCall("time", {"zone": "CET"})
    assert compare_tools((WEATHER, other), (other, WEATHER), PLAIN).agreement == 1.0


def test_another_argument_another_tool_and_no_call_are_told_apart() -> None:
    argument = compare_tools((WEATHER,), (ToolCall("weather", {"city": "Bergen", "unit": "C"}),), PLAIN)
    assert (argument.flags, argument.agreement) == (("arguments",), 0.75)
    assert "Oslo" in argument.details["arguments"]
    tool = compare_tools((WEATHER,), (ToolCall("search", {"q": "Oslo"}),), PLAIN)
    assert (tool.flags, tool.agreement, tool.details["tool"]) == (("tool",), 0.0, "weather → search")
    assert compare_tools((WEATHER,), (), PLAIN).flags == ("tool",)


def test_arguments_that_are_no_json_agree_only_with_their_like() -> None:
    broken = ToolCall("weather", None, "no JSON", raw="{city:")
    assert compare_tools((WEATHER,), (broken,), PLAIN).agreement == 0.5
    assert compare_tools((broken,), (broken,), PLAIN).agreement == 1.0
