"""Envoy (in Lua) and extproc (in Python) agree about which requests only one server can answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.copyable_bodies import reason_not_to_copy
from glidepath.outcome_summaries import Coverage
from tests.extproc.test_copyable_bodies import PLAIN, STATEFUL
from tests.support.lua_in_process import RequestFacts

FACTS = RequestFacts()
OWN = {"file_id": "1", "signature": "x", "s3Location": {"uri": "y"}}
CALLS: dict[str, Any] = {
    "Anthropic's": {"messages": [{"content": [{"type": "tool_use", "name": "f", "input": OWN}]}]},
    "Bedrock's": {"messages": [{"content": [{"toolUse": {"name": "f", "input": OWN}}]}]},
    "Gemini's": {"contents": [{"parts": [{"functionCall": {"name": "f", "args": OWN}}]}]},
    "nested": {"messages": [{"content": [{"type": "tool_use", "name": "f", "input": {"files": [OWN]}}]}]},
}


def state_of(body: Any) -> object:
    found = FACTS.of(json.dumps(body).encode())
    assert not isinstance(found, str)
    return found.get("needs") or found.get("signed") or found.get("foreign")


@pytest.mark.parametrize("name", STATEFUL)
def test_envoy_recognises_each_request_that_extproc_does_not_copy_because_of_state(name: str) -> None:
    assert state_of(STATEFUL[name])


@pytest.mark.parametrize("name", PLAIN)
def test_envoy_finds_no_state_in_a_request_that_extproc_copies(name: str) -> None:
    assert not state_of(PLAIN[name])


@pytest.mark.parametrize(
    "environment",
    [
        {"type": "container_auto", "file_ids": ["file-1"]},
        {"type": "container_reference", "container_id": "cntr_1"},
        {"type": "container_auto", "skills": [{"skill_id": "skill_1"}]},
    ],
)
def test_the_environment_of_a_tool_may_have_state_of_one_server(environment: dict[str, Any]) -> None:
    assert state_of({"input": "x", "tools": [{"type": "shell", "environment": environment}]})
    assert not state_of({"input": "x", "tools": [{"type": "shell", "environment": {"type": "container_auto"}}]})


@pytest.mark.parametrize("keep_alive", [0, 0.0, "0", "0s", "0m0s", "00", "0.0h"])
def test_a_request_that_only_unloads_a_model_is_one_to_its_server(keep_alive: object) -> None:
    for asked in ({}, {"prompt": ""}, {"messages": []}, {"messages": [], "tools": []}):
        for body in (
            {"model": "m", "keep_alive": keep_alive, **asked},
            {"model": "m", **asked, "keep_alive": keep_alive},
        ):
            assert state_of(body) == b"unload", body
            assert reason_not_to_copy(json.dumps(body).encode()) is Coverage.HAS_EFFECTS


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m"},
        {"model": "m", "keep_alive": -1},
        {"model": "m", "keep_alive": "10m"},
        {"model": "m", "keep_alive": 0.5},
        {"model": "m", "keep_alive": None},
        {"model": "m", "keep_alive": 0, "prompt": "x"},
        {"model": "m", "keep_alive": 0, "images": ["QUJD"]},
        {"model": "m", "keep_alive": "0s", "messages": [{"role": "user", "content": ""}]},
        {"model": "m", "keep_alive": 0, "input": ["x"]},
        {"model": "m", "options": {"keep_alive": 0}},
    ],
)
def test_a_request_that_loads_a_model_or_asks_it_something_is_inference(body: dict[str, Any]) -> None:
    assert not state_of(body)


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_a_tool_call_are_the_applications_own(name: str) -> None:
    assert not state_of(CALLS[name])
    assert reason_not_to_copy(json.dumps(CALLS[name]).encode()) is None
