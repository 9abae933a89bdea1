"""Scorer, Redis and proxy whose clocks differ by a minute: guards detect a failure as fast as with equal clocks."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import Config, parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled, connect
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, WorkloadStatus, from_json, to_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.leader.host_clocks import HostClocks
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.waiting import eventually

KEYS = WorkloadKeys("chat")
YAML = """
redis: {{url: "{url}"}}
backends:
  cloud: {{url: "http://127.0.0.1:9001"}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat: {{match: {{path: /v1}}, baseline: cloud, candidate: onprem, ramp: {{steps: [5, 25, 100]}}}}
"""


async def failing(redis: RedisClient, skew_ms: int) -> None:
    """Write outcomes like a proxy at which forty candidate requests a second fail."""
    side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=2, errors=2, error_kinds={"5xx": 2})
    for number in range(10_000):
        if being_cancelled():  # redis-py may lose the cancellation
            return
        began = unix_ms()
        await asyncio.sleep(0.05)
        flush = Outcomes("chat", "proxy", number, began + skew_ms, unix_ms() + skew_ms, (side,))
        await redis.xadd(KEYS.outcomes, {"o": encode_outcomes(flush)})


async def status(redis: RedisClient) -> WorkloadStatus | None:
    raw = await redis.get(KEYS.status)
    return None if raw is None else from_json(WorkloadStatus, raw)


async def stands(redis: RedisClient, percent: float) -> bool:
    seen = await status(redis)
    return seen is not None and (seen.percent, seen.confirmed) == (percent, 1)


def loop_of(config: Config, redis: RedisClient, skew_ms: int) -> SteerLoop:
    envoys = MemoryActuator(1)
    return SteerLoop(
        config,
        RedisSteeringStore(redis, cluster=False, log_retention=100),
        Lease(redis, "skewed", 3.0),
        lambda _: envoys,
        Evidence,
        SteerMetrics(CollectorRegistry()),
        host=HostClocks(wall_ms=lambda: unix_ms() + skew_ms),
    )


@pytest.mark.parametrize(("scorer_ms", "proxy_ms"), [(60_000, 0), (-60_000, 0), (0, -60_000), (30_000, -3_600_000)])
async def test_a_total_failure_after_a_step_is_seen_although_the_clocks_differ(
    redis_url: str, scorer_ms: int, proxy_ms: int
) -> None:
    config = parse_config(YAML.format(url=redis_url))
    redis, stop = connect(config.redis), asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(loop_of(config, redis, scorer_ms).run(stop))
            await eventually(lambda: stands(redis, 0))
            await redis.xadd(KEYS.commands, {"c": to_json(Command(CommandKind.PROMOTE, "ann"))})
            await eventually(lambda: stands(redis, 5))
            proxy = group.create_task(failing(redis, proxy_ms))
            await eventually(lambda: stands(redis, 0), within=25)  # the clocks differ by at least 30 s
            proxy.cancel()
            seen = await status(redis)
            assert seen is not None
            assert "Redis'" in seen.message
            assert abs(seen.updated_at_ms - unix_ms()) < 5_000
            stop.set()
    finally:
        await redis.aclose()
