"""The daily budget of copies to the paid side: shared by all extprocs and kept over restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glidepath.config import Config
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually


def migrated(config: Config, budget: dict[str, Any], redis_url: str | None = None) -> Config:
    """Return the configuration with all traffic at the candidate, copied within a budget to the paid baseline."""
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    data["backends"]["cloud"]["price"] = {
        "input": 1_000_000,
        "output": 0,
    }  # a token costs 1; a question has 18 tokens
    chat = data["workloads"]["chat"]
    chat |= {"start": 100, "shadow": {"reverse": 100, "same_side": 0, "timeout": "5s", "budget": budget}}
    if redis_url is not None:
        data["redis"] = {"url": redis_url}
    return Config.model_validate(data)


async def ask(system: System, count: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Who are you?"}]}
    for _ in range(count):
        async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as response:
            assert response.status == 200


@pytest.mark.parametrize("budget", [{"requests": 10}, {"cost": 180}], ids=["requests", "money"])
async def test_the_paid_side_gets_only_copies_within_the_budget_and_clients_are_served(
    tmp_path: Path, budget: dict[str, Any]
) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        first = migrated(system_config(folders[0], cloud.url, onprem.url), budget)
        second = migrated(system_config(folders[1], cloud.url, onprem.url), budget, first.redis.url)
        async with (
            running_system(first, folders[0], scorer=False) as one,
            running_system(second, folders[1], scorer=False, redis=False) as two,
        ):
            await eventually(lambda: _known(one))
            for _ in range(20):
                await ask(one, 1)
                await ask(two, 1)
            await eventually(lambda: _accounted(one, cloud, 40))
            assert len(onprem.received) == 40
            # Between two synchronisations each of the two processes can spend the rest that it knows; and it spends
            # money for answers in flight, whose tokens are not known yet.
            assert 10 <= len(cloud.received) <= (20 if "requests" in budget else 28)
            await eventually(lambda: _counted(one, len(cloud.received)))
            spent = len(cloud.received)
            one.child("extproc").stop()
            await one.restart("extproc")
            await ask(one, 5)
            await eventually(lambda: _accounted(one, cloud, 45))
            assert len(cloud.received) == spent  # a restart does not reset the budget


async def _budget(system: System) -> dict[bytes, bytes]:
    keys = [key async for key in system.redis.scan_iter("*:budget:*")]
    return dict(await system.redis.hgetall(keys[0])) if keys else {}


async def _known(system: System) -> bool:
    return bool(await _budget(system))


async def _counted(system: System, requests: int) -> bool:
    return int((await _budget(system)).get(b"requests", 0)) == requests


async def _accounted(system: System, cloud: Recorder, total: int) -> bool:
    """Return whether each request has become a pair, or is counted as not copied because of the budget."""
    coverage = await system.coverage()
    paired = coverage.get("paired", 0)
    return paired == len(cloud.received) and paired + coverage.get("shed_budget", 0) == total
