"""The stored form of a workload's state: the restored fields, and the handling of an unreadable state."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.errors import InputError
from scorer.steering.ramp.states import Drill, DrillStage
from scorer.steering.workload.workload_state import BaselineRestart
from scorer.steering.workload.workload_state_codec import SCHEMA, OtherSchemaError, encode
from tests.support.json_values import JSON
from tests.support.steered_workload import SteeredWorkload

STREAMS = ["cursors", "seen_flushes", "clocks", "old_commands_to", "now"]
KEYS = ["restart", "ramp", "evidence", "last_written", "totals", *STREAMS]
CONFIG = parse_config(
    'backends: {a: {url: "http://a"}, b: {url: "http://b"}}\n'
    "workloads: {chat: {match: {path: /x}, baseline: a, candidate: b}}"
)


def test_a_stored_state_is_restored_unchanged(chat: SteeredWorkload, valid_yaml: str) -> None:
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(json.loads(encode(chat.state)), chat.state.now.ms)
    assert encode(again.state) == encode(chat.state)
    assert again.state.ramp == chat.state.ramp


def test_the_time_between_two_leaders_passes_in_the_restored_state(chat: SteeredWorkload, valid_yaml: str) -> None:
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(json.loads(encode(chat.state)), chat.state.now.ms + 2_000)
    assert again.state.now.ms == chat.state.now.ms + 2_000
    assert again.state.streams.after_ms == chat.state.now.ms


def with_a_drill(chat: SteeredWorkload) -> dict[str, Any]:
    chat.set_ramp(drill=Drill(DrillStage.WITHDRAWING, 10, "ann", 1))
    chat.state = replace(chat.state, restart=BaselineRestart("discarded"))
    stored: dict[str, Any] = json.loads(encode(chat.state))
    return stored


def objects_of(stored: dict[str, Any]) -> list[dict[str, Any]]:
    return [stored, stored["ramp"], stored["ramp"]["drill"], stored["cursors"], stored["totals"], stored["restart"]]


@pytest.mark.parametrize("place", range(6))
def test_an_unknown_field_is_refused_and_named(chat: SteeredWorkload, place: int) -> None:
    stored = with_a_drill(chat)
    objects_of(stored)[place]["surplus"] = "0-0"
    with pytest.raises(InputError, match=r"stored state of chat cannot be read: .* has the unknown field surplus"):
        chat.restore(stored, 2000)


@pytest.mark.parametrize("place", range(6))
def test_every_missing_field_is_refused_and_named(chat: SteeredWorkload, place: int) -> None:
    # What an older scorer stored lacks these fields.
    newer = {"lost", "warm_up", "next_warm_up_ms", "contract", "busy_since_ms", "busy_ms"}
    for name in objects_of(with_a_drill(chat))[place].keys() - {"schema", *newer}:
        stored = with_a_drill(chat)
        del objects_of(stored)[place][name]
        with pytest.raises(InputError, match=rf"stored state of chat cannot be read: .* has no field {name}$"):
            SteeredWorkload(CONFIG).restore(stored, 2000)


@pytest.mark.parametrize(
    "restart", [None, BaselineRestart("discarded"), BaselineRestart("discarded", announced=True, confirmed=True)]
)
def test_a_restart_at_the_baseline_is_stored(chat: SteeredWorkload, restart: BaselineRestart | None) -> None:
    chat.state = replace(chat.state, restart=restart)
    chat.restore(json.loads(encode(chat.state)), 2000)
    assert chat.state.restart == restart


@pytest.mark.slow
@given(raw=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6))
def test_a_state_that_cannot_be_read_is_an_input_error(raw: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="stored state of chat cannot be read"):
        SteeredWorkload(CONFIG).restore({**raw, "schema": SCHEMA}, 0)


@pytest.mark.parametrize("schema", [None, 0, SCHEMA + 1, "1"])
def test_a_state_of_another_schema_is_not_read_at_all(chat: SteeredWorkload, schema: object) -> None:
    stored = {**json.loads(encode(chat.state)), "schema": schema}
    writer = "an older checkout" if schema is None else f"a checkout with schema {schema!r}"
    with pytest.raises(OtherSchemaError, match=f"state of chat was stored by {writer}; this one reads schema {SCHEMA}"):
        chat.restore(stored, 2000)


def test_unreadable_evidence_restarts_and_the_step_is_kept(chat: SteeredWorkload, valid_yaml: str) -> None:
    stored = json.loads(encode(chat.state))
    stored["evidence"] = {"of": "another version"}
    again = SteeredWorkload(parse_config(valid_yaml))
    again.restore(stored, 5000)
    ramp = again.state.ramp
    assert (ramp.percent, ramp.epoch, ramp.since_ms) == (0, 1, 5000)
