"""Removes old pairs and outcomes from Redis. The configuration's ``retention`` section sets the limits.

This module applies the limits on age and on bytes. ``extproc.redis_writer`` applies the limit on the number of entries
at every write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.exceptions import ResponseError

from glidepath.config.retention import RetentionSection
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

_TIME = "return redis.call('TIME')"
TRIM_TARGET = 0.9  # share of the allowed bytes that remain after a trim, so that the next checks need no trim


class StreamTrimmer:
    """Trims the Redis streams of pairs and outcomes. Raises RedisError or OSError if Redis does not answer."""

    def __init__(self, client: RedisClient, retention: RetentionSection) -> None:
        self._client, self._retention = client, retention

    async def trim(self, workloads: Sequence[str], now_ms: int) -> Mapping[str, int]:
        """Remove pairs and outcomes that are too old, then the oldest pairs of a workload that exceeds the byte limit.

        An entry is too old if both ``now_ms``, this host's Unix time, and Redis' clock say so: then no entry is lost if
        one of the two clocks is set forward.

        Return the number of bytes that each workload's pairs used between these two steps.
        """
        sizes: dict[str, int] = {}
        for workload in workloads:
            names = WorkloadKeys(workload)
            seconds, micros = await self._client.eval(_TIME, 1, names.pairs)
            redis_ms = int(seconds) * 1000 + int(micros) // 1000
            oldest = max(0, min(now_ms, redis_ms) - int(self._retention.age * 1000))
            await self._client.xtrim(names.pairs, minid=str(oldest), approximate=True)
            await self._client.xtrim(names.outcomes, minid=str(oldest), approximate=True)
            sizes[workload] = await self._trim_bytes(names)
        return sizes

    async def _trim_bytes(self, names: WorkloadKeys) -> int:
        """Remove the oldest pairs of a workload if its pairs use more than ``retention.bytes``.

        Return the bytes that the pairs used before the removal, or 0 if Redis forbids the measurement. The command
        MEMORY USAGE estimates them from a sample of the stream. This is cheap, and accurate enough for a limit.
        """
        try:
            used = int(await self._client.memory_usage(names.pairs) or 0)
        except ResponseError:  # managed services may rename or forbid MEMORY; count and age still limit the stream
            return 0
        if used > self._retention.bytes:
            length = int(await self._client.xlen(names.pairs))
            keep = int(length * TRIM_TARGET * self._retention.bytes / used)
            await self._client.xtrim(names.pairs, maxlen=max(1, keep), approximate=False)
        return used
