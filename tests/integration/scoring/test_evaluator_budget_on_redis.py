"""Scorers that share one evaluator and its budget, on a real Redis and a real HTTP server."""

from __future__ import annotations

import asyncio
from typing import Any

from glidepath.clock import unix_ms
from glidepath.config import parse_config
from glidepath.evaluation_cost import HOUR_MS, CostSoFar, read_cost
from glidepath.pair_scores import Preference
from scorer.scoring.compare.evaluator.daily_budget import DAY_MS
from scorer.scoring.worker.evaluator_instrument import RedisEvaluationBudget
from tests.support.answer_pairs import pair
from tests.support.embedders import WordEmbedder
from tests.support.evaluator_server import evaluator_server
from tests.support.score_loop_on_redis import CHAT, add, has_results, pending, results, running_loop
from tests.support.thread_scorer import ThreadScorer
from tests.support.waiting import eventually


async def test_two_scorers_share_the_days_budget_and_every_pair_has_one_result(
    valid_yaml: str, redis_client: Any
) -> None:
    for i in range(60):
        text = f"You pay {i} for it, and wait."
        await add(redis_client, pair(f"p{i}", "It costs 40.", text))
    async with evaluator_server() as evaluator, asyncio.timeout(40):
        section = f"{{url: '{evaluator.url}', model: judge, sample: 100%, budget: 12}}"
        config = parse_config(valid_yaml + f"    scoring: {{evaluator: {section}}}\n")
        first, second = (ThreadScorer(config, WordEmbedder()) for _ in range(2))
        async with (
            running_loop(config, redis_client, "a", first),
            running_loop(config, redis_client, "b", second),
        ):
            await eventually(lambda: has_results(redis_client, 60))
        assert len(evaluator.requests) == 3 * 12
    found = await results(redis_client)
    assert sorted(one.pair_id for one in found) == sorted(f"p{i}" for i in range(60))
    assert sum(one.preference is Preference.WIN for one in found) == 12
    assert await pending(redis_client) == 0


async def test_the_budget_is_counted_atomically_for_each_day_and_expires(redis_client: Any) -> None:
    budget, now = RedisEvaluationBudget(redis_client), unix_ms()
    taken = await asyncio.gather(*(budget.spend("chat", 7, now) for _ in range(40)))
    assert sum(taken) == 7
    assert await budget.spend("chat", 8, now)  # allowed more meanwhile
    assert await budget.spend("chat", 7, now + DAY_MS)
    assert not await budget.spend("other", 0, now)
    key = CHAT.evaluations(now // DAY_MS)
    assert "{chat}" in key
    assert 0 < await redis_client.pttl(key) <= 2 * DAY_MS


async def test_the_cost_of_all_scorers_is_one_sum_and_the_hours_expire(redis_client: Any) -> None:
    now = unix_ms()
    assert await read_cost(redis_client, "chat", now) == CostSoFar(now // HOUR_MS, 0.0, 0.0)
    budget = RedisEvaluationBudget(redis_client)
    await asyncio.gather(*(budget.pay("chat", 0.25, now) for _ in range(40)))
    assert await budget.pay("chat", 0.0, now) == CostSoFar(now // HOUR_MS, 10.0, 10.0)
    later = await budget.pay("chat", 0.5, now + HOUR_MS)
    assert (later.in_hour, later.total) == (0.5, 10.5)
    assert (await read_cost(redis_client, "other", now)).total == 0
    assert 0 < await redis_client.pttl(CHAT.evaluation_cost_of_hour(now // HOUR_MS)) <= 2 * HOUR_MS
    assert await redis_client.pttl(CHAT.evaluation_cost) == -1
