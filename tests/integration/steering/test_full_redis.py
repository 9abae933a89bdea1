"""A full Redis: steps stop, rollbacks do not, and the logs stay quiet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from extproc.redis_writer import RedisWriter
from glidepath.clock import unix_ms
from glidepath.config.connections import RedisSection
from glidepath.config.retention import RetentionSection
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind
from glidepath_ops.cli.steering_client import send_command
from tests.support.chat_config import CHAT_CONFIG
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.steering_client import SteeringClient, steering
from tests.support.waiting import eventually

YAML = (
    CHAT_CONFIG + "    ramp: {steps: [5, 25, 100], hold: 300ms, min_samples: 2, cool_down: 1h, unjudged_limit: 100}\n"
)


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[RunningEnvoy]:
    with running_envoy(YAML, tmp_path) as one:
        yield one


@asynccontextmanager
async def baking_at_5(envoy: RunningEnvoy, redis_url: str) -> AsyncIterator[SteeringClient]:
    changed = {"admin": (envoy.admin,)}
    config = envoy.config.model_copy(
        update={"envoy": envoy.config.envoy.model_copy(update=changed), "redis": RedisSection(url=redis_url)}
    )
    async with steering(config) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 1))
        try:
            yield client
        finally:
            await client.redis.config_set("maxmemory", "0")


async def fill(client: SteeringClient) -> None:
    await client.redis.config_set("maxmemory", "1")
    with pytest.raises(ResponseError, match="maxmemory"):
        await client.redis.set("more", "data")


async def test_a_persons_rollback_is_carried_out(envoy: RunningEnvoy, redis_url: str) -> None:
    async with baking_at_5(envoy, redis_url) as client:
        await fill(client)
        await send_command(client.redis, "chat", Command(CommandKind.ROLLBACK, "test"))
        await eventually(lambda: client.has(envoy.admin, 0))
        await eventually(lambda: client.logged("rollback"))


async def test_errors_that_extproc_reports_take_the_share_back(envoy: RunningEnvoy, redis_url: str) -> None:
    async with baking_at_5(envoy, redis_url) as client:
        await fill(client)
        writer = RedisWriter(client.redis, RetentionSection(), "one")
        for seq in range(1, 6):
            side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=3, errors=3)
            flush = Outcomes("chat", "one", seq, unix_ms(), unix_ms() + 1, (side,))
            assert await writer.write([], [flush]) == ([], [True])
        await eventually(lambda: client.has(envoy.admin, 0))


async def test_a_state_that_redis_refuses_is_logged_once_without_a_traceback(
    envoy: RunningEnvoy, redis_url: str
) -> None:
    async with baking_at_5(envoy, redis_url) as client:
        await client.redis.delete(client.keys.log)
        await client.redis.set(client.keys.log, "a person was here")
        with capture_logs() as logs:
            await send_command(client.redis, "chat", Command(CommandKind.HOLD, "test"))
            await eventually(lambda: bool([one for one in logs if one["event"] == "state_refused"]))
            await client.redis.delete(client.keys.log)
            await eventually(lambda: bool([one for one in logs if one["event"] == "state_stored"]))
        assert len([one for one in logs if one["event"] == "state_refused"]) == 1
        assert not [one for one in logs if "exc_info" in one]
        await eventually(lambda: client.stands("held", 5))
