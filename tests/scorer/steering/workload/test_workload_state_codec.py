"""The stored form of a workload's state: what is restored, and how an unreadable state is handled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.errors import InputError
from scorer.steering.ramp.states import Drill, DrillStage
from scorer.steering.workload.workload_state_codec import SCHEMA, OtherSchemaError, encode
from tests.support.json_values import JSON
from tests.support.steered_workload import SteeredWorkload

KEYS = ["ramp", "evidence", "cursors", "last_written", "totals", "seen_flushes", "clocks", "began_ms"]
CONFIG = parse_config(
    'backends: {a: {url: "http://a"}, b: {url: "http://b"}}\n'
    "workloads: {chat: {match: {path: /x}, baseline: a, candidate: b}}"
)


def test_a_stored_state_is_restored_unchanged(chat: SteeredWorkload, valid_yaml: str) -> None:
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(json.loads(encode(chat.state)), 2000)
    assert encode(again.state) == encode(chat.state)
    assert again.state.ramp == chat.state.ramp


def test_unknown_fields_of_the_same_schema_are_ignored(chat: SteeredWorkload, valid_yaml: str) -> None:
    chat.set_ramp(drill=Drill(DrillStage.WITHDRAWING, 10, "ann", 1))
    stored = json.loads(encode(chat.state))
    for place in (stored, stored["ramp"], stored["ramp"]["drill"], stored["cursors"], stored["totals"]):
        place["unknown"] = "0-0"
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(stored, 2000)
    assert encode(again.state) == encode(chat.state)


@pytest.mark.slow
@given(raw=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6))
def test_a_state_that_cannot_be_read_is_an_input_error(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="stored state of chat cannot be read"):
        SteeredWorkload(CONFIG).restore({**raw, "schema": SCHEMA}, 0)


@pytest.mark.parametrize("schema", [None, 0, SCHEMA + 1, "1"])
def test_a_state_of_another_schema_is_not_read_at_all(chat: SteeredWorkload, schema: object) -> None:
    stored = {**json.loads(encode(chat.state)), "schema": schema}
    with pytest.raises(OtherSchemaError, match=f"stored state of chat has schema {schema!r}; this version reads"):
        chat.restore(stored, 2000)


def test_unreadable_evidence_restarts_and_the_step_is_kept(chat: SteeredWorkload, valid_yaml: str) -> None:
    stored = json.loads(encode(chat.state))
    stored["evidence"] = {"of": "another version"}
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(stored, 5000)
    ramp = again.state.ramp
    assert (ramp.percent, ramp.epoch, ramp.since_ms) == (0, 1, 5000)
