"""The codec converts the state of a part to JSON values and back, and refuses what does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from glidepath.errors import InputError
from scorer.steering.evidence.state_codec import Stored, encode, load


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    seen: bool


class Inner(Stored):
    value: float

    def __init__(self, value: float = 0.0) -> None:
        self.value, self.twice = value, 2 * value

    def _restored(self) -> None:
        if self.value < 0:
            raise ValueError(f"a value of {self.value}")
        self.twice = 2 * self.value


class Whole(Stored):
    counts: tuple[int, ...]
    rows: list[Named]
    inner: Inner
    by_name: Mapping[str, Inner]
    perhaps: Inner | None
    limit: float | None
    notes: dict[str, Named]

    def __init__(self) -> None:
        self.counts, self.rows, self.limit, self.notes = (), [], None, {}
        self.inner, self.by_name, self.perhaps = Inner(), {"x": Inner(), "new": Inner()}, None
        self.not_stored = object()


def filled() -> Whole:
    whole = Whole()
    whole.counts, whole.rows, whole.limit, whole.notes = (1, 2), [Named("a", True)], 2.0, {"k": Named("b", False)}
    whole.inner, whole.by_name = Inner(1e-300), {"x": Inner(0.1), "gone": Inner(0.2)}
    return whole


STATE = [[1, 2], [["a", True]], [1e-300], {"x": [0.1], "gone": [0.2]}, None, 2.0, {"k": ["b", False]}]


def stored() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(json.dumps(encode(filled())))
    return raw


def test_values_stand_by_position() -> None:
    assert stored()["state"] == STATE


def test_every_kind_of_attribute_is_restored_unchanged_and_what_follows_is_derived() -> None:
    whole = Whole()
    load(whole, stored())
    assert (whole.counts, whole.rows, whole.limit, whole.notes) == ((1, 2), [Named("a", True)], 2.0, filled().notes)
    assert (whole.inner.value, whole.inner.twice) == (1e-300, 2e-300)


def test_of_parts_by_name_those_that_exist_continue_and_the_others_start_without_data() -> None:
    whole = Whole()
    load(whole, stored())
    assert {name: part.value for name, part in whole.by_name.items()} == {"x": 0.1, "new": 0.0}


def test_a_state_does_not_change_with_its_part() -> None:
    whole = filled()
    before = whole.state
    whole.inner.value = 5.0
    assert before == filled().state


def test_the_state_of_another_class_is_refused_though_its_values_would_fit() -> None:
    class Renamed(Stored):
        worth: float

    with pytest.raises(InputError, match="Renamed: must be of the schema"):
        load(Renamed(), encode(Inner(1.0)))


@pytest.mark.parametrize(
    ("at", "value", "place"),
    [
        (0, [1, True], "Whole.counts.1: must be a whole number (got 'True')"),
        (0, None, "Whole.counts: must be a list (got 'None')"),
        (1, [["a", 1]], "Whole.rows.0.seen: must be true or false (got '1')"),
        (1, [["a"]], "Whole.rows.0: must be a list of 2 values"),
        (2, [1.0, 2.0], "Whole.inner: must be a list of 1 values"),
        (2, [-1.0], "Whole: a value of -1.0"),
        (3, {"x": ["1"]}, "Whole.by_name.x.value: must be a finite number (got '1')"),
        (3, [], "Whole.by_name: must be an object"),
        (4, [1.0], "Whole.perhaps: must be null"),
        (5, float("inf"), "Whole.limit: must be a finite number (got 'inf')"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(at: int, value: object, place: str) -> None:
    raw = stored()
    raw["state"][at] = value
    with pytest.raises(InputError) as raised:
        load(Whole(), raw)
    assert str(raised.value).startswith(f"stored evidence: {place}")
