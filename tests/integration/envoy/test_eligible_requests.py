"""Requests outside the declared abilities of a candidate never reach it, and are counted: a real Envoy at 100 %."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.access_log_tag_values import pinned_request
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath_ops.envoyconfig.request_reading import regex_of_numbers_above
from tests.support.envoy_with_backends import BODY, envoy_with_backends
from tests.support.waiting import eventually

DECLARED: dict[str, Any] = {"context": 1000, "modalities": ["audio"], "tools": False, "max_body": "100KiB"}


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "model": "m"}


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 20_000}}
SOUND = {"type": "input_audio", "input_audio": {"data": "A" * 20_000, "format": "wav"}}
REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "short": (BODY, ""),
    "just short enough": (user("x" * 3900), ""),
    "longer than the context": (user("x" * 4100), "ineligible_context"),
    "a picture": (user([PICTURE]), "ineligible_modalities"),
    "a sound, which it hears, is no long text": (user([SOUND]), ""),
    "tools": ({**BODY, "tools": [{"type": "function", "function": {"name": "f"}}]}, "ineligible_tools"),
    "a very long body": (user([{**SOUND, "padding": "A" * 100_000}]), "ineligible_max_body"),
}


async def test_what_the_candidate_cannot_serve_stays_at_the_baseline_and_is_counted(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=DECLARED, chat={"start": 100}) as setup:
        for what, (body, why) in REQUESTS.items():
            setup.clear_received()
            assert (await setup.post(body)).status == 200
            assert (len(setup.cloud.received), len(setup.onprem.received)) == ((1, 0) if why else (0, 1)), what
            if why:
                assert setup.cloud.last.model == "cloud-model"
                assert {**json.loads(setup.cloud.last.body), "model": "m"} == {**body, "model": "m"}
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: len(log) == len(REQUESTS))
        workloads = build_workloads(setup.envoy.config)
        pinned = Counter(found for entry in log if (found := pinned_request(entry, workloads)))
        assert pinned == Counter(("chat", why) for _, why in REQUESTS.values() if why)


@given(st.integers(1, 10**9), st.integers(0, 10**10))
def test_a_regular_expression_compares_whole_numbers(number: int, other: int) -> None:
    assert (re.fullmatch(regex_of_numbers_above(number), str(other)) is not None) is (other > number)


@pytest.mark.parametrize("number", [1, 9, 10, 99, 100, 999, 4096, 8192, 131_072])
def test_a_regular_expression_compares_neighbours(number: int) -> None:
    pattern = re.compile(regex_of_numbers_above(number))
    assert [pattern.fullmatch(str(number + step)) is not None for step in (-1, 0, 1)] == [False, False, True]
