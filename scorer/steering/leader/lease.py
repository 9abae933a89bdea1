"""The leader's lease in Redis, which lets one scorer of a group steer at a time, with a fencing token.

The lease expires when its holder stops renewing it. A holder that was paused (SIGSTOP, a long garbage collection, a
frozen virtual machine) does not notice the expiry. Therefore:

- the holder trusts its lease only until a monotonic deadline: the lease's duration, less a margin, counted from
  *before* the request that renewed it; the deadline is checked at the last moment before each write to an Envoy;
- the script that writes state to Redis refuses a fencing token older than the latest one it has seen
  (redis_store.py).

Source of the pattern: Kleppmann, "How to do distributed locking" (2016).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from glidepath import redis_keys, scorer_groups
from glidepath.redisio import RedisClient

LONGEST_S = 60  # no ``scorer.lease`` is longer
SLACK_S = 0.01  # the next try to get another scorer's lease comes this much later than its end
MARGIN = 0.2  # the holder stops trusting the lease this fraction of its duration before Redis ends it

# A full Redis refuses the commands that need memory, unless the script has written before: DEL and PERSIST change
# nothing here and count as writes (glidepath/writes_to_a_full_redis.py).
# A key that lives for longer than any lease shows that Redis' clock was set back, because Redis keeps the time at which
# a key expires. If its holder has died, nobody could steer until that time.
_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
  return {math.max(redis.call('PTTL', KEYS[1]), 0), redis.call('GET', KEYS[1])}
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {}
"""
_NEXT_FENCE = """
redis.call('PERSIST', KEYS[1])
return redis.call('INCR', KEYS[1])
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
_CATCH_UP = """
redis.call('PERSIST', KEYS[1])
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""


class Lease:
    """A lease that lasts ``duration`` seconds. ``held()`` is true while this scorer may steer.

    Call ``acquire`` until it succeeds, then ``renew`` several times in each ``duration``.
    """

    def __init__(
        self,
        redis: RedisClient,
        owner: str,
        duration: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        group: str = "",
    ) -> None:
        self.owner, self.duration, self.group = owner, duration, group
        self._lease_key, self._fence_key = redis_keys.lease_key(group), redis_keys.fence_key(group)
        self.fence = 0
        self._redis, self._clock = redis, clock
        self._until = 0.0
        self._ends_in_s = duration
        self.another_leads = False  # at the last try to acquire the lease, another scorer held it

    def next_try_s(self) -> float:
        """Return the seconds until the next try: until the present lease ends, at most a quarter of its duration."""
        return min(self._ends_in_s + SLACK_S, self.duration / 4)

    def held(self) -> bool:
        return self._clock() < self._until

    async def acquire(self) -> bool:
        """Try once to get the lease and a fencing token. Return whether this scorer holds the lease now.

        The token is drawn after the lease's key is set. If the process pauses too long in between, the result is False.
        """
        before = self._clock()
        longest_ms = LONGEST_S * 1000
        other = await self._redis.eval(_ACQUIRE, 1, self._lease_key, self.owner, self._milliseconds(), longest_ms)
        self._ends_in_s = int(other[0]) / 1000 if other else self.duration
        self.another_leads = bool(other) and other[1] != self.owner.encode()
        if other:
            return False
        self.fence = int(await self._redis.eval(_NEXT_FENCE, 1, self._fence_key))
        self._until = before + self.duration * (1 - MARGIN)
        return self.held()

    async def renew(self) -> bool:
        """Extend the lease and return True. If the lease has expired or another scorer holds it, return False."""
        before = self._clock()
        if not await self._redis.eval(_RENEW, 1, self._lease_key, self.owner, self._milliseconds()):
            self.drop()
            return False
        self._until = before + self.duration * (1 - MARGIN)
        return True

    async def holder(self) -> str:
        """Return the name of the scorer that holds the lease; "" if no scorer holds it."""
        return await scorer_groups.leader(self._redis, self.group)

    async def release(self) -> None:
        """End the lease at once, so that the next scorer does not have to wait until it expires."""
        self.drop()
        await self._redis.eval(_RELEASE, 1, self._lease_key, self.owner)

    async def catch_up(self, fence: int) -> None:
        """Raise the counter of fencing tokens to at least ``fence``, so that the next token is greater than any before.

        Redis may have lost the counter but kept a state: Redis was flushed while a leader was writing, or only the node
        with the counter failed over.
        """
        await self._redis.eval(_CATCH_UP, 1, self._fence_key, fence)

    def drop(self) -> None:
        """Treat the lease as lost, even if it is still valid in Redis."""
        self._until = 0.0

    def _milliseconds(self) -> int:
        return round(self.duration * 1000)
