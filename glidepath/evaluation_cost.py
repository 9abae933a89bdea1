"""The cost of a workload's evaluator so far, in the currency of the prices, and whether it has reached a limit.

All scorers add to the same counters in Redis. ``glidepath score`` counts separately, in ``CostSoFar``.
"""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.config.comparison import EvaluatorCost
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

HOUR_MS = 3_600_000

# KEYS: cost of the hour, cost in total.  ARGV: cost, ttl of the hour (ms).
# Returns both costs as text.
_ADD = """
local hour = redis.call('INCRBYFLOAT', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {hour, redis.call('INCRBYFLOAT', KEYS[2], ARGV[1])}
"""


@dataclass(frozen=True, slots=True)
class CostSoFar:
    """The evaluator's cost in total, and in the UTC hour ``hour`` (hours since 1970), in the currency of the prices."""

    hour: int = 0
    in_hour: float = 0.0
    total: float = 0.0

    def after(self, cost: float, now_ms: int) -> CostSoFar:
        now = now_ms // HOUR_MS
        return CostSoFar(now, cost + (self.in_hour if now == self.hour else 0.0), self.total + cost)

    def reason_not_to_spend(self, limits: EvaluatorCost | None, now_ms: int) -> str:
        """Return the name of the limit that is reached, ``total_cost`` or ``hour_cost``, or "" if none is reached."""
        if limits is None:
            return ""
        if limits.total is not None and self.total >= limits.total:
            return "total_cost"
        in_hour = self.in_hour if now_ms // HOUR_MS == self.hour else 0.0
        return "hour_cost" if limits.per_hour is not None and in_hour >= limits.per_hour else ""


async def read_cost(client: RedisClient, workload: str, now_ms: int) -> CostSoFar:
    """Read the evaluator's cost for a workload from Redis. Raises RedisError or OSError."""
    keys, hour = WorkloadKeys(workload), now_ms // HOUR_MS
    in_hour, total = await client.mget([keys.evaluation_cost_of_hour(hour), keys.evaluation_cost])
    return CostSoFar(hour, float(in_hour or 0), float(total or 0))


async def add_cost(client: RedisClient, workload: str, cost: float, now_ms: int) -> CostSoFar:
    """Add a cost to the counters in Redis, and return the new sums. Raises RedisError or OSError."""
    keys, hour = WorkloadKeys(workload), now_ms // HOUR_MS
    places = (keys.evaluation_cost_of_hour(hour), keys.evaluation_cost)
    in_hour, total = await client.eval(_ADD, 2, *places, repr(cost), 2 * HOUR_MS)
    return CostSoFar(hour, float(in_hour), float(total))
