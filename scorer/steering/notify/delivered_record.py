"""Record in Redis which decisions a destination has received, so that the next leader delivers the others (ADR 0523).

Only the tasks that deliver use the record, never a tick. If Redis does not answer, they continue without it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Set
from typing import Protocol

from redis.exceptions import RedisError

from glidepath.redis_keys import delivered_key
from glidepath.redisio import RedisClient

KEPT_S = 7200  # an id is kept for this long, which is longer than a delivery is retried
ANSWER_S = 1.0  # the time in which Redis must answer
_BEGUN = "begun"  # the member that shows that the record exists


def id_of(decision: str | bytes) -> str:
    """Return the id of a decision, which is given as the JSON text of the decision log."""
    raw = decision.encode() if isinstance(decision, str) else decision
    return hashlib.sha256(raw).hexdigest()[:24]


class Record(Protocol):
    """The ids of the decisions that are done for one destination: delivered, refused or given up."""

    async def add(self, decision_id: str) -> None: ...

    async def has(self, decision_id: str) -> bool: ...


class DeliveredRecord:
    """The record of one destination in Redis."""

    def __init__(self, redis: RedisClient, destination: str) -> None:
        self._redis, self._key = redis, delivered_key(hashlib.sha256(destination.encode()).hexdigest()[:16])

    async def add(self, decision_id: str) -> None:
        """Add a decision that is done. If Redis does not answer, the next leader may deliver the decision again."""
        now = time.time()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._redis.zadd(self._key, {decision_id: now})
                await self._redis.zremrangebyscore(self._key, "-inf", now - KEPT_S)
                await self._redis.expire(self._key, KEPT_S)
        except (RedisError, OSError, TimeoutError):
            return

    async def has(self, decision_id: str) -> bool:
        """Return whether the decision is done; False if Redis does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._redis.zscore(self._key, decision_id) is not None
        except (RedisError, OSError, TimeoutError):
            return False

    async def done(self) -> Set[str] | None:
        """Return the ids of the decisions that are done; None if there is no record. Raises RedisError or OSError."""
        members = {member.decode() for member in await self._redis.zrange(self._key, 0, -1)}
        return members or None

    async def keep(self) -> None:
        """Begin the record if there is none, and keep it for KEPT_S from now. Raises RedisError or OSError."""
        await self._redis.zadd(self._key, {_BEGUN: "+inf"})
        await self._redis.expire(self._key, KEPT_S)
