"""Writes pairs and outcomes to Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from extproc.pair_encoding import EncodedPair
from glidepath.config.retention import RetentionSection
from glidepath.pairs_and_outcomes import Outcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

REMEMBER_S = 86400  # how long Redis remembers the last sequence number of a source

# A flush whose acknowledgement was lost is sent again. The script ignores it if Redis already has its sequence number.
# See ADR 0022.
_ADD_ONCE = """
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'o', ARGV[3])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
return 1
"""


class RedisWriter:
    """Writes batches of pairs and outcomes to Redis. Raises RedisError or OSError if Redis does not answer."""

    def __init__(self, client: RedisClient, retention: RetentionSection) -> None:
        self._client, self._retention = client, retention

    async def write(self, pairs: Sequence[EncodedPair], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]:
        pipe = self._client.pipeline(transaction=False)
        for encoded in pairs:
            key = WorkloadKeys(encoded.workload).pairs
            pipe.xadd(key, {"p": encoded.data}, maxlen=self._retention.pairs, approximate=True)
        for one in outcomes:
            names = WorkloadKeys(one.workload)
            arguments: tuple[Any, ...] = (one.seq, self._retention.outcomes, encode_outcomes(one), REMEMBER_S)
            pipe.eval(_ADD_ONCE, 2, names.outcomes, names.written(one.source), *arguments)
        results = await pipe.execute(raise_on_error=False)
        kept = [not isinstance(result, Exception) for result in results]
        return kept[: len(pairs)], kept[len(pairs) :]
