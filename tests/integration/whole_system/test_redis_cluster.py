"""extproc and scorer on a real Redis Cluster: workloads on different nodes, and an outage of the cluster."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from glidepath import protobuf_codec
from glidepath.config import Config
from glidepath.pair_scores import ScoredPair
from glidepath.redis_keys import WorkloadKeys
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.redis_and_envoy import spawn_redis
from glidepath_ops.local.services import config_file
from tests.support.recording_backend import Recorder
from tests.support.redis_cluster import running_cluster
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

# Their slots are in different thirds of the 16384, so on different nodes.
PATHS = {"chat": "/v1/chat/completions", "support": "/v1/support", "batch": "/v1/batch"}


@dataclass(slots=True)
class Clustered:
    system: System
    nodes: list[Child]
    seen: dict[str, Any] = field(default_factory=dict)

    async def ask(self, count: int) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "Who are you?"}]}
        for path in PATHS.values():
            for _ in range(count):
                async with self.system.http.post(f"{self.system.url}{path}", json=body) as response:
                    assert response.status == 200

    async def results(self, name: str) -> list[ScoredPair]:
        entries = await self.system.redis.xrange(WorkloadKeys(name).results)
        return [protobuf_codec.decode_scored(fields[b"r"]) for _, fields in entries]

    async def scored(self, count: int) -> bool:
        for name in PATHS:
            self.seen[name] = len(await self.results(name)), await self.system.coverage(name)
        return min(scores for scores, _ in self.seen.values()) >= count

    async def cli(self, *arguments: str) -> Any:
        """Return the output of a command with --json; it must succeed."""
        command = [
            sys.executable,
            "-m",
            "glidepath_ops",
            *arguments,
            "--json",
            "-c",
            str(config_file(self.system.folder)),
        ]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def on_cluster(config: Config, url: str) -> Config:
    data = config.model_dump(mode="json", exclude_unset=True)
    chat = data["workloads"]["chat"]
    data["workloads"] = {name: {**chat, "match": {"path": path}} for name, path in PATHS.items()}
    data["redis"] = {"url": url, "cluster": True}
    return Config.model_validate(data)


@pytest.fixture
async def clustered(tmp_path: Path) -> AsyncIterator[Clustered]:
    cluster = running_cluster(tmp_path / "cluster")
    async with cluster as (url, nodes), Recorder("same") as cloud, Recorder("same") as onprem:
        budget = {"shadow": {"same_side": 0, "timeout": "5s", "budget": {"requests": 1000}}}
        config = on_cluster(system_config(tmp_path, cloud.url, onprem.url, **budget), url)
        async with running_system(config, tmp_path, redis=False) as system:
            yield Clustered(system, nodes)


async def test_pairs_scores_steering_and_commands_work_on_a_cluster(clustered: Clustered) -> None:
    redis = clustered.system.redis
    await redis.initialize()
    owners = {redis.get_node_from_key(WorkloadKeys(name).pairs).name for name in PATHS}
    assert len(owners) == 3

    async def steered() -> bool:
        return all(one and one["confirmed"] == 1 for one in (await clustered.cli("status")).values())

    await eventually(steered, what="a scorer that steers: what came before its step began counts in no step")
    await clustered.ask(5)
    await eventually(lambda: clustered.scored(5))
    for name in PATHS:
        assert len({scored.pair_id for scored in await clustered.results(name)}) == 5
        assert await redis.hgetall(f"{WorkloadKeys(name).budget}:{await _today(clustered, name)}")

    async def counted() -> bool:
        status = await clustered.cli("status")
        return all(one["pairs_scored"] == 5 and one["candidate"]["requests"] == 5 for one in status.values())

    await eventually(counted, what="the status of all three")
    assert (await clustered.cli("hold", "batch", "--reason", "a test"))["event"] == "hold"
    assert (await clustered.cli("promote", "chat", "--percent", "100", "--force"))["to_percent"] == 100
    assert (await clustered.cli("status"))["batch"]["phase"] == "held"
    await eventually(lambda: _weighs(clustered.system, 10_000))


async def _today(clustered: Clustered, name: str) -> str:
    prefix = f"{WorkloadKeys(name).budget}:"
    keys = [key.decode() async for key in clustered.system.redis.scan_iter(f"*{name}*:budget:*")]
    assert len(keys) == 1
    return str(keys[0].removeprefix(prefix))


async def _weighs(system: System, candidate: int) -> bool:
    return (await system.weights()).get("onprem-or-cloud") == candidate


async def test_after_an_outage_of_the_cluster_every_pair_is_stored_exactly_once(clustered: Clustered) -> None:
    await clustered.ask(1)
    await eventually(lambda: clustered.scored(1))
    for node in clustered.nodes:
        node.kill()
    await clustered.ask(4)  # clients are served during the outage
    again = [_again(node) for node in clustered.nodes]
    try:
        await eventually(
            lambda: _answers(clustered, 5), what=lambda: f"five scores of each workload; seen: {clustered.seen}"
        )
        assert all(child.alive for child in clustered.system.stack.children.values())
        for name in PATHS:
            assert len({scored.pair_id for scored in await clustered.results(name)}) == 5
        assert (await clustered.cli("hold", "chat"))["event"] == "hold"
    finally:
        for child in again:
            child.stop()


def _again(node: Child) -> Child:
    """Start the same node again with its data."""
    options = dict(zip(node.command[1::2], node.command[2::2], strict=False))
    more = [option for name in options if name.startswith("--cluster") for option in (name, options[name])]
    return spawn_redis(Path(options["--dir"]), int(options["--port"]), *more)


async def _answers(clustered: Clustered, count: int) -> bool:
    try:
        return await clustered.scored(count)
    except (OSError, RedisError):
        return False
