"""Writes to Redis, and keeps what lies there within its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from extproc.pair_encoding import Prepared
from glidepath.config.processes import RetentionSection
from glidepath.domain import Outcomes
from glidepath.keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.wire import encode_outcomes

REMEMBER_S = 86400
TRIM_TARGET = 0.9  # of the bytes allowed, so that not every look has to trim

# A flush whose acknowledgement was lost is sent again; its number says whether it is there already.
_ADD_ONCE = """
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'o', ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
return 1
"""


class RedisStore:
    """The Store of a process. Raises RedisError or OSError when Redis is away."""

    def __init__(self, client: RedisClient, retention: RetentionSection) -> None:
        self._client, self._retention = client, retention

    async def write(self, pairs: Sequence[Prepared], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]:
        pipe = self._client.pipeline(transaction=False)
        for prepared in pairs:
            key = WorkloadKeys(prepared.workload).pairs
            pipe.xadd(key, {"p": prepared.data}, maxlen=self._retention.pairs, approximate=True)
        for one in outcomes:
            names = WorkloadKeys(one.workload)
            arguments: tuple[Any, ...] = (one.seq, self._retention.outcomes, encode_outcomes(one), REMEMBER_S)
            pipe.eval(_ADD_ONCE, 2, names.outcomes, names.written(one.source), *arguments)
        results = await pipe.execute(raise_on_error=False)
        kept = [not isinstance(result, Exception) for result in results]
        return kept[: len(pairs)], kept[len(pairs) :]

    async def trim(self, workloads: Sequence[str], now_ms: int) -> Mapping[str, int]:
        """Bounds by age and bytes; returns the bytes of each workload's pairs."""
        oldest = max(0, now_ms - int(self._retention.age * 1000))
        sizes: dict[str, int] = {}
        for workload in workloads:
            names = WorkloadKeys(workload)
            await self._client.xtrim(names.pairs, minid=str(oldest), approximate=True)
            await self._client.xtrim(names.outcomes, minid=str(oldest), approximate=True)
            sizes[workload] = await self._trim_bytes(names)
        return sizes

    async def _trim_bytes(self, names: WorkloadKeys) -> int:
        """MEMORY USAGE samples the stream's nodes: near enough to bound it, and cheap."""
        try:
            used = int(await self._client.memory_usage(names.pairs) or 0)
        except ResponseError:  # renamed or forbidden by an ACL, as managed services do: count and age still bound it
            return 0
        if used > self._retention.bytes:
            length = int(await self._client.xlen(names.pairs))
            keep = int(length * TRIM_TARGET * self._retention.bytes / used)
            await self._client.xtrim(names.pairs, maxlen=max(1, keep), approximate=False)
        return used
