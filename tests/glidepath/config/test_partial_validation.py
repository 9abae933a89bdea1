"""FAULTY stands for a value that is given but unknown. Code that needs the value stops with an error."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from glidepath.config.partial_validation import FAULTY, FaultyValueError, has_faults
from glidepath.config.request_match import Match

USES: list[Callable[[Any], object]] = [
    bool,
    str,
    len,
    list,
    hash,
    lambda value: value == "a",
    ["a"].index,
    lambda value: value in ("a", "b"),
    lambda value: "a" in value,
    lambda value: value + 1,
    lambda value: 1 + value,
    lambda value: value < 1,
    lambda value: max(1, value),
    lambda value: value.steps,
    lambda value: value["a"],
    lambda value: f"{value:g}",
]


@pytest.mark.parametrize("use", USES)
def test_a_use_that_needs_the_value_is_refused(use: Callable[[Any], object]) -> None:
    with pytest.raises(FaultyValueError):
        use(FAULTY)


def test_faulty_is_not_none_and_a_copy_is_the_same_object() -> None:
    assert FAULTY is not None
    assert copy.deepcopy([FAULTY])[0] is FAULTY


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FAULTY, True),
        ((1, FAULTY), True),
        ({"a": (FAULTY,)}, True),
        (Match.model_construct(path=FAULTY), True),
        (Match(path="/x", headers={"a": "b"}), False),
        ("a", False),
    ],
)
def test_faults_inside_a_value_are_found(value: object, expected: bool) -> None:
    assert has_faults(value) is expected
