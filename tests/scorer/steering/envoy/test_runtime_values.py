"""The names of the runtime keys, and their values."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from scorer.steering.envoy.runtime_values import (
    Retreat,
    RuntimeKeys,
    desired_values,
    last_written_from_json,
    last_written_to_json,
    shadow_fraction,
)

NAMES = RuntimeKeys(
    "glidepath.chat.weight.onprem-or-cloud",
    "glidepath.chat.weight.cloud",
    "glidepath.chat.shadow",
    "glidepath.chat.autopilot",
    "glidepath.chat.retreat",
)
OLD, NOW = desired_values(5, 100, True), desired_values(10, 100, True)


def test_names_follow_the_configuration(valid_yaml: str) -> None:
    config = parse_config(valid_yaml)
    assert RuntimeKeys.of(config, "chat") == NAMES
    alone = parse_config(valid_yaml + "    fallback: false\n")
    assert RuntimeKeys.of(alone, "chat").candidate == "glidepath.chat.weight.onprem"


def test_the_baselines_key_has_the_name_of_the_cluster_that_envoy_has_already(valid_yaml: str) -> None:
    there = 'cloud: {cluster: "outbound|443||api.example.com", host: api.example.com}'
    config = parse_config(valid_yaml.replace('cloud: {url: "http://127.0.0.1:9001", model: gpt-4o-mini}', there))
    names = RuntimeKeys.of(config, "chat")
    assert names.baseline == "glidepath.chat.weight.outbound|443||api.example.com"
    assert names.candidate == "glidepath.chat.weight.onprem-or-cloud"


@given(st.floats(0, 100).map(lambda p: round(p, 2)))
def test_weights_always_sum_to_10000_and_correspond_to_the_percent(percent: float) -> None:
    values = desired_values(percent, 100, True)
    assert values.candidate + values.baseline == 10_000
    assert values.percent == pytest.approx(percent, abs=0.005)


def test_a_shadow_share_with_decimals_is_a_fraction_of_a_million() -> None:
    assert shadow_fraction(20.0) == "20"
    assert json.loads(shadow_fraction(0.5)) == {"numerator": 5000, "denominator": "MILLION"}


def test_last_written_values_can_be_restored_from_json() -> None:
    last_written = {"a": (OLD, NOW), "b": (desired_values(0, 0.5, False),)}
    assert last_written_from_json(json.loads(json.dumps(last_written_to_json(last_written)))) == last_written


@given(st.text(), st.integers(0, 10**14))
def test_the_reason_of_a_retreat_is_plain_text_for_envoys_yaml_reader(reason: str, at_ms: int) -> None:
    text = Retreat(5.0, at_ms, reason).text
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, str | int | float)
    found = NAMES.retreat_in({**NAMES.write(desired_values(5, 100, True)), NAMES.retreat: text})
    assert found is not None
    assert (found.percent, found.at_ms) == (5.0, at_ms)
