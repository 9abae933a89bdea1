"""The daily budget for copies of requests. All extproc processes add their spending to the same counters in Redis.

A budget check never waits, because it uses a total in the memory of the process. This total includes the process's own
spending at once, and the spending of the other processes after the next synchronisation with Redis. All processes
together can therefore exceed the budget by the copies that they send between two synchronisations, and by the cost of
the answers that are still in flight. If Redis has not answered for ``STALE_AFTER_S`` seconds, no paid copy is sent,
because the spending of the other processes is then unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from glidepath import redis_keys
from glidepath.config import Config
from glidepath.config.shadow_traffic import DayBudget
from glidepath.pricing.price_of_tokens import price_of
from glidepath.pricing.price_tables import PriceTable, price_table
from glidepath.redisio import RedisClient
from glidepath.token_usage import TokenUsage

STALE_AFTER_S = 10.0
KEEP_S = 3 * 86400


class SpendingCounters(Protocol):
    """The daily counters of copies and of their cost, which all processes share.

    ``add`` adds ``requests`` and ``cost`` to the counters at ``key``, and returns the two new totals. It raises
    RedisError or OSError if the counters cannot be changed.
    """

    async def add(self, key: str, requests: int, cost: float) -> tuple[int, float]: ...


@dataclass(slots=True)
class InMemorySpendingCounters:
    """SpendingCounters in memory instead of Redis, for tests."""

    values: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def add(self, key: str, requests: int, cost: float) -> tuple[int, float]:
        old_requests, old_cost = self.values.get(key, (0, 0.0))
        self.values[key] = (old_requests + requests, old_cost + cost)
        return self.values[key]


_ADD = """
local requests = redis.call('HINCRBY', KEYS[1], 'requests', ARGV[1])
local cost = redis.call('HINCRBYFLOAT', KEYS[1], 'cost', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {requests, cost}
"""


class RedisSpendingCounters:
    """The spending counters in Redis: one hash per day and workload, with the fields ``requests`` and ``cost``.

    A script adds to both fields, because redis-py has no transactions on a Redis cluster.
    """

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def add(self, key: str, requests: int, cost: float) -> tuple[int, float]:
        got = await self._client.eval(_ADD, 1, key, requests, repr(cost), KEEP_S)
        return int(got[0]), float(got[1])


@dataclass(slots=True)
class _Spending:
    day: str = ""
    shared_requests: int = 0
    shared_cost: float = 0.0
    own_requests: int = 0
    own_cost: float = 0.0
    synced_at: float = float("-inf")  # the time of Redis' last answer, by the monotonic clock


class Budgets:
    """The daily budgets of all workloads. In every method, ``now`` is Unix seconds and only selects the day.

    ``clock``: a monotonic clock in seconds, which shows how old Redis' totals are.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits: dict[str, DayBudget] = {}
        self._paid: dict[str, frozenset[str]] = {}
        self._prices: Mapping[str, PriceTable] = {name: price_table(b.price) for name, b in config.backends.items()}
        self._spent: dict[str, _Spending] = {}
        for name, workload in config.workloads.items():
            limit = workload.shadow.budget
            if limit.requests is not None or limit.cost is not None:
                sides = (workload.baseline, workload.candidate)
                priced = frozenset(b for b in sides if self._prices[b].tokens)
                self._limits[name] = limit
                self._paid[name] = priced or frozenset(sides)  # if neither side has a price, both may cost money
                self._spent[name] = _Spending()

    def allow(self, workload: str, backend: str, now: float) -> bool:
        """Return whether the workload's budget allows one more copy to ``backend``. If so, count the copy as sent."""
        limit = self._limits.get(workload)
        if limit is None or backend not in self._paid[workload]:
            return True
        spent = self._today(workload, now)
        if self._clock() - spent.synced_at > STALE_AFTER_S:
            return False
        if limit.requests is not None and spent.shared_requests + spent.own_requests >= limit.requests:
            return False
        if limit.cost is not None and spent.shared_cost + spent.own_cost >= limit.cost:
            return False
        spent.own_requests += 1
        return True

    def charges(self, workload: str, backend: str) -> bool:
        """Return whether the workload's budget counts the cost of copies to ``backend``."""
        return workload in self._limits and backend in self._paid[workload] and bool(self._prices[backend].tokens)

    def charge(self, workload: str, backend: str, usage: TokenUsage, now: float) -> None:
        """Add the cost of one answered copy to the workload's spending of the current day."""
        if self.charges(workload, backend):
            self._today(workload, now).own_cost += float(price_of(usage, self._prices[backend]).amount)

    async def sync(self, counters: SpendingCounters, now: float) -> None:
        """Add this process's spending to the shared counters and read their totals.

        If ``counters`` raises an error, this method raises it too, and the next call adds the same spending again.
        """
        for workload in self._limits:
            spent = self._today(workload, now)
            requests, cost = spent.own_requests, spent.own_cost
            # Redis may have counted an increment whose reply was lost. Counting it twice only ends the budget earlier.
            total = await counters.add(f"{redis_keys.WorkloadKeys(workload).budget}:{spent.day}", requests, cost)
            if self._spent[workload] is spent:
                spent.own_requests -= requests
                spent.own_cost -= cost
                spent.shared_requests, spent.shared_cost = total
                spent.synced_at = self._clock()

    def _today(self, workload: str, now: float) -> _Spending:
        day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
        spent = self._spent[workload]
        if spent.day != day:
            # The spending starts again at 0. ``synced_at`` is kept, because it is the time of Redis' last answer.
            spent = self._spent[workload] = _Spending(day=day, synced_at=spent.synced_at)
        return spent
