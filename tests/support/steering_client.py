"""A client of a steering scorer for tests: it reads status and log, and sends commands, outcomes and overrides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import encode_outcomes, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from scorer.steering.envoy.admin_interface import admin_layer
from scorer.steering.leader.redis_clocks import LIKELY_MS
from scorer.steering.leader.wiring import steer_loop
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.waiting import eventually

CANDIDATE = "glidepath.chat.weight.onprem-or-cloud"
BASELINE = "glidepath.chat.weight.cloud"
AUTOPILOT = "glidepath.chat.autopilot"


class SteeringClient:
    """Reads and writes Redis and the Envoys' admin interfaces for the workload ``chat``."""

    def __init__(self, config: Config, redis: RedisClient, http: aiohttp.ClientSession) -> None:
        self.config, self.redis, self.http = config, redis, http
        self.keys = WorkloadKeys("chat")
        self.seq = 0

    async def status(self) -> WorkloadStatus | None:
        raw = await self.redis.get(self.keys.status)
        return None if raw is None else from_json(WorkloadStatus, raw)

    async def stands(self, phase: str, percent: float, confirmed: int | None = None) -> bool:
        status = await self.status()
        if status is None or (status.phase, status.percent) != (phase, percent):
            return False
        return confirmed is None or status.confirmed == confirmed

    async def log(self) -> list[Decision]:
        return [from_json(Decision, fields[b"d"]) for _, fields in await self.redis.xrange(self.keys.log)]

    async def logged(self, event: str) -> Decision | None:
        return next((d for d in await self.log() if d.event == event), None)

    async def order(self, kind: CommandKind, **options: Any) -> None:
        await self.redis.xadd(self.keys.commands, {"c": to_json(Command(kind, "test", **options))})

    async def outcomes(self, requests: int, errors: int, origin: Origin = Origin.LIVE, source: str = "test") -> None:
        """Send a flush of the present step.

        The leader knows Redis' clock only to within LIKELY_MS. So a flush from the first moments of a step may count
        for the previous step. To avoid this, the method waits until these moments are over.
        """
        await eventually(self._first_moments_are_over)
        self.seq += 1
        side = SideOutcomes(Side.CANDIDATE, origin, requests=requests, errors=errors)
        flush = Outcomes("chat", source, self.seq, unix_ms(), unix_ms() + 1, (side,))
        await self.redis.xadd(self.keys.outcomes, {"o": encode_outcomes(flush)})

    async def _first_moments_are_over(self) -> bool:
        status = await self.status()
        return status is None or unix_ms() > status.since_ms + 2 * LIKELY_MS

    async def score(self, agreement: float) -> None:
        """Send a scored pair of the present step; see ``outcomes``."""
        await eventually(self._first_moments_are_over)
        pair = ScoredPair("p", "chat", PairKind.CROSS, unix_ms(), unix_ms(), scored=True, agreement=agreement)
        await self.redis.xadd(self.keys.results, {"r": encode_scored(pair)})

    async def runtime(self, admin: str) -> dict[str, str]:
        """Return the runtime values that this Envoy's routes use now."""
        async with self.http.get(f"{admin}/runtime") as response:
            entries = (await response.json(content_type=None))["entries"]
        return {key: entry["final_value"] for key, entry in entries.items()}

    async def admin_layer(self, admin: str) -> dict[str, str]:
        """Return the runtime values in the admin layer, which a person or the scorer has set."""
        async with self.http.get(f"{admin}/runtime") as response:
            return admin_layer(await response.read())

    async def admin_layer_is_empty(self, admin: str) -> bool:
        return not await self.admin_layer(admin)

    async def weights(self, admin: str) -> tuple[int, int]:
        runtime = await self.runtime(admin)
        return int(runtime[CANDIDATE]), int(runtime[BASELINE])

    async def has(self, admin: str, candidate: int) -> bool:
        try:
            return await self.weights(admin) == (candidate, 10_000 - candidate)
        except (aiohttp.ClientError, KeyError):
            return False

    async def curl(self, admin: str, **values: object) -> None:
        """POST /runtime_modify as a person does; ``candidate``, ``baseline`` and ``autopilot`` stand for the keys."""
        names = {"candidate": CANDIDATE, "baseline": BASELINE, "autopilot": AUTOPILOT}
        params = {names[name]: str(value) for name, value in values.items()}
        async with self.http.post(f"{admin}/runtime_modify", params=params) as response:
            assert response.status == 200


@asynccontextmanager
async def steering_client(config: Config) -> AsyncIterator[SteeringClient]:
    """Yield a client of a steer loop that runs elsewhere."""
    redis = connect(config.redis)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as http:
            yield SteeringClient(config, redis, http)
    finally:
        await redis.aclose()


@asynccontextmanager
async def steering(config: Config, owner: str = "leader") -> AsyncIterator[SteeringClient]:
    """Run a steer loop in this process, and yield a client of it. Stop the loop at the end."""
    redis, stop = connect(config.redis), asyncio.Event()
    loop = steer_loop(config, redis, owner, CollectorRegistry(), ScriptedEvidenceKind())
    try:
        async with steering_client(config) as client, asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            try:
                yield client
            finally:
                stop.set()
    finally:
        await redis.aclose()
