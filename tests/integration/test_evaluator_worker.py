"""Scorers that ask one evaluator: a real Redis, a real server, one budget for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import Config, parse_config
from glidepath.domain import ScoredPair
from glidepath.keys import WorkloadKeys
from glidepath.wire import decode_scored, encode_pair
from scorer.scoring.compare.evaluator.questions import DAY_MS
from scorer.scoring.worker.evaluator_queue import RedisEvaluationBudget
from scorer.scoring.worker.in_thread import ThreadScorer
from scorer.scoring.worker.score_loop import ScoreLoop
from tests.support.evaluator_server import evaluator_server
from tests.support.scoring import WordEmbedder, pair
from tests.support.waiting import eventually

CHAT = WorkloadKeys("chat")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    client = redis.asyncio.from_url(redis_url)
    yield client
    await client.aclose()


@asynccontextmanager
async def scoring(config: Config, client: Any, name: str) -> AsyncIterator[CollectorRegistry]:
    registry, stop = CollectorRegistry(), asyncio.Event()
    worker = ScoreLoop(config, client, ThreadScorer(config, WordEmbedder()), consumer=name, registry=registry)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        yield registry
        stop.set()


async def results(client: Any) -> list[ScoredPair]:
    return [decode_scored(fields[b"r"]) for _, fields in await client.xrange(CHAT.results)]


async def test_two_scorers_ask_no_more_than_the_day_allows_and_every_pair_has_one_result(
    valid_yaml: str, client: Any
) -> None:
    for i in range(60):
        text = f"You pay {i} for it, and wait." if i % 2 else "It costs 40."
        await client.xadd(CHAT.pairs, {"p": encode_pair(pair(f"p{i}", "It costs 40.", text))})
    async with evaluator_server() as judge, asyncio.timeout(40):
        evaluator = f"{{url: '{judge.url}', model: judge, between: [0, 0.99], budget: 12}}"
        config = parse_config(valid_yaml + f"    scoring: {{evaluator: {evaluator}}}\n")
        async with scoring(config, client, "a"), scoring(config, client, "b"):
            await eventually(lambda: _written(client, 60))
        assert len(judge.seen) == 12
    found = await results(client)
    assert sorted(one.pair_id for one in found) == sorted(f"p{i}" for i in range(60))
    assert sum("evaluator" in one.signals for one in found) == 12
    assert (await client.xpending(CHAT.pairs, "scorers"))["pending"] == 0


async def _written(client: Any, count: int) -> bool:
    return int(await client.xlen(CHAT.results)) >= count


async def test_the_budget_is_counted_atomically_begins_anew_every_day_and_does_not_stay(client: Any) -> None:
    budget, now = RedisEvaluationBudget(client), unix_ms()
    taken = await asyncio.gather(*(budget.take("chat", 7, now) for _ in range(40)))
    assert sum(taken) == 7
    assert await budget.take("chat", 8, now)  # allowed more meanwhile
    assert await budget.take("chat", 7, now + DAY_MS)
    assert not await budget.take("other", 0, now)
    key = CHAT.evaluations(now // DAY_MS)
    assert "{chat}" in key
    assert 0 < await client.pttl(key) <= 2 * DAY_MS
