"""Copies of a warm-up that the candidate fails."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from glidepath.config import parse_config
from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.states import WarmUp
from scorer.steering.workload.failing_copies import CopiesBefore
from scorer.steering.workload.lifetime_counts import Totals
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state_codec import encode
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import steered_by_http_route
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload

BEFORE = Totals(live_answers={"candidate copies": 100}, error_kinds={"candidate shadow http_503": 40})


@pytest.mark.parametrize(
    ("copies", "kinds", "text"),
    [
        (100, {"candidate shadow http_503": 44, "candidate live http_503": 9}, ""),  # four are too few
        (180, {"candidate shadow http_503": 44, "candidate shadow timeout": 1}, "5 of 80 copies failed"),
        (200, {"candidate shadow http_503": 45}, ""),  # 5 % of 100
        (180, {"candidate shadow http_503": 40, "candidate shadow capability": 60}, ""),
    ],
)
def test_a_warm_up_ends_above_five_percent_of_failed_copies(copies: int, kinds: dict[str, int], text: str) -> None:
    now = Totals(live_answers={"candidate copies": copies}, error_kinds=kinds)
    assert CopiesBefore.of(BEFORE).failing(now) == text


def test_a_tick_writes_the_share_of_copies_of_a_warm_up(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10, warm_up=WarmUp(50, 1500))
    writes = chat.tick(2000, {"envoy-0": {"glidepath.chat.shadow": "10"}}).writes
    assert writes["envoy-0"]["glidepath.chat.shadow"] == "50"


def test_a_new_leader_counts_the_copies_of_a_warm_up_since_it_leads(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10, warm_up=WarmUp(50, 1500))
    chat.state = replace(chat.state, totals=BEFORE)
    chat.restore(json.loads(encode(chat.state)), 2000)
    assert chat.state.recent.copies == CopiesBefore(100, 40)


def test_an_http_routes_workload_has_no_warm_up(valid_yaml: str) -> None:
    sampled = f"{CHAT_CONFIG}    shadow: {{sample: 10}}\n"
    steered = parse_config(steered_by_http_route(sampled, "http://127.0.0.1:8001"))
    shares = [
        WorkloadSpec.of("chat", one, ScriptedEvidenceKind()).policy.warm_up_share(10)
        for one in (parse_config(sampled), steered)
    ]
    assert shares == [pytest.approx(25), None]


def test_a_tick_ends_a_warm_up_whose_copies_fail(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10, warm_up=WarmUp(50, 1500))
    failed = Totals(live_answers={"candidate copies": 50}, error_kinds={"candidate shadow http_503": 40})
    chat.state = replace(chat.state, totals=failed)
    (stopped,) = chat.decisions(2000)
    assert (stopped.event, stopped.reason) == (
        "warm_up_stopped",
        "no more copies to warm up: 40 of 50 copies failed",
    )
