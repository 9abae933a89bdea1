from __future__ import annotations

import time

import pytest

from glidepath.config.comparison import ExtractionSection
from scorer.scoring.answers import ToolCall
from scorer.scoring.compare.tasks.tool_calls import compare_tools

PLAIN = ExtractionSection()
WEATHER = ToolCall("weather", {"city": "Oslo", "unit": "C"})


def test_the_same_calls_in_another_order_agree() -> None:
    other = ToolCall("time", {"zone": "CET"})
    assert compare_tools((WEATHER, other), (other, WEATHER), PLAIN).agreement == 1.0


def test_another_argument_another_tool_and_a_missing_call_have_different_results() -> None:
    argument = compare_tools((WEATHER,), (ToolCall("weather", {"city": "Bergen", "unit": "C"}),), PLAIN)
    assert (argument.flags, argument.agreement) == (("arguments",), 0.75)
    assert "Oslo" in argument.details["arguments"]
    tool = compare_tools((WEATHER,), (ToolCall("search", {"q": "Oslo"}),), PLAIN)
    assert (tool.flags, tool.agreement, tool.details["tool"]) == (("tool",), 0.0, "weather → search")
    assert compare_tools((WEATHER,), (), PLAIN).flags == ("tool",)


def test_arguments_that_are_not_json_agree_only_with_the_same_text() -> None:
    broken = ToolCall("weather", None, "no JSON", raw="{city:")
    assert compare_tools((WEATHER,), (broken,), PLAIN).agreement == 0.5
    assert compare_tools((broken,), (broken,), PLAIN).agreement == 1.0


def test_hundreds_of_calls_are_compared_at_a_low_cost() -> None:
    many = tuple(ToolCall("search", {"q": f"{i} " * 200, "page": list(range(50))}) for i in range(256))
    begun = time.process_time()
    result = compare_tools(many[:1], many, PLAIN)
    assert result.flags == ("tool",)
    assert compare_tools(many, tuple(reversed(many)), PLAIN).agreement == 1.0
    other = tuple(ToolCall("search", {"q": f"{i}", "page": list(range(50))}) for i in range(256))
    assert "arguments" in compare_tools(many, other, PLAIN).flags
    assert time.process_time() - begun < 4


@pytest.mark.parametrize(
    ("left", "right", "exact"),
    [
        ((WEATHER,), (ToolCall("weather", {"unit": "C", "city": "Oslo"}),), 1.0),
        ((ToolCall("pay", {"euros": 5}),), (ToolCall("pay", {"euros": 5.0}),), 1.0),
        ((ToolCall("pay", {"euros": 5}),), (ToolCall("pay", {"euros": "5"}),), 0.0),
        ((WEATHER,), (ToolCall("Weather", {"city": "Oslo", "unit": "C"}),), 0.0),
        ((WEATHER, WEATHER), (WEATHER,), 0.0),
        ((WEATHER,), (), 0.0),
    ],
)
def test_a_call_is_exact_if_its_name_and_its_arguments_are_equal_as_json(
    left: tuple[ToolCall, ...], right: tuple[ToolCall, ...], exact: float
) -> None:
    assert compare_tools(left, right, PLAIN).signals["exact_call"] == exact
    assert compare_tools(right, left, PLAIN).signals["exact_call"] == exact
