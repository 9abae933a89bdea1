"""The daily budget: shared by all extprocs, checked without waiting, exhausted while the total is unknown."""

from __future__ import annotations

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from extproc.copy_budget import STALE_AFTER_S, Budgets, InMemorySpendingCounters, RedisSpendingCounters
from glidepath.redis_keys import WorkloadKeys
from glidepath.token_usage import TokenUsage
from tests.support.in_memory_extproc import capture_config

NOON = 1_800_000_000.0  # 2027-01-15 08:00 UTC
KEY = f"{WorkloadKeys('chat').budget}:2027-01-15"
DAY = 86_400.0


class AwayCounters:
    async def add(self, key: str, requests: int, cost: float) -> tuple[int, float]:
        raise RedisConnectionError(key)


async def synced(budget: str, counters: InMemorySpendingCounters | None = None) -> Budgets:
    budgets = Budgets(capture_config(f"{{budget: {budget}}}"))
    await budgets.sync(counters or InMemorySpendingCounters(), NOON)
    return budgets


async def test_without_a_budget_everything_is_allowed() -> None:
    assert Budgets(capture_config()).allow("chat", "cloud", NOON)


async def test_requests_to_the_paid_side_are_counted_at_once() -> None:
    budgets = await synced("{requests: 2}")
    assert [budgets.allow("chat", "cloud", NOON) for _ in range(3)] == [True, True, False]
    assert budgets.allow("chat", "onprem", NOON)  # has no price: costs nothing


async def test_a_budget_of_zero_allows_no_request() -> None:
    assert not (await synced("{requests: 0}")).allow("chat", "cloud", NOON)


async def test_cost_is_computed_from_the_tokens_of_the_answer() -> None:
    budgets = await synced("{cost: 0.005}")
    assert budgets.allow("chat", "cloud", NOON)
    budgets.charge("chat", "cloud", TokenUsage(1000, 2000), NOON)  # 1 and 2 a million: 0.005
    assert not budgets.allow("chat", "cloud", NOON)


async def test_two_extprocs_share_one_budget() -> None:
    counters = InMemorySpendingCounters()
    first, second = await synced("{requests: 3}", counters), await synced("{requests: 3}", counters)
    assert all(first.allow("chat", "cloud", NOON) for _ in range(2))
    await first.sync(counters, NOON)
    await second.sync(counters, NOON)
    assert counters.values == {KEY: (2, 0.0)}
    assert [second.allow("chat", "cloud", NOON) for _ in range(2)] == [True, False]


async def test_nothing_is_allowed_while_the_shared_total_is_unknown_or_stale() -> None:
    clock = [5.0]
    budgets = Budgets(capture_config("{budget: {requests: 10}}"), lambda: clock[0])
    assert not budgets.allow("chat", "cloud", NOON)
    await budgets.sync(InMemorySpendingCounters(), NOON)
    clock[0] += STALE_AFTER_S - 1
    assert budgets.allow("chat", "cloud", NOON - 3600)  # the wall clock was set back
    with pytest.raises(RedisConnectionError):
        await budgets.sync(AwayCounters(), NOON + 5)
    clock[0] += 2
    assert not budgets.allow("chat", "cloud", NOON - 3600)
    assert budgets.allow("chat", "onprem", NOON - 3600)


async def test_spending_during_an_outage_of_redis_is_added_afterwards() -> None:
    counters = InMemorySpendingCounters()
    budgets = await synced("{requests: 10}", counters)
    assert budgets.allow("chat", "cloud", NOON)
    with pytest.raises(RedisConnectionError):
        await budgets.sync(AwayCounters(), NOON + 1)
    await budgets.sync(counters, NOON + 2)
    assert counters.values[KEY] == (1, 0.0)


async def test_a_new_day_begins_with_nothing_spent() -> None:
    budgets = await synced("{requests: 1}")
    assert budgets.allow("chat", "cloud", NOON)
    await budgets.sync(InMemorySpendingCounters(), NOON + DAY)
    assert budgets.allow("chat", "cloud", NOON + DAY)


async def test_the_real_counters_add_and_expire(redis_url: str) -> None:
    client = redis.asyncio.from_url(redis_url)
    try:
        counters = RedisSpendingCounters(client)
        assert await counters.add(KEY, 2, 0.25) == (2, 0.25)
        assert await counters.add(KEY, 1, 0.5) == (3, 0.75)
        assert 0 < await client.ttl(KEY) <= 3 * DAY
    finally:
        await client.aclose()
