"""Pairs that Redis keeps longer than others, because a decision names them or a person labelled them. See ADR 0230.

A kept pair is a copy of the stored pair, with the same redaction. ``retention`` limits the number, the bytes and the
age of a workload's kept pairs. The oldest ones are removed first. The scorer that steers the workload removes expired
pairs. If no scorer has done so for the maximum age, for example because the workload has left the configuration, the
keys expire (ADR 0521).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glidepath.config.retention import RetentionSection
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

# KEYS: pairs, kept, kept:times.
# ARGV: maximum age (ms), number and bytes of kept pairs; then, for each pair to keep, its id and the id of its entry in
#   pairs.
# Returns {number of pairs that are no longer stored, number of all kept pairs}.
_KEEP = """
local t = redis.call('TIME')
local now, gone = t[1] * 1000 + math.floor(t[2] / 1000), 0
for i = 4, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    local found = ARGV[i + 1] ~= '' and redis.call('XRANGE', KEYS[1], ARGV[i + 1], ARGV[i + 1])[1]
    if found then
      redis.call('HSET', KEYS[2], ARGV[i], found[2][2])
    else
      gone = gone + 1
    end
  end
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then redis.call('ZADD', KEYS[3], now, ARGV[i]) end
end
local bytes = 0
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do bytes = bytes + redis.call('HSTRLEN', KEYS[2], id) end
local left = redis.call('ZCARD', KEYS[3])
local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
while left > 0 and (left > tonumber(ARGV[2]) or bytes > tonumber(ARGV[3])
    or tonumber(oldest[2]) < now - tonumber(ARGV[1])) do
  bytes, left = bytes - redis.call('HSTRLEN', KEYS[2], oldest[1]), left - 1
  redis.call('HDEL', KEYS[2], oldest[1])
  redis.call('ZREM', KEYS[3], oldest[1])
  oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
end
for _, key in ipairs({KEYS[2], KEYS[3]}) do redis.pcall('PEXPIRE', key, ARGV[1]) end
return {gone, left}
"""


@dataclass(frozen=True, slots=True)
class KeptCount:
    """The result of keeping pairs. ``gone``: how many pairs were no longer stored. ``kept``: how many are kept now."""

    gone: int
    kept: int


async def keep_pairs(
    client: RedisClient, workload: str, retention: RetentionSection, pairs: Sequence[tuple[str, str]] = ()
) -> KeptCount:
    """Keep ``pairs``, and remove the expired ones. A pair is given by its id and the id of its stream entry.

    If a pair is already kept, its time starts again. Raises RedisError or OSError.
    """
    keys = WorkloadKeys(workload)
    limits = (max(1, int(retention.kept_age * 1000)), retention.kept, retention.kept_bytes)
    named = [text for pair in pairs for text in pair]
    gone, kept = await client.eval(_KEEP, 3, keys.pairs, keys.kept, keys.kept_times, *limits, *named)
    return KeptCount(int(gone), int(kept))


async def read_kept(client: RedisClient, workload: str, pair_id: str) -> bytes | None:
    """Return the kept pair as it was stored; None if it is not kept. Raises RedisError or OSError."""
    found: bytes | None = await client.hget(WorkloadKeys(workload).kept, pair_id)
    return found


async def forget_pairs(client: RedisClient, workload: str) -> int:
    """Remove all kept pairs of the workload, and all labels. Return how many pairs were kept.

    Raises RedisError or OSError.
    """
    keys = WorkloadKeys(workload)
    kept = int(await client.zcard(keys.kept_times))
    await client.delete(keys.kept, keys.kept_times, keys.labels, keys.label_times)
    return kept
