"""Redis' clock is set by hours while a workload bakes: no step is early, and a rollback happens as usual."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import parse_config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import encode_outcomes, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled, connect
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.redis_with_set_clock import LIBRARY, FakedClock, ReplacedClock, faked_redis
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.waiting import eventually

KEYS = WorkloadKeys("chat")
HOUR = 3_600_000
YAML = """
redis: {{url: "{url}"}}
backends:
  cloud: {{url: "http://127.0.0.1:9001"}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {{path: /v1}}
    baseline: cloud
    candidate: onprem
    start: 5
    ramp: {{steps: [5, 100], hold: 59m, min_samples: 1}}
"""


@dataclass(slots=True)
class Baking:
    """The workload chat, which has been at 5 % for 59 minutes and has all the evidence that it needs."""

    redis: RedisClient
    clock: FakedClock | ReplacedClock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: int = 2  # at the candidate, in each flush

    async def status(self) -> WorkloadStatus | None:
        raw = await self.redis.get(KEYS.status)
        return None if raw is None else from_json(WorkloadStatus, raw)

    async def events(self) -> list[str]:
        return [from_json(Decision, fields[b"d"]).event for _, fields in await self.redis.xrange(KEYS.log)]

    async def has_logged(self, event: str) -> bool:
        return event in await self.events()

    async def phase(self, name: str) -> bool:
        seen = await self.status()
        return seen is not None and seen.phase == name

    async def waits_for_its_time_only(self, ahead_ms: int) -> bool:
        """Return whether the status has the time of the set clock, and says that the step only has to last longer."""
        seen = await self.status()
        if seen is None or "bakes for another" not in seen.message:
            return False
        return abs(seen.updated_at_ms - unix_ms() - ahead_ms) < HOUR / 2

    async def send(self, kind: CommandKind) -> None:
        await self.clock.add(self.redis, KEYS.commands, {"c": to_json(Command(kind, "ann"))})

    async def feed(self) -> None:
        """Write the entries of a proxy and of a score loop, until cancelled."""
        for number in range(10_000):
            if being_cancelled():  # redis-py may lose the cancellation
                return
            began = unix_ms()
            await asyncio.sleep(0.05)
            quick = Histogram.of([20.0] * self.requests)
            sides = (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=self.requests, duration_ms=quick),)
            flush = Outcomes("chat", "proxy", number, began, unix_ms(), sides)
            pair = ScoredPair(f"p{number}", "chat", PairKind.CROSS, began, began, scored=True, agreement=0.97)
            await self.clock.add(self.redis, KEYS.outcomes, {"o": encode_outcomes(flush)})
            await self.clock.add(self.redis, KEYS.results, {"r": encode_scored(pair)})


@pytest.fixture(params=["libfaketime", "replaced"])
def redis_and_clock(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str
) -> Iterator[tuple[str, FakedClock | ReplacedClock]]:
    """Yield the URL of a Redis, and the clock of this Redis."""
    if request.param == "replaced":
        yield redis_url, ReplacedClock()
        return
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed")
    with faked_redis(tmp_path) as faked:
        yield faked


@asynccontextmanager
async def baking(url: str, clock: FakedClock | ReplacedClock) -> AsyncIterator[Baking]:
    config, envoys, stop = parse_config(YAML.format(url=url)), MemoryActuator(1), asyncio.Event()
    redis = connect(config.redis)
    chat = Baking(redis, clock)
    lease, metrics = Lease(redis, "leader", 3.0), SteerMetrics(chat.registry)
    loop = SteerLoop(config, clock.store(redis), lease, lambda _: envoys, ScriptedEvidenceKind(), metrics)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            feed = group.create_task(chat.feed())
            try:
                await eventually(lambda: chat.waits_for_its_time_only(0))
                yield chat
            finally:
                feed.cancel()
                stop.set()
    finally:
        await redis.aclose()


@pytest.mark.parametrize("by_ms", [2 * HOUR, -HOUR])
async def test_a_clock_that_is_set_neither_promotes_nor_makes_a_rollback_look_like_unexpected_traffic(
    redis_and_clock: tuple[str, FakedClock | ReplacedClock], by_ms: int
) -> None:
    async with baking(*redis_and_clock) as chat:
        await chat.clock.set(chat.redis, by_ms)
        await eventually(lambda: chat.waits_for_its_time_only(by_ms))
        assert chat.registry.get_sample_value("glidepath_clock_jumps_total") == 1
        seen = await chat.status()
        assert seen is not None
        assert seen.percent == 5
        assert seen.bake_until_ms is not None
        assert 50 * 60_000 < seen.bake_until_ms - seen.updated_at_ms <= 59 * 60_000
        await chat.send(CommandKind.ROLLBACK)
        await eventually(lambda: chat.phase("cooling_down"))
        chat.requests = 0  # the last requests at the candidate have ended
        await chat.send(CommandKind.ANNOTATE)  # when it is answered, all earlier entries have been read
        await eventually(lambda: chat.has_logged("annotate"))
        seen = await chat.status()
        assert seen is not None
        assert seen.share_known
        assert await chat.events() == ["rollback", "rollback_confirmed", "annotate"]
