"""The leading scorer writes the history of the entries that it has read, beside its decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config.connections import RedisSection
from glidepath.history import HistoryPoint, decode_point
from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import CommandKind
from tests.support.chat_config import CHAT_CONFIG
from tests.support.running_envoy import running_envoy
from tests.support.steering_client import steering
from tests.support.waiting import eventually

YAML = CHAT_CONFIG + "    ramp: {steps: [5, 100], hold: 1h, unjudged_limit: 100}\n"


@pytest.mark.slow
async def test_requests_and_the_share_are_in_the_history(tmp_path: Path, redis_url: str) -> None:
    with running_envoy(YAML, tmp_path) as envoy:
        admin = envoy.config.envoy.model_copy(update={"admin": (envoy.admin,)})
        config = envoy.config.model_copy(update={"envoy": admin, "redis": RedisSection(url=redis_url)})
        async with steering(config) as client:
            await eventually(lambda: client.stands("shadow", 0, 1))
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.stands("baking", 5, 1))
            await client.outcomes(30, 0)

            async def points() -> list[HistoryPoint]:
                entries = await client.redis.xrange(WorkloadKeys("chat").history("10s"))
                return [decode_point(fields[b"h"], int(entry.split(b"-")[0]), 10) for entry, fields in entries]

            async def are_there() -> bool:
                found = await points()
                return sum(one.candidate.requests for one in found) == 30

            await eventually(are_there)
            found = await points()
            assert (found[-1].percent, found[-1].phase) == (5.0, "baking")
            assert sum(one.candidate.errors for one in found) == 0
