"""Reading Glidepath's keys from the admin layer of an Envoy's runtime."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.envoy.admin_actuator import admin_layer
from tests.support.json_values import JSON


def runtime(layers: list[str], **entries: list[str]) -> bytes:
    body = {"layers": layers, "entries": {f"glidepath.{k}": {"layer_values": v} for k, v in entries.items()}}
    return json.dumps(body).encode()


def test_the_layer_named_admin_counts_wherever_it_stands() -> None:
    body = runtime(["file", "admin", "later"], a=["1", "2", "3"], b=["1", "", "3"])
    assert admin_layer(body) == {"glidepath.a": "2"}


def test_without_a_layer_of_that_name_the_last_layer_counts() -> None:
    assert admin_layer(runtime(["file", "mine"], a=["1", "2"])) == {"glidepath.a": "2"}


def test_keys_of_others_are_not_read() -> None:
    body = {"layers": ["admin"], "entries": {"envoy.x": {"layer_values": ["1"]}}}
    assert admin_layer(json.dumps(body).encode()) == {}


def test_the_error_for_an_envoy_without_runtime_layers_says_what_to_add() -> None:
    with pytest.raises(ValueError, match="add an admin_layer to layered_runtime"):
        admin_layer(json.dumps({"layers": [], "entries": {}}).encode())


@given(st.one_of(st.binary(), JSON.map(lambda v: json.dumps(v).encode())))
def test_any_other_body_yields_our_keys_or_a_value_error(body: bytes) -> None:
    try:
        values = admin_layer(body)
    except ValueError:
        return
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in values.items())
