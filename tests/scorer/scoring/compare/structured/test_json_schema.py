from __future__ import annotations

import time

import pytest

from scorer.scoring.compare.structured.json_schema import schema_error


def test_every_value_conforms_to_an_invalid_schema() -> None:
    assert schema_error({}, {"type": "no-such-type"}) == ""
    assert schema_error({}, {"$ref": "#/nowhere"}) == ""


@pytest.mark.slow
def test_the_cost_of_a_schema_is_bounded_and_it_never_raises() -> None:
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
