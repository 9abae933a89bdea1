"""Remove results that contain texts of answers, once they are older than the pairs may be. See ADR 0522."""

from __future__ import annotations

from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

# The stream's own time to live removes the results of a workload that has left the configuration.
# KEYS: results.  ARGV: age kept (ms).
_EXPIRE = """
local t = redis.call('TIME')
local before = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', math.max(before, 0)))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


async def expire_results(client: RedisClient, workload: str, age_s: float) -> None:
    """Remove the workload's results that are older than ``age_s``, by Redis' clock. Raises RedisError or OSError.

    If nobody calls this function for ``age_s``, Redis removes all results of the workload.
    """
    await client.eval(_EXPIRE, 1, WorkloadKeys(workload).results, max(1, int(age_s * 1000)))
