"""A quota with a real Envoy, extproc and Redis: copies give way to clients, and a step is held.

Only the evidence is scripted. The quota is compared with whole minutes, so the test takes up to two of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from glidepath import runtime_keys
from glidepath.config import Config
from glidepath.status_and_decisions import CommandKind
from glidepath_ops.demo.client_load import Clients, Profile
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.steering_client import SteeringClient, steering
from tests.support.waiting import eventually

A_SECOND = 5  # requests of clients: 300 a minute, of which the candidate would get 150 at 50 %
ALLOWED = 60  # requests a minute at the candidate
WITHIN = 180  # a minute that is not whole, a whole one, and time for a busy machine


def with_quota(config: Config) -> Config:
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    data["backends"]["onprem"]["quota"] = {"requests": ALLOWED}
    data["scorer"]["lease"] = "30s"  # a leader that loses its lease on a busy machine counts the minutes anew
    return Config.model_validate(data)


@asynccontextmanager
async def clients_of(system: System) -> AsyncIterator[None]:
    """Send requests at a steady rate. Each must be answered."""
    clients = Clients(system.url, Profile(rate=A_SECOND, prompts=["Hello"], stream_share=0), random.Random(1))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(clients.run(stop))
        try:
            yield
        finally:
            stop.set()
    assert clients.stats.error_kinds == {}
    assert clients.stats.answered == clients.stats.requests


@pytest.mark.slow
@pytest.mark.first
async def test_copies_give_way_and_a_step_is_held_where_the_candidates_quota_is_too_small(tmp_path: Path) -> None:
    ramp = {"steps": [50, 100], "shadow_hold": "0s", "hold": "1h", "min_samples": 5, "unjudged_limit": 100}
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = with_quota(system_config(tmp_path, cloud.url, onprem.url, ramp=ramp))
        async with running_system(config, tmp_path, scorer=False) as system, steering(config) as client:
            await eventually(lambda: client.stands("shadow", 0, 1))
            await client.score(0.95)
            async with clients_of(system):
                await eventually(lambda: _is_held(client), WITHIN, "a status that names the quota")
                await eventually(lambda: _copied(client, system, 1, 30), what="fewer copies at Envoy")
                assert await _copies_of(cloud, onprem, 100) < 60
                assert await client.weights(system.admin) == (0, runtime_keys.FULL_WEIGHT)
                assert await client.logged("promote") is None
                await client.order(CommandKind.PROMOTE)
                await eventually(lambda: _logged(client, "refused"))
                refused = await client.logged("refused")
                assert refused is not None
                assert f"{ALLOWED} allowed; --force continues anyway" in refused.reason
                await client.order(CommandKind.PROMOTE, force=True)
                await eventually(lambda: client.has(system.admin, 5_000), what="the step that --force takes")


async def _is_held(client: SteeringClient) -> bool:
    status = await client.status()
    return status is not None and status.percent == 0 and "to 50 %: quota of backends.onprem: " in status.message


async def _logged(client: SteeringClient, event: str) -> bool:
    return await client.logged(event) is not None


async def _copied(client: SteeringClient, system: System, least: float, most: float) -> bool:
    """Return whether Envoy copies at least ``least`` and at most ``most`` percent of the requests."""
    return least <= float((await client.runtime(system.admin))[runtime_keys.shadow_key("chat")]) <= most


async def _copies_of(cloud: Recorder, onprem: Recorder, requests: int) -> int:
    """Return the number of requests to the candidate while the baseline gets ``requests``."""
    cloud.received.clear()
    onprem.received.clear()
    await eventually(lambda: len(cloud.received) >= requests, what=f"{requests} requests of clients")
    return len(onprem.received)
