"""Taking over a workload whose stored state has another schema: the baseline is restored under every later leader."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from glidepath.config import parse_config
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.host_clocks import HostClocks
from scorer.steering.leader.redis_clocks import RedisClocks
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steered_workloads import SteeredWorkloads
from scorer.steering.leader.takeover import take_over
from scorer.steering.store_protocol import OldCommands
from scorer.steering.workload.workload_state_codec import encode
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload, clocks_at


class StateOfAnOlderCheckout:
    """A store with a state that has no schema number."""

    async def load(self, workload: str) -> Mapping[str, Any]:
        return {"ramp": {"phase": "baking", "percent": 25}}

    async def set_aside(self, workload: str, now_ms: int) -> OldCommands:
        return OldCommands()


@pytest.fixture
async def restarted(valid_yaml: str) -> SteeredWorkload:
    """Return the workload ``chat`` at the baseline, after its state was discarded."""
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.state = (await take_over(chat.spec, StateOfAnOlderCheckout(), clocks_at(1000))).state  # type: ignore[arg-type]
    return chat


@pytest.fixture
def envoys(restarted: SteeredWorkload) -> MemoryActuator:
    """Return two Envoys with the weights of the discarded state. The second one cannot be read."""
    two = MemoryActuator(2)
    for envoy in two.runtime:
        two.set_runtime(envoy, old_weights(restarted))
    two.unreachable.add("envoy-1")
    return two


def old_weights(chat: SteeredWorkload) -> dict[str, str]:
    names = chat.spec.names
    return {names.candidate: "2500", names.baseline: "7500"}


def tick(chat: SteeredWorkload, envoys: MemoryActuator, now_ms: int) -> list[str]:
    done = chat.tick(now_ms, envoys.readings())
    envoys.submit(done.writes)
    return [decision.event for decision in done.decisions]


def change_leader(chat: SteeredWorkload, now_ms: int) -> None:
    chat.restore(json.loads(encode(chat.state)), now_ms)


async def test_an_envoy_that_returns_under_the_next_leader_gets_the_baselines_weights(
    restarted: SteeredWorkload, envoys: MemoryActuator
) -> None:
    assert tick(restarted, envoys, 1250) == ["state_discarded"]
    change_leader(restarted, 30_000)
    assert tick(restarted, envoys, 30_250) == []
    assert "older checkout" in restarted.status(30_250).message
    envoys.unreachable.clear()
    assert [event for at in (30_500, 30_750) for event in tick(restarted, envoys, at)] == []
    assert (restarted.state.ramp.percent, restarted.state.fleet.all_confirmed) == (0, True)
    assert {values[restarted.spec.names.candidate] for values in envoys.runtime.values()} == {"0"}


async def test_after_every_envoy_has_confirmed_the_baseline_weights_of_a_person_are_adopted(
    restarted: SteeredWorkload, envoys: MemoryActuator
) -> None:
    envoys.unreachable.clear()
    tick(restarted, envoys, 1250)
    confirming = restarted.tick(1500, envoys.readings())
    assert json.loads(confirming.record.state or "")["restart"]["confirmed"] is True
    change_leader(restarted, 30_000)
    envoys.set_runtime("envoy-1", old_weights(restarted))
    assert tick(restarted, envoys, 30_250) == ["adopt_weights"]
    assert restarted.state.restart is None


class StoredState:
    def __init__(self, state: str) -> None:
        self._state: Mapping[str, Any] = json.loads(state)

    async def load(self, workload: str) -> Mapping[str, Any]:
        return self._state


async def test_a_takeover_says_how_much_time_each_clock_shows_since_the_last_store(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml), now_ms=1_000)
    later = replace(clocks_at(6_000), redis_ms=7_206_000)
    taken = await take_over(chat.spec, StoredState(encode(chat.state)), later)  # type: ignore[arg-type]
    assert taken.passed_ms == {"redis": 7_205_000, "wall": 5_000, "monotonic": 5_000}
    assert taken.state.now.ms == 6_000


async def test_clocks_that_disagree_at_a_takeover_are_logged_once(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml), now_ms=1_000)
    host = HostClocks(lambda: 6_000, lambda: 6_000, "test")
    clocks = RedisClocks(["chat"], host)

    async def two_hours_ahead(workloads: Sequence[str]) -> Mapping[str, int]:
        return {"chat": 7_206_000}

    await clocks.ask(two_hours_ahead)
    store: Any = StoredState(encode(chat.state))
    metrics = SteerMetrics(CollectorRegistry())
    workloads = SteeredWorkloads(
        parse_config(valid_yaml), ScriptedEvidenceKind(), store, clocks, metrics, forecast=None, leader="me"
    )
    with capture_logs() as lines:
        await workloads.take_over("chat", host.now())
        await workloads.take_over("chat", host.now())
    (line,) = (line for line in lines if line["event"] == "clocks_differed")
    assert (line["redis_s"], line["wall_s"], line["counted_s"]) == (7205.0, 5.0, 5.0)
