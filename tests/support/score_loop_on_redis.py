"""Run the score loop on a real Redis: write pairs, start a loop, read the results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import decode_scored, encode_pair
from glidepath.redis_keys import SCORER_GROUP, WorkloadKeys
from scorer.scoring.worker.score_loop import ScoreLoop
from tests.support.memory_pair_queue import InstantScorer

CHAT = WorkloadKeys("chat")


async def add(client: Any, *pairs: Any, workload: str = "chat") -> None:
    """Queue pairs as extproc does."""
    for one in pairs:
        await client.xadd(WorkloadKeys(workload).pairs, {"p": encode_pair(one)})


async def results(client: Any, workload: str = "chat") -> list[ScoredPair]:
    return [decode_scored(fields[b"r"]) for _, fields in await client.xrange(WorkloadKeys(workload).results)]


async def result_ids(client: Any) -> list[str]:
    """Return the pair ids of all results, sorted."""
    return sorted(scored.pair_id for scored in await results(client))


async def pending(client: Any) -> int:
    """Return the number of pairs that are claimed and not acknowledged."""
    return int((await client.xpending(CHAT.pairs, SCORER_GROUP))["pending"])


async def nothing_pending(client: Any) -> bool:
    return await pending(client) == 0


@asynccontextmanager
async def running_loop(config: Config, client: Any, name: str, scorer: Any = None) -> AsyncIterator[CollectorRegistry]:
    """Run a score loop as the consumer ``name``. Without ``scorer``, every pair gets the score 1."""
    registry, stop = CollectorRegistry(), asyncio.Event()
    loop = ScoreLoop(config, client, scorer or InstantScorer(), consumer=name, registry=registry)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        yield registry
        stop.set()


async def has_results(client: Any, count: int) -> bool:
    return int(await client.xlen(CHAT.results)) >= count


async def has_pending(client: Any) -> bool:
    """Return whether a scorer has claimed pairs that it has not acknowledged yet."""
    groups = await client.xinfo_groups(CHAT.pairs)
    return any(int(group["pending"]) > 0 for group in groups)
