"""Scheduled probes: the time of a round, its requests, its stored results and its announcements."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from glidepath.config import Config, parse_config
from glidepath.probe.send import Prober, ProbeResult
from glidepath.status_and_decisions import Decision, WorkloadStatus
from glidepath_ops.local.child_process import free_ports
from scorer.steering.leader.scheduled_probes import ProbeProgress, ScheduledProbes
from tests.support.recording_backend import Recorder

PROMPTS = ["one", "two", "three"]


class MemoryProbeStore:
    def __init__(self) -> None:
        self.progress = ProbeProgress()
        self.kept: list[ProbeResult] = []
        self.log: list[Decision] = []

    async def load(self, workload: str) -> ProbeProgress:
        return self.progress

    async def save(self, workload: str, progress: ProbeProgress) -> None:
        self.progress = progress

    async def add_pair(self, probed: ProbeResult) -> bool:
        if probed.comparable:
            self.kept.append(probed)
        return probed.comparable

    async def log_decision(self, decision: Decision) -> None:
        self.log.append(decision)

    async def status(self, workload: str) -> WorkloadStatus | None:
        return None


class ProbeBench:
    """Scheduled probes whose shadow listener is a recorder; ``now_ms`` is the clock."""

    def __init__(self, config: Config) -> None:
        self.config, self.store, self.registry = config, MemoryProbeStore(), CollectorRegistry()
        self.announced: list[Decision] = []
        self.now_ms = 10**12
        self.probes = ScheduledProbes(config, self.store, self.registry, self.announced.append, lambda: self.now_ms)

    async def run_round_if_due(self, listener: str) -> float:
        async with Prober(self.config, listener) as prober:
            return await self.probes.run_round_if_due(prober, "chat")

    def counted(self, outcome: str) -> float:
        labels = {"workload": "chat", "outcome": outcome}
        return self.registry.get_sample_value("glidepath_probes_total", labels) or 0.0


@pytest.fixture
def bench(valid_yaml: str) -> ProbeBench:
    data = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"]["probes"] = {"prompts": PROMPTS, "every": "1h", "count": 2}
    return ProbeBench(parse_config(yaml.safe_dump(data)))


def prompts(kept: list[ProbeResult]) -> list[str]:
    return [probed.request.label for probed in kept]


def place(recorder: Recorder) -> str:
    return f"127.0.0.1:{recorder.port}"


async def test_a_round_asks_both_sides_and_stores_the_pairs_as_probes(bench: ProbeBench) -> None:
    async with Recorder("listener") as listener:
        assert await bench.run_round_if_due(place(listener)) == 3600
    targets = [(r.headers["x-glidepath-target"], r.headers["x-glidepath-origin"]) for r in listener.received]
    assert sorted(targets) == [("cloud", "probe")] * 2 + [("onprem", "probe")] * 2
    assert "authorization" not in listener.received[0].headers
    assert prompts(bench.store.kept) == ["one", "two"]
    assert {answer.origin.value for p in bench.store.kept for answer in p.answers} == {"probe"}
    assert len({probed.pair.id for probed in bench.store.kept}) == 2
    assert bench.counted("paired") == 2
    assert bench.announced == []


async def test_the_next_round_comes_when_it_is_due_and_continues_with_the_next_prompts(bench: ProbeBench) -> None:
    async with Recorder("listener") as listener:
        await bench.run_round_if_due(place(listener))
        bench.now_ms += 600_000
        assert await bench.run_round_if_due(place(listener)) == 3000
        assert len(bench.store.kept) == 2
        bench.now_ms += 3_000_000
        await bench.run_round_if_due(place(listener))
    assert prompts(bench.store.kept) == ["one", "two", "three", "one"]


async def test_a_clock_that_was_set_back_does_not_stop_the_probes(bench: ProbeBench) -> None:
    bench.store.progress = ProbeProgress(at_ms=bench.now_ms + 10**9)
    async with Recorder("listener") as listener:
        await bench.run_round_if_due(place(listener))
    assert len(bench.store.kept) == 2


async def test_a_side_that_begins_to_fail_is_announced_once_and_so_is_its_recovery(bench: ProbeBench) -> None:
    async with Recorder("listener", behaviour="status", status=503) as listener:
        for behaviour in ("status", "status", "json", "json"):
            listener.behaviour = behaviour  # type: ignore[assignment]
            await bench.run_round_if_due(place(listener))
            bench.now_ms += 3_600_000
    assert [d.event for d in bench.announced] == ["probe_failed", "probe_recovered"]
    assert bench.announced == bench.store.log
    assert "baseline cloud: status 503" in bench.announced[0].reason
    assert bench.counted("both_failed") == 4
    assert len(bench.store.kept) == 4


async def test_an_unreachable_listener_counts_as_a_failure_of_neither_side(bench: ProbeBench) -> None:
    await bench.run_round_if_due(f"127.0.0.1:{free_ports(1)[0]}")
    assert bench.counted("not_sent") == 2
    assert bench.announced == []
    assert bench.store.progress.failing == ""


async def test_without_a_schedule_no_probes_run(valid_yaml: str) -> None:
    data: dict[str, Any] = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"]["probes"] = {"prompts": PROMPTS}
    await ProbeBench(parse_config(yaml.safe_dump(data))).probes.run()


async def test_a_lost_cancellation_still_ends_the_probes(bench: ProbeBench) -> None:
    asked = asyncio.Event()

    class SwallowsCancellation(MemoryProbeStore):
        async def load(self, workload: str) -> ProbeProgress:
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):  # as redis-py may
                await asyncio.Event().wait()
            raise RedisConnectionError("away")

    bench.probes = ScheduledProbes(
        bench.config, SwallowsCancellation(), CollectorRegistry(), bench.announced.append, lambda: 0
    )
    task = asyncio.create_task(bench.probes.run())
    async with asyncio.timeout(60):
        await asked.wait()
    asked.clear()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
    assert not asked.is_set()
