"""A complete Glidepath on loopback for a test: Redis, Envoy, extproc and scorer as child processes, like `up`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio

from bench.local_system import WORKLOAD, local_config
from glidepath import protobuf_codec, redis_keys, runtime_keys
from glidepath.config import Config
from glidepath.outcome_summaries import Outcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Pair
from glidepath.redisio import connect
from glidepath.status_and_decisions import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.services import local_services, redis_service
from glidepath_ops.local.stack import Stack
from tests.support.waiting import eventually

START_S = 120  # a scorer loads its engine; the same bound as that of a first start


@dataclass(slots=True)
class System:
    """A running Glidepath. ``redis``: a client that sends and returns bytes."""

    config: Config
    stack: Stack
    redis: redis.asyncio.Redis
    http: aiohttp.ClientSession
    folder: Path

    @property
    def url(self) -> str:
        return f"http://{self.config.envoy.listen}"

    @property
    def admin(self) -> str:
        return self.config.envoy.admin[0]

    @property
    def keys(self) -> redis_keys.WorkloadKeys:
        return redis_keys.WorkloadKeys(WORKLOAD)

    def child(self, name: str) -> Child:
        return self.stack.children[name]

    async def restart(self, name: str) -> None:
        """Replace a dead child, and wait until the new child is ready."""
        self.stack.restart(name)
        ready = self.stack.services[name].ready
        await eventually(lambda: asyncio.to_thread(ready), within=START_S, what=f"{name} ready")
        if name == "redis":
            await self.redis.connection_pool.disconnect()  # its connections lead to the dead server

    async def status(self) -> WorkloadStatus | None:
        raw = await self.redis.get(self.keys.status)
        return from_json(WorkloadStatus, raw) if raw is not None else None

    async def decisions(self) -> list[Decision]:
        return [from_json(Decision, fields[b"d"]) for _, fields in await self.redis.xrange(self.keys.log)]

    async def pairs(self) -> list[Pair]:
        return [protobuf_codec.decode_pair(fields[b"p"]) for _, fields in await self.redis.xrange(self.keys.pairs)]

    async def results(self) -> list[ScoredPair]:
        return [protobuf_codec.decode_scored(fields[b"r"]) for _, fields in await self.redis.xrange(self.keys.results)]

    async def outcomes(self, workload: str = WORKLOAD) -> list[Outcomes]:
        key = redis_keys.WorkloadKeys(workload).outcomes
        return [protobuf_codec.decode_outcomes(fields[b"o"]) for _, fields in await self.redis.xrange(key)]

    async def coverage(self, workload: str = WORKLOAD) -> dict[str, int]:
        """Return the sums of the workload's counters of all flushes so far."""
        total: dict[str, int] = {}
        for flush in await self.outcomes(workload):
            for kind, count in flush.coverage.items():
                total[kind] = total.get(kind, 0) + count
        return total

    async def order(self, kind: CommandKind, *, force: bool = False) -> None:
        await self.redis.xadd(self.keys.commands, {"c": to_json(Command(kind, "test", force=force))})

    async def weights(self) -> dict[str, int]:
        """Return the weights in Envoy's runtime: basis points by cluster."""
        async with self.http.get(f"{self.admin}/runtime") as response:
            entries = (await response.json(content_type=None)).get("entries", {})
        prefix = runtime_keys.weight_prefix(WORKLOAD) + "."
        return {k.removeprefix(prefix): int(v["final_value"]) for k, v in entries.items() if k.startswith(prefix)}


def system_config(folder: Path, baseline: str, candidate: str, **workload: Mapping[str, Any]) -> Config:
    """Return a configuration with the workload ``chat`` from ``cloud`` to ``onprem``. ``workload``: its sections."""
    chat = {
        "shadow": {"sample": 100, "same_side": 0, "timeout": "5s"},
        "ramp": {"steps": [100], "shadow_hold": "1h", "hold": "1h"},
        **workload,
    }
    return local_config(
        folder,
        {"url": baseline, "model": "m-cloud"},
        {"url": candidate, "model": "m-on"},
        chat,
        extproc={"flush": "100ms"},
        scorer={"tick": "100ms", "lease": "1s", "reclaim_after": "1s"},
    )


@asynccontextmanager
async def running_system(
    config: Config, folder: Path, *, scorer: bool = True, redis: bool = True, envoy: bool = True
) -> AsyncIterator[System]:
    """Run all processes until the context ends. ``scorer``, ``redis``, ``envoy``: whether to start these."""
    port = int(str(config.redis.url).rpartition(":")[2].partition("/")[0])
    with Stack() as stack:
        if redis:
            stack.start(redis_service(folder / "redis", port))
        parts = local_services(config, folder, envoy=envoy)
        stack.start(*(part for part in parts if scorer or part.name != "scorer"))
        client = connect(config.redis)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
                yield System(config, stack, client, http, folder)
        finally:
            await client.aclose()
