"""Scheduled probes: when a round is due, what it sends, what is kept and whom it tells."""

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
from glidepath.records import Decision, WorkloadStatus
from glidepath_ops.local.child_process import free_ports
from scorer.steering.leader.scheduled_probes import Memory, ScheduledProbes
from tests.support.recorder import Recorder

PROMPTS = ["one", "two", "three"]


class MemoriesTwin:
    def __init__(self) -> None:
        self.memory = Memory()
        self.kept: list[ProbeResult] = []
        self.log: list[Decision] = []

    async def recall(self, workload: str) -> Memory:
        return self.memory

    async def remember(self, workload: str, memory: Memory) -> None:
        self.memory = memory

    async def keep(self, probed: ProbeResult) -> bool:
        if probed.comparable:
            self.kept.append(probed)
        return probed.comparable

    async def note(self, decision: Decision) -> None:
        self.log.append(decision)

    async def status(self, workload: str) -> WorkloadStatus | None:
        return None


class Bench:
    """Scheduled probes whose shadow listener is a recorder; ``now_ms`` is the clock."""

    def __init__(self, config: Config) -> None:
        self.config, self.memories, self.registry = config, MemoriesTwin(), CollectorRegistry()
        self.last_written: list[Decision] = []
        self.now_ms = 10**12
        self.probes = ScheduledProbes(
            config, self.memories, self.registry, self.last_written.append, lambda: self.now_ms
        )

    async def turn(self, listener: str) -> float:
        async with Prober(self.config, listener) as prober:
            return await self.probes.turn(prober, "chat")

    def counted(self, outcome: str) -> float:
        labels = {"workload": "chat", "outcome": outcome}
        return self.registry.get_sample_value("glidepath_probes_total", labels) or 0.0


@pytest.fixture
def bench(valid_yaml: str) -> Bench:
    data = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"]["probes"] = {"prompts": PROMPTS, "every": "1h", "count": 2}
    return Bench(parse_config(yaml.safe_dump(data)))


def prompts(kept: list[ProbeResult]) -> list[str]:
    return [probed.request.label for probed in kept]


def place(recorder: Recorder) -> str:
    return f"127.0.0.1:{recorder.port}"


async def test_a_round_asks_both_sides_and_keeps_the_pairs_as_probes(bench: Bench) -> None:
    async with Recorder("listener") as listener:
        assert await bench.turn(place(listener)) == 3600
    targets = [(r.headers["x-glidepath-target"], r.headers["x-glidepath-origin"]) for r in listener.received]
    assert sorted(targets) == [("cloud", "probe")] * 2 + [("onprem", "probe")] * 2
    assert "authorization" not in listener.received[0].headers
    assert prompts(bench.memories.kept) == ["one", "two"]
    assert {answer.origin.value for p in bench.memories.kept for answer in p.answers} == {"probe"}
    assert len({probed.pair.id for probed in bench.memories.kept}) == 2
    assert bench.counted("paired") == 2
    assert bench.last_written == []


async def test_the_next_round_comes_when_it_is_due_and_goes_on_behind_the_last(bench: Bench) -> None:
    async with Recorder("listener") as listener:
        await bench.turn(place(listener))
        bench.now_ms += 600_000
        assert await bench.turn(place(listener)) == 3000
        assert len(bench.memories.kept) == 2
        bench.now_ms += 3_000_000
        await bench.turn(place(listener))
    assert prompts(bench.memories.kept) == ["one", "two", "three", "one"]


async def test_a_clock_that_was_set_back_does_not_stop_the_probes(bench: Bench) -> None:
    bench.memories.memory = Memory(at_ms=bench.now_ms + 10**9)
    async with Recorder("listener") as listener:
        await bench.turn(place(listener))
    assert len(bench.memories.kept) == 2


async def test_a_side_that_begins_to_fail_is_said_once_and_so_is_its_return(bench: Bench) -> None:
    async with Recorder("listener", mood="status", status=503) as listener:
        for mood in ("status", "status", "json", "json"):
            listener.mood = mood  # type: ignore[assignment]
            await bench.turn(place(listener))
            bench.now_ms += 3_600_000
    assert [d.event for d in bench.last_written] == ["probe_failed", "probe_recovered"]
    assert bench.last_written == bench.memories.log
    assert "baseline cloud: status 503" in bench.last_written[0].reason
    assert bench.counted("both_failed") == 4
    assert len(bench.memories.kept) == 4


async def test_a_listener_that_is_away_is_nobodys_failure(bench: Bench) -> None:
    await bench.turn(f"127.0.0.1:{free_ports(1)[0]}")
    assert bench.counted("not_sent") == 2
    assert bench.last_written == []
    assert bench.memories.memory.failing == ""


async def test_without_a_schedule_nothing_runs(valid_yaml: str) -> None:
    data: dict[str, Any] = yaml.safe_load(valid_yaml)
    data["workloads"]["chat"]["probes"] = {"prompts": PROMPTS}
    await Bench(parse_config(yaml.safe_dump(data))).probes.run()


async def test_a_lost_cancellation_still_ends_the_probes(bench: Bench) -> None:
    asked = asyncio.Event()

    class Stubborn(MemoriesTwin):
        async def recall(self, workload: str) -> Memory:
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):  # as redis-py may
                await asyncio.Event().wait()
            raise RedisConnectionError("away")

    bench.probes = ScheduledProbes(bench.config, Stubborn(), CollectorRegistry(), bench.last_written.append, lambda: 0)
    task = asyncio.create_task(bench.probes.run())
    async with asyncio.timeout(5):
        await asked.wait()
    asked.clear()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
    assert not asked.is_set()
