"""Measure the CPU time that the metrics cost the steering: ``make bench-metrics``.

For 200 workloads with 14 gates each, it measures three CPU times: to hand over a stored status after a tick, to set one
gauge for each value (the former implementation), and to serve one scrape, which runs in a thread of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from glidepath.config import parse_config
from glidepath.status_and_decisions import Verdict, WorkloadStatus, to_json
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.steered_workload import SteeredWorkload

CONFIG = """\
backends: {old: {url: "http://127.0.0.1:9001"}, new: {url: "http://127.0.0.1:9002"}}
workloads: {chat: {match: {path: /v1/chat/completions}, baseline: old, candidate: new}}
"""
GAUGES = 7  # gauges that the former implementation set for a workload, besides two for each gate


def statuses(workloads: int, gates: int) -> list[WorkloadStatus]:
    verdicts = tuple(
        Verdict(f"gate{number}", "pass", 0.1, 0.2, "share", 900, 1.1, low=0.05, high=0.15) for number in range(gates)
    )
    return [
        WorkloadStatus(f"w{number}", "baking", 25.0, 2, (5.0, 25.0, 100.0), 0, 0, verdicts=verdicts, agreement=0.9)
        for number in range(workloads)
    ]


def cpu_s(call: Callable[[], object]) -> float:
    """Return the smallest CPU time of five calls, in seconds."""
    took = []
    for _ in range(5):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--gates", type=int, default=14)
    options = parser.parse_args()
    shown = statuses(options.workloads, options.gates)
    state = SteeredWorkload(parse_config(CONFIG)).state
    stored = [(replace(state, spec=replace(state.spec, name=one.workload)), to_json(one)) for one in shown]
    registry, before = CollectorRegistry(), CollectorRegistry()
    metrics = SteerMetrics(registry)
    gauges = [Gauge(f"gauge{number}", "", ["workload"], registry=before) for number in range(GAUGES)]
    of_gates = [Gauge(name, "", ["workload", "gate"], registry=before) for name in ("verdict", "evidence")]

    def hand_over() -> None:
        for one, status in stored:
            metrics.show(one, status)

    def set_gauges() -> None:
        for one in shown:
            for gauge in gauges:
                gauge.labels(one.workload).set(one.percent)
            for verdict in one.verdicts:
                for gauge in of_gates:
                    gauge.labels(one.workload, verdict.gate).set(verdict.evidence)

    found = {
        "hand_over_us": cpu_s(hand_over) / options.workloads * 1e6,
        "gauges_us": cpu_s(set_gauges) / options.workloads * 1e6,
        "scrape_ms": cpu_s(lambda: generate_latest(registry)) * 1e3,
        "page_mb": len(generate_latest(registry)) / 1e6,
    }
    print("processor time                              ")
    print(f"after a tick, for each workload   {found['hand_over_us']:8.1f} µs")
    print(f"the former way                    {found['gauges_us']:8.1f} µs")
    print(f"one scrape of {options.workloads} workloads        {found['scrape_ms']:8.0f} ms, {found['page_mb']:.1f} MB")
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()
