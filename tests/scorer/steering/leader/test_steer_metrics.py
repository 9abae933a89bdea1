"""The gauges that the leader shows for a workload."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from glidepath.config import parse_config
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.steered_workload import SteeredWorkload


def test_metrics_show_share_gates_and_envoys(valid_yaml: str) -> None:
    registry, chat = CollectorRegistry(), SteeredWorkload(parse_config(valid_yaml))
    chat.tick(2000)
    SteerMetrics(registry).show(chat.state)
    page = generate_latest(registry).decode()
    assert 'glidepath_workload_percent{workload="chat"} 0.0' in page
    assert 'glidepath_gate_verdict{gate="sameness",workload="chat"} 0.0' in page
