"""A workload in which something always raises is seen, announced once, and can be stopped and taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.config import Workload, parse_config
from glidepath.records import Command, CommandKind, Decision, Phase, Verdict, WorkloadStatus, from_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.ramp.states import RampState
from scorer.steering.state_store import START, News, Record, no_cursors
from tests.support.steering import Scripted, ScriptedEvidence
from tests.support.waiting import eventually

CONFIG = """
backends: {cloud: {url: "http://c:1"}, onprem: {url: "http://o:1"}}
workloads:
  chat: {match: {path: /v1/chat}, baseline: cloud, candidate: onprem, ramp: {steps: [5, 25, 100]}}
  mail: {match: {path: /v1/mail}, baseline: cloud, candidate: onprem, ramp: {steps: [5, 25, 100]}}
"""
CANDIDATE, BASELINE = "glidepath.chat.weight.onprem-or-cloud", "glidepath.chat.weight.cloud"


class Broken(ScriptedEvidence):
    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        raise ZeroDivisionError("a bug in the evidence")

    def to_json(self) -> dict[str, Any]:
        raise ZeroDivisionError("and another")


class BrokenChat(Scripted):
    """``worse``: not even fresh evidence can be made."""

    def __init__(self, worse: bool = False) -> None:
        self.worse, self.made = worse, 0

    def fresh(self, workload: Workload, percent: float, now_ms: int) -> ScriptedEvidence:
        if workload.match.path != "/v1/chat":
            return ScriptedEvidence(percent)
        self.made += 1
        if self.worse and self.made > 1:
            raise ZeroDivisionError("and a third one")
        return Broken(percent)

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> ScriptedEvidence:
        return self.fresh(workload, 0, 0)


class Lease:
    owner, duration, fence = "me", 60, 1

    def held(self) -> bool:
        return True

    async def acquire(self) -> bool:
        return True

    async def renew(self) -> bool:
        return True

    def drop(self) -> None: ...

    async def release(self) -> None: ...


class Shelf:
    """A store in memory; ``orders`` are handed over once."""

    def __init__(self, blob: Mapping[str, Any]) -> None:
        self.blob: Mapping[str, Any] = blob
        self.status: dict[str, WorkloadStatus] = {}
        self.log: list[Decision] = []
        self.orders: list[Command] = []

    async def load(self, workload: str) -> Mapping[str, Any] | None:
        return self.blob if workload == "chat" else None

    async def salvage(self, workload: str, now_ms: int) -> str:
        return START

    async def news(self, cursors: Any, block_ms: int) -> Mapping[str, News]:
        await asyncio.sleep(0)
        orders, self.orders = tuple(self.orders), []
        return {"chat": News(commands=orders)} if orders else {}

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]:
        for name, record in records.items():
            self.log += record.decisions
            if record.status is not None:
                self.status[name] = from_json(WorkloadStatus, record.status)
            if name == "chat" and record.blob is not None:
                self.blob = json.loads(record.blob)
        return {}

    async def clocks_ms(self, workloads: Any) -> Mapping[str, int]:
        return {}

    def order(self, kind: CommandKind) -> None:
        self.orders.append(Command(kind, "ann", id=f"{len(self.log)}-0"))

    def said(self, event: str) -> list[Decision]:
        return [d for d in self.log if d.event == event and d.workload == "chat"]


@asynccontextmanager
async def failing(worse: bool) -> AsyncIterator[tuple[Shelf, MemoryActuator, CollectorRegistry]]:
    state = RampState(Phase.BAKING, 25, since_ms=1, entered_ms=1)
    blob = {"ramp": state.to_json(), "cursors": no_cursors(), "told": {}, "totals": {}, "seen": {}, "evidence": {}}
    async with steering(blob, BrokenChat(worse)) as parts:
        yield parts


@asynccontextmanager
async def steering(
    blob: Mapping[str, Any], kind: Scripted
) -> AsyncIterator[tuple[Shelf, MemoryActuator, CollectorRegistry]]:
    shelf, envoys, registry, stop = Shelf(blob), MemoryActuator(2), CollectorRegistry(), asyncio.Event()
    for envoy in envoys.runtime:
        envoys.set_runtime(envoy, {CANDIDATE: "2500", BASELINE: "7500"})
    metrics = SteerMetrics(registry)
    loop = SteerLoop(parse_config(CONFIG), shelf, Lease(), lambda _: envoys, kind, metrics)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        yield shelf, envoys, registry
        stop.set()


def weights(envoys: MemoryActuator, name: str = "chat") -> set[str]:
    return {values.get(f"glidepath.{name}.weight.onprem-or-cloud", "") for values in envoys.runtime.values()}


@pytest.mark.parametrize("worse", [False, True])
async def test_it_is_shown_counted_and_announced_once_and_the_others_go_on(worse: bool) -> None:
    async with failing(worse) as (shelf, envoys, registry):

        def ticks() -> float:
            return registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0

        await eventually(lambda: ticks() > 3)
        status = shelf.status["chat"]
        assert "internal error, weights stay: ZeroDivisionError" in status.message
        assert "no guard acts" in status.message
        assert "`glidepath rollback chat` and `abort` work" in status.message
        assert (status.phase, status.percent, status.envoys) == ("baking", 25, 2)
        assert [d.trigger for d in shelf.said("tick_failed")] == ["tick_failed"]
        assert weights(envoys) == {"2500"}
        await eventually(lambda: weights(envoys, "mail") == {"0"})
        assert "internal error" not in shelf.status["mail"].message


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("kind", [CommandKind.ROLLBACK, CommandKind.ABORT])
async def test_a_person_takes_it_back_and_it_stays_back(worse: bool, kind: CommandKind) -> None:
    async with failing(worse) as (shelf, envoys, _):
        await eventually(lambda: shelf.said("tick_failed"))
        shelf.order(CommandKind.PROMOTE)
        await eventually(lambda: shelf.said("refused"))
        assert weights(envoys) == {"2500"}
        shelf.order(kind)
        await eventually(lambda: weights(envoys) == {"0"})
        assert [d.to_percent for d in shelf.said(kind.value)] == [0]
        assert shelf.blob["ramp"]["percent"] == 0
        envoys.restart("envoy-1")
        await eventually(lambda: weights(envoys) == {"0"})
        await eventually(lambda: shelf.status["chat"].confirmed == 2)


async def test_a_stored_state_that_cannot_be_read_is_held_and_said_and_the_envoys_weights_stay() -> None:
    async with steering({"ramp": "no state"}, Scripted()) as (shelf, envoys, _):
        await eventually(lambda: shelf.said("adopt_weights"))
        hold = shelf.said("hold")[0]
        assert (hold.trigger, hold.actor) == ("state_lost", "glidepath")
        assert "the stored state of chat cannot be read" in hold.reason
        assert (shelf.status["chat"].phase, shelf.status["chat"].percent) == ("held", 25)
        assert weights(envoys) == {"2500"}
        shelf.order(CommandKind.ROLLBACK)
        await eventually(lambda: weights(envoys) == {"0"})


async def test_weight_0_by_curl_stays() -> None:
    async with failing(worse=False) as (shelf, envoys, registry):
        await eventually(lambda: shelf.said("tick_failed"))
        for envoy in envoys.runtime:
            envoys.set_runtime(envoy, {CANDIDATE: "0", BASELINE: "10000"})
        before = registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0
        await eventually(
            lambda: (registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0) > before + 3
        )
        assert weights(envoys) == {"0"}
