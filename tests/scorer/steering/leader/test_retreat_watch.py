"""The retreat watch works without Redis, and announces what no tick can store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.config import parse_config
from glidepath.status_and_decisions import Decision, Phase
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.runtime_values import desired_values
from scorer.steering.leader.retreat_watch import UNSTORED_S, RetreatWatch
from scorer.steering.leader.retreats import Retreats
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.workload.missing_outcomes import Blindness, CounterReport
from tests.support.chat_config import CHAT_CONFIG
from tests.support.steered_workload import SteeredWorkload

CONFIG = parse_config(CHAT_CONFIG)
FAILING = CounterReport(Blindness(("envoy-0",), "no outcome arrives"), "9 of 9 failed", 9, 9)


class FixedWatch:
    """An outcome watch that always gives the same report."""

    def __init__(self, report: CounterReport) -> None:
        self.fixed = report

    def serve(self, names: Iterable[str]) -> str:
        return f"/stats?{','.join(names)}"

    def look(self, counters: Any, now_s: float) -> None: ...

    def report(self, workload: str) -> CounterReport:
        return self.fixed


class Watched:
    """One watched workload at 50 %, with one Envoy."""

    def __init__(self, report: CounterReport, **ramp: Any) -> None:
        self.chat = SteeredWorkload(CONFIG)
        self.chat.set_ramp(**{"phase": Phase.BAKING, "percent": 50.0, **ramp})
        self.envoys, self.retreats, self.announced = MemoryActuator(), Retreats(), list[Decision]()
        self.envoys.set_runtime("envoy-0", self.chat.spec.names.write(desired_values(50, 100, True)))
        self.registry = CollectorRegistry()
        self.watch = RetreatWatch(
            FixedWatch(report),  # type: ignore[arg-type]
            self.retreats,
            self,  # type: ignore[arg-type]
            SteerMetrics(self.registry),
            self.announced.extend,
        )

    @property
    def states(self) -> Any:
        return MappingProxyType({"chat": self.chat.state})

    def look(self, now_s: float) -> None:
        self.watch.look(self.envoys, now_s)

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(name, {"workload": "chat"})

    @property
    def weight(self) -> str:
        return self.envoys.runtime["envoy-0"]["glidepath.chat.weight.onprem-or-cloud"]


def test_a_convicted_candidate_loses_its_share_at_once_and_the_metrics_show_it() -> None:
    watched = Watched(FAILING)
    watched.look(1)
    assert watched.weight == "0"
    assert watched.envoys.path == "/stats?chat"
    assert watched.metric("glidepath_retreats_total") == 1
    assert watched.metric("glidepath_blind") == 1
    watched.look(2)
    assert watched.metric("glidepath_retreats_total") == 1


@pytest.mark.parametrize("ramp", [{"autopilot": False}, {"percent": 0.0, "phase": Phase.SHADOW}])
def test_without_autopilot_or_without_a_share_nothing_is_sent(ramp: dict[str, Any]) -> None:
    watched = Watched(FAILING, **ramp)
    watched.look(1)
    assert watched.weight == "5000"


def test_a_retreat_that_no_tick_stores_is_announced_once_as_not_stored() -> None:
    watched = Watched(FAILING)
    watched.look(1)
    assert not watched.announced
    for second in (UNSTORED_S, UNSTORED_S + 1, UNSTORED_S + 9):
        watched.look(1 + second)
    (decision,) = watched.announced
    assert (decision.event, decision.trigger, decision.to_percent) == ("rollback", "counter_guard", 0)
    assert decision.details == {"stored": False}


def test_blindness_that_no_tick_stores_is_announced_once() -> None:
    watched = Watched(CounterReport(Blindness(("envoy-0",), "no outcome arrives")))
    for second in (0, UNSTORED_S, UNSTORED_S + 5):
        watched.look(second)
    assert [one.event for one in watched.announced] == ["blind"]


def test_what_a_tick_has_announced_is_not_announced_again() -> None:
    report = CounterReport(Blindness(("envoy-0",), "no outcome arrives"))
    watched = Watched(report)
    for second in (0, UNSTORED_S - 0.1):
        watched.look(second)
    watched.chat.state = replace(watched.chat.state, blindness=report.blindness)
    watched.look(UNSTORED_S + 5)
    assert not watched.announced
