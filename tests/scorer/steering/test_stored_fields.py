"""Stored objects must have exactly the expected fields."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from glidepath.errors import InputError
from scorer.steering.stored_fields import dataclass_fields, exact_fields


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


def test_an_object_with_exactly_the_fields_is_returned() -> None:
    assert dataclass_fields(Point, {"x": 1, "y": 2}, "point") == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"x": 1}, "point has no field y"),
        ({"x": 1, "y": 2, "z": 3}, "point has the unknown field z"),
        ([1, 2], r"point must be an object \(got list\)"),
    ],
)
def test_any_other_value_is_refused_and_the_error_names_the_field(raw: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        exact_fields(raw, ("x", "y"), "point")
