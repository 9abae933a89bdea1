"""One migration with two Envoys, two extprocs and two scorers on one Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import Config
from glidepath.sides import Origin, Side
from glidepath_ops.local.services import config_file
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually


@dataclass(slots=True)
class TwoSystems:
    """Two whole systems that share a Redis; each scorer writes to both Envoys."""

    one: System
    two: System

    async def ask(self, count: int) -> None:
        """Send ``count`` requests to each Envoy; all are answered."""
        body = {"model": "m", "messages": [{"role": "user", "content": "Who are you?"}]}
        for system in (self.one, self.two):
            for _ in range(count):
                async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as response:
                    assert response.status == 200

    async def counted(self) -> Counter[tuple[str, str]]:
        """Return the requests by side and origin, over all flushes of both extprocs."""
        total: Counter[tuple[str, str]] = Counter()
        for flush in await self.one.outcomes():
            for side in flush.sides:
                total[side.side.value, side.origin.value] += side.requests
        return total

    async def sums_up(self, requests: int) -> bool:
        """Return whether the baseline served every request and the candidate got a copy of every request."""
        wanted = {
            (Side.BASELINE.value, Origin.LIVE.value): requests,
            (Side.CANDIDATE.value, Origin.SHADOW.value): requests,
        }
        return await self.counted() == wanted

    async def live(self) -> dict[Side, int]:
        counted = await self.counted()
        return {side: counted[side.value, Origin.LIVE.value] for side in Side}

    async def weigh(self, candidate: int) -> bool:
        wanted = {"onprem-or-cloud": candidate, "cloud": 10_000 - candidate}
        return await self.one.weights() == wanted and await weights_of(self.two) == wanted

    async def scored(self, count: int) -> bool:
        return len(await self.one.results()) >= count

    async def cli(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "glidepath_ops", *arguments, "--json", "-c", str(config_file(self.one.folder))]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def leader(self) -> System | None:
        """Return the system whose scorer steers. The leader's name contains its process id."""
        status = await self.one.status()
        pids = {str(system.child("scorer").pid): system for system in (self.one, self.two)}
        return pids.get(status.leader.split("-")[-2]) if status else None


async def weights_of(system: System) -> dict[str, int]:
    """Return the weights in this system's own Envoy, which is not the first one in its configuration."""
    async with system.http.get(f"{system.admin}/runtime") as response:
        entries = (await response.json(content_type=None)).get("entries", {})
    prefix = "glidepath.chat.weight."
    return {k.removeprefix(prefix): int(v["final_value"]) for k, v in entries.items() if k.startswith(prefix)}


def sharing_one_redis(one: Config, two: Config) -> tuple[Config, Config]:
    """Return both configurations with both Envoys, the own Envoy first, and with the Redis of ``one``."""
    both = (*one.envoy.admin, *two.envoy.admin)
    merged = []
    for config in (one, two):
        data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
        own = config.envoy.admin[0]
        data["envoy"]["admin"] = [own, *(admin for admin in both if admin != own)]
        data["redis"] = {"url": one.redis.url}
        data["workloads"]["chat"] |= {"ramp": {"steps": [50, 100], "shadow_hold": "1h", "hold": "1h"}}
        merged.append(Config.model_validate(data))
    return merged[0], merged[1]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[TwoSystems]:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with Recorder("same") as cloud, Recorder("same") as onprem:
        configs = sharing_one_redis(*(system_config(folder, cloud.url, onprem.url) for folder in folders))
        async with (
            running_system(configs[0], folders[0]) as one,
            running_system(configs[1], folders[1], redis=False) as two,
        ):
            yield TwoSystems(one, two)


async def test_two_of_every_process_run_one_migration_and_either_process_may_be_killed(both: TwoSystems) -> None:
    await both.ask(20)
    await eventually(lambda: both.scored(40), what="40 scores")
    await eventually(lambda: both.sums_up(40))
    assert len({flush.source for flush in await both.one.outcomes()}) == 2

    await eventually(lambda: _paired(both, 40))
    await eventually(lambda: both.weigh(0))
    await both.cli("promote", "chat", "--percent", "50", "--force")
    await eventually(lambda: both.weigh(5000))

    leader = await both.leader()
    assert leader is not None
    leader.child("scorer").kill()
    await both.ask(20)
    decision = await both.cli("rollback", "chat", "--reason", "the other scorer takes over")
    assert decision["to_percent"] == 0
    await eventually(lambda: both.weigh(0))
    await eventually(lambda: _confirmed(both))
    assert await both.leader() not in (None, leader)

    await eventually(lambda: both.scored(80), what="80 scores")
    ids = [scored.pair_id for scored in await both.one.results()]
    assert len(ids) == len(set(ids)) == 80
    await eventually(lambda: _all_live(both, 80))
    assert (await both.live())[Side.CANDIDATE] > 5
    await eventually(lambda: _paired(both, 80))


async def _paired(both: TwoSystems, pairs: int) -> bool:
    return (await both.one.coverage()).get("paired") == pairs


async def _all_live(both: TwoSystems, requests: int) -> bool:
    return sum((await both.live()).values()) == requests


async def _confirmed(both: TwoSystems) -> bool:
    status = await both.one.status()
    return status is not None and (status.percent, status.confirmed, status.envoys) == (0, 2, 2)
