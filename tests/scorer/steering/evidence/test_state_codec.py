"""The codec: dataclasses to JSON values and back, strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from glidepath.errors import InputError
from scorer.steering.evidence.state_codec import decode, encode
from tests.support.evidence_builders import through_json


@dataclass(frozen=True, slots=True)
class Single:
    value: float


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    seen: bool


@dataclass(frozen=True, slots=True)
class Whole:
    counts: tuple[int, ...]
    rows: tuple[Named, ...]
    either: Single | Named
    by_name: Mapping[str, Single]
    perhaps: Single | None
    limit: float | None


WHOLE = Whole((1, 2), (Named("a", True),), Named("b", False), {"x": Single(0.1)}, None, 2.0)


def test_every_kind_of_field_is_restored_unchanged() -> None:
    assert through_json(WHOLE) == WHOLE
    assert through_json(Single(1e-300)) == Single(1e-300)


def test_values_stand_by_position_and_a_union_names_its_class() -> None:
    state = json.loads(json.dumps(encode(WHOLE)["state"]))
    assert state == [[1, 2], [["a", True]], ["Named", "b", False], {"x": [0.1]}, None, 2.0]
    assert decode(Whole, encode(WHOLE)) == WHOLE


def test_a_state_of_another_dataclass_is_refused_though_its_values_would_fit() -> None:
    @dataclass(frozen=True, slots=True)
    class Renamed:
        worth: float

    with pytest.raises(InputError, match="Renamed: must be of the schema"):
        decode(Renamed, encode(Single(1.0)))


@pytest.mark.parametrize(
    ("at", "value", "place"),
    [
        (0, [1, True], "Whole.counts.1: must be a whole number (got 'True')"),
        (0, None, "Whole.counts: must be a list (got 'None')"),
        (1, [["a", 1]], "Whole.rows.0.seen: must be true or false (got '1')"),
        (1, [["a"]], "Whole.rows.0: must be a list of 2 values"),
        (2, ["Other", 1], "Whole.either: must be a list that begins with Single, Named"),
        (2, [], "Whole.either: must be a list that begins with Single, Named"),
        (3, {"x": ["1"]}, "Whole.by_name.x.value: must be a finite number (got '1')"),
        (3, [], "Whole.by_name: must be an object"),
        (5, float("inf"), "Whole.limit: must be a finite number (got 'inf')"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(at: int, value: object, place: str) -> None:
    raw = json.loads(json.dumps(encode(WHOLE)))
    raw["state"][at] = value
    with pytest.raises(InputError) as raised:
        decode(Whole, raw)
    assert str(raised.value).startswith(f"stored evidence: {place}")
