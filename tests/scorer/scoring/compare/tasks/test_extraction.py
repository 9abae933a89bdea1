from __future__ import annotations

import json
import time

import pytest

from glidepath.config.comparison import ExtractionSection, ScoringSection
from scorer.scoring.answers import ToolCall
from scorer.scoring.compare.structured.json_diff import MAX_LEAVES, match_trees
from scorer.scoring.compare.tasks.extraction import MISSING, compare_json, find_json, parse_json
from scorer.scoring.compare.tasks.tool_calls import compare_tools
from tests.support.comparison_cases import compare_answers, text_answer

PLAIN = ExtractionSection()
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


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


def test_a_side_without_json_has_no_agreement() -> None:
    result = compare_json({"a": 1}, MISSING, None, ScoringSection())
    assert (result.agreement, result.flags) == (0.0, ("json",))
    assert compare_json(MISSING, {"a": 1}, None, ScoringSection()).flags == ("baseline_json",)


def test_json_is_parsed_with_its_fence_and_never_repaired() -> None:
    assert parse_json('```json\n{"a": 1}\n```') == {"a": 1}
    assert parse_json('{"a": 1') is MISSING
    assert parse_json("Here: {}") is MISSING


@pytest.mark.parametrize("number", ["9" * 310, "9" * 4000, "9" * 6000, "1e999", "-1e999", "0." + "1" * 5000])
def test_endless_digits_are_a_difference(number: str) -> None:
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


@pytest.mark.slow
def test_items_beyond_the_bounds_are_named_and_count_as_different() -> None:
    left = {"items": [{"a": i % 7, "b": i % 5, "c": i} for i in range(5000)]}
    right = {"items": [{"a": i % 7, "b": i % 5, "c": -i - 1} for i in reversed(range(5000))]}
    begun = time.process_time()
    result = compare_json(left, right, None, ScoringSection(extraction=ExtractionSection(unordered=("items",))))
    assert time.process_time() - begun < 2
    assert result.agreement < 0.5
    assert "fields_limit" in result.flags
    assert "too many to match" in result.details["fields"]


@pytest.mark.slow
def test_a_difference_beyond_the_last_compared_field_is_flagged() -> None:
    left = {"v": list(range(6000))}
    assert match_trees(left, {"v": [*range(5999), 0]}, PLAIN).share == pytest.approx(1 - 1 / 6000)
    vast = {"v": list(range(MAX_LEAVES + 10))}
    assert compare_json(vast, vast, None, ScoringSection()).flags == ()
    other = {"v": [*range(MAX_LEAVES + 9), -1]}
    result = compare_json(vast, other, None, ScoringSection())
    assert result.agreement == 0.5
    assert result.flags == ("fields_limit",)


def test_json_in_a_text_is_parsed_by_the_rules_of_a_body() -> None:
    assert parse_json("NaN") is MISSING
    assert parse_json(json.dumps([10**400])) == [10**400]


ORDER = '{"total": 12, "items": ["pen", "ink"]}'
WRAPPED = [
    f"Here is the JSON:\n\n```json\n{ORDER}\n```\nTell me if you need more.",
    f"The order is {ORDER}.",
    f"As noted [1], the list {{as far as known}} is:\n{ORDER}\nSee [2].",
    f'Small: {{"a": 1}}. Whole: {ORDER}',
]


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_json_inside_prose_is_compared_as_json(wrapped: str) -> None:
    plain, other = text_answer(ORDER), text_answer(ORDER.replace("12", "13"))
    for left, right, flag in (
        (plain, text_answer(wrapped), "json_in_prose"),
        (text_answer(wrapped), plain, "baseline_json_in_prose"),
    ):
        result = compare_answers(left, right, "extraction")
        assert (result.agreement, result.flags) == (1.0, (flag,))
    both = compare_answers(text_answer(WRAPPED[1]), text_answer(wrapped), "extraction")
    assert (both.agreement, both.flags) == (1.0, ())
    changed = compare_answers(other, text_answer(wrapped), "extraction")
    assert changed.agreement == pytest.approx(2 / 3)
    assert "field_values" in changed.flags


def test_json_inside_prose_is_no_json_if_the_request_asks_for_json_only() -> None:
    wrapped = text_answer(WRAPPED[0], structured_error="not JSON")
    result = compare_answers(text_answer(ORDER, structured=json.loads(ORDER)), wrapped, "extraction")
    assert (result.agreement, result.flags) == (0.0, ("json",))


def test_prose_with_an_example_in_json_is_prose_unless_the_task_is_an_extraction() -> None:
    assert "word_overlap" in compare_answers(text_answer(WRAPPED[0]), text_answer(WRAPPED[1]), "auto").signals


@pytest.mark.parametrize("text", ["No JSON.", "See [1] and [2, 3].", 'The object {"total": 12 is cut.', "{a} {b}"])
def test_a_footnote_or_broken_json_inside_prose_is_no_json(text: str) -> None:
    assert find_json(text).value is MISSING


@pytest.mark.parametrize("part", ["[", "{", '{"a":', '{"a": "', "[1] "])
def test_searching_json_in_a_hostile_text_ends(part: str) -> None:
    assert find_json("x " + part * 60_000).value is MISSING


def test_json_after_many_footnotes_is_found() -> None:
    assert find_json("As said [1]. " * 500 + ORDER).value == json.loads(ORDER)
