from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import ExtractionSection, ScoringSection
from scorer.scoring.answers import ToolCall
from scorer.scoring.compare.structured.json_diff import MAX_LEAVES, match_trees, within
from scorer.scoring.compare.structured.json_schema import schema_error
from scorer.scoring.compare.tasks.extraction import MISSING, compare_json, parse_json
from scorer.scoring.compare.tasks.tool_calls import compare_tools

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


def test_accents_are_the_same_however_they_are_put_together() -> None:
    unordered = ExtractionSection(unordered=("v",))
    for settings_ in (PLAIN, unordered):
        assert match_trees({"v": ["Z\u00fcrich"]}, {"v": ["Zu\u0308rich"]}, settings_).share == 1.0


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


def test_whole_numbers_are_compared_to_the_last_digit_and_others_but_for_rounding() -> None:
    ids = match_trees({"id": 9007199254740993}, {"id": 9007199254740992}, PLAIN)
    assert [d.kind for d in ids.differences] == ["value"]
    assert within(0.1 + 0.2, 0.3, 0.0)
    assert within(10**30, 10.0**30, 0.0)
    assert not within(10**30, 10**30 + 1, 0.0)
    assert within(10**30, 10**30 + 1, 1)
    assert not within(1e-14, 5e-14, 0.0)


@pytest.mark.parametrize("number", ["9" * 310, "9" * 4000, "9" * 6000, "1e999", "-1e999", "0." + "1" * 5000])
def test_digits_without_end_count_against_the_candidate(number: str) -> None:
    wrong = parse_json(f'{{"total": {number}}}')
    result = compare_json({"total": 5}, wrong, {"properties": {"total": {"multipleOf": 0.01}}}, ScoringSection())
    assert result.agreement == 0.0
    assert set(result.flags) & {"field_values", "field_types"}
    assert compare_json(wrong, wrong, SCHEMA, ScoringSection()).agreement == 1.0
    for tolerance in (0.5, "1%"):
        loose = ExtractionSection(tolerance={"total": tolerance})
        assert match_trees({"total": 5}, wrong, loose).share == 0.0
    call = ToolCall("pay", wrong)
    assert compare_tools((ToolCall("pay", {"total": 5}),), (call,), PLAIN).flags == ("arguments",)


NUMBERS = st.integers() | st.integers(10**300, 10**320) | st.floats(allow_nan=True, allow_infinity=True)


@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.5, "1%", "100%", 1e300]))
def test_no_two_numbers_raise_and_their_order_does_not_matter(a: float, b: float, tolerance: float | str) -> None:
    assert within(a, b, tolerance) == within(b, a, tolerance)


def spent(left: object, right: object, settings_: ExtractionSection) -> tuple[float, float]:
    """(share, CPU seconds)"""
    begun = time.process_time()
    share = match_trees(left, right, settings_).share
    return share, time.process_time() - begun


NESTED = ExtractionSection(unordered=("items", "items[].tags"))


def rows(count: int, tags: int = 20) -> list[dict[str, object]]:
    return [{"name": f"item {i}", "price": i, "tags": [f"{i}-{t}" for t in range(tags)]} for i in range(count)]


def test_lists_in_lists_are_matched_whatever_their_order_at_a_bounded_cost() -> None:
    left = {"items": rows(400)}
    turned = {"items": [{**row, "tags": row["tags"][::-1]} for row in reversed(rows(400))]}  # type: ignore[index]
    share, seconds = spent(left, turned, NESTED)
    assert share == 1.0
    assert seconds < 2
    changed = {"items": [{**row, "price": -1} for row in turned["items"]]}
    share, seconds = spent(left, changed, NESTED)
    assert share == pytest.approx(1 - 1 / 22)  # each meets the one that it was, but for its price
    assert seconds < 4


def test_what_cannot_be_matched_within_the_bounds_is_said_and_is_not_alike() -> None:
    left = {"items": [{"a": i % 7, "b": i % 5, "c": i} for i in range(5000)]}
    right = {"items": [{"a": i % 7, "b": i % 5, "c": -i - 1} for i in reversed(range(5000))]}
    begun = time.process_time()
    result = compare_json(left, right, None, ScoringSection(extraction=ExtractionSection(unordered=("items",))))
    assert time.process_time() - begun < 2
    assert result.agreement < 0.5
    assert "fields_limit" in result.flags
    assert "too many to match" in result.details["fields"]


def test_a_difference_beyond_the_last_compared_field_is_never_silent() -> None:
    left = {"v": list(range(6000))}
    assert match_trees(left, {"v": [*range(5999), 0]}, PLAIN).share == pytest.approx(1 - 1 / 6000)
    vast = {"v": list(range(MAX_LEAVES + 10))}
    assert compare_json(vast, vast, None, ScoringSection()).flags == ()
    other = {"v": [*range(MAX_LEAVES + 9), -1]}
    result = compare_json(vast, other, None, ScoringSection())
    assert result.agreement == 0.5
    assert result.flags == ("fields_limit",)


@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, max_size=6), st.randoms())
def test_any_items_in_any_order_are_the_same_where_the_order_says_nothing(items: list[object], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert match_trees({"items": items}, {"items": shuffled}, ExtractionSection(unordered=("items",))).share == 1.0


def test_a_model_that_calls_without_end_costs_little_and_counts() -> None:
    many = tuple(ToolCall("search", {"q": f"{i} " * 200, "page": list(range(50))}) for i in range(256))
    begun = time.process_time()
    result = compare_tools(many[:1], many, PLAIN)
    assert result.flags == ("tool",)
    assert compare_tools(many, tuple(reversed(many)), PLAIN).agreement == 1.0
    other = tuple(ToolCall("search", {"q": f"{i}", "page": list(range(50))}) for i in range(256))
    assert "arguments" in compare_tools(many, other, PLAIN).flags
    assert time.process_time() - begun < 4


def test_a_request_cannot_make_its_schema_costly_or_fatal() -> None:
    branching = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)} | {"d40": {"type": "null"}}
    hostile: list[tuple[dict[str, object], object]] = [
        ({"pattern": "^(?:(a+)(a+)(a+)(a+)(a+)(a+)(a+))b\\1$"}, "a" * 200 + "!"),
        (
            {"patternProperties": {"^(?:(a+)(a+)(a+)(a+)(a+)(a+)(a+))b\\1$": {}}, "additionalProperties": False},
            {"a" * 200 + "!": 1},
        ),
        ({"$defs": branching, "$ref": "#/$defs/d0"}, 5),
        ({"multipleOf": 0.01}, 10**400),
        ({"multipleOf": 1e-308}, 1e308),
        ({"$schema": 5}, 1),
        ({"$ref": "#"}, 1),
        ({"pattern": "("}, "a"),
    ]
    begun = time.process_time()
    for schema, value in hostile:
        assert schema_error(value, schema) == ""
    assert time.process_time() - begun < 3
    assert schema_error("b", {"pattern": "^a"}) == "$: 'b' does not match '^a'"
    assert schema_error(0.35, {"multipleOf": 0.1}) == "$: 0.35 is not a multiple of 0.1"
    assert schema_error(0.3, {"multipleOf": 0.1}) == ""


def test_json_of_the_answer_is_read_as_its_body_is() -> None:
    assert parse_json("NaN") is MISSING
    assert parse_json(json.dumps([10**400])) == [10**400]
