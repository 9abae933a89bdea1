"""The score loop on a real Redis: pairs in, a scorer at work, what came out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.domain import ScoredPair
from glidepath.keys import SCORER_GROUP, WorkloadKeys
from glidepath.wire import decode_scored, encode_pair
from scorer.scoring.worker.score_loop import ScoreLoop
from tests.support.scoring import InstantScorer

CHAT = WorkloadKeys("chat")


async def add(client: Any, *pairs: Any, workload: str = "chat") -> None:
    for one in pairs:
        await client.xadd(WorkloadKeys(workload).pairs, {"p": encode_pair(one)})


async def results(client: Any, workload: str = "chat") -> list[ScoredPair]:
    return [decode_scored(fields[b"r"]) for _, fields in await client.xrange(WorkloadKeys(workload).results)]


async def names(client: Any) -> list[str]:
    return sorted(scored.pair_id for scored in await results(client))


async def pending(client: Any) -> int:
    return int((await client.xpending(CHAT.pairs, SCORER_GROUP))["pending"])


@asynccontextmanager
async def working(config: Config, client: Any, name: str, scorer: Any = None) -> AsyncIterator[CollectorRegistry]:
    registry, stop = CollectorRegistry(), asyncio.Event()
    worker = ScoreLoop(config, client, scorer or InstantScorer(), consumer=name, registry=registry)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        yield registry
        stop.set()


async def counted(client: Any, count: int) -> bool:
    return int(await client.xlen(CHAT.results)) >= count


async def in_hand(client: Any) -> bool:
    groups = await client.xinfo_groups(CHAT.pairs)
    return any(int(group["pending"]) > 0 for group in groups)
