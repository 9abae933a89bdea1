"""The JSON text that the steer loop stores has the same values as that of json.dumps, whatever text a client sent."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.json_text import json_text
from glidepath.status_and_decisions import Phase

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    parts: tuple[int, ...]


@given(VALUES)
def test_values_come_back_as_they_were(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_dataclasses_enums_and_mappings_are_written() -> None:
    text = json_text({"rows": (Row("a", (1, 2)),), "phase": Phase.BAKING, "counts": MappingProxyType({"b": 1.0})})
    assert text == '{"rows":[{"name":"a","parts":[1,2]}],"phase":"baking","counts":{"b":1.0}}'


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb"])
def test_text_that_is_no_unicode_is_escaped(text: str) -> None:
    written = json_text({"reason": text, "row": Row(text, ())})
    assert json.loads(written) == {"reason": text, "row": {"name": text, "parts": []}}
    assert written.encode()


def test_a_number_that_json_does_not_know_is_written_as_python_reads_it() -> None:
    assert math.isnan(json.loads(json_text([math.nan]))[0])


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError):
        json_text({"clock": object()})
