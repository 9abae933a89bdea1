"""Writes pairs and outcomes to Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from extproc.pair_encoding import EncodedPair
from glidepath.config.retention import RetentionSection
from glidepath.logs import get_logger
from glidepath.outcome_summaries import Outcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

_log = get_logger(__name__)
REMEMBER_S = 86400  # how long Redis remembers the last sequence number of a source

# Pairs whose acknowledgement was lost are sent again. The script ignores a pair if Redis already has its sequence
# number. It returns how many of the pairs are stored now, and why Redis refused the next pair ("" if it refused none).
# See ADR 0157. The stream expires when its newest pair is too old: nobody trims it any more once its workload has left
# the configuration. See ADR 0521.
# KEYS: pairs, number of the last pair.  ARGV: pairs kept, ttl of the number (s), age kept (ms), numbers and pairs.
_ADD_PAIRS_ONCE = """
local last, stored, why = tonumber(redis.call('GET', KEYS[2]) or '0'), 0, ''
local newest = last
for i = 4, #ARGV, 2 do
  local seq = tonumber(ARGV[i])
  if seq > last then
    local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'p', ARGV[i + 1])
    if type(added) == 'table' and added.err then
      why = added.err
      break
    end
    newest = seq
  end
  stored = stored + 1
end
if newest > last then
  redis.call('SET', KEYS[2], newest, 'EX', ARGV[2])
  redis.pcall('PEXPIRE', KEYS[1], ARGV[3])
end
return {stored, why}
"""

# A flush whose acknowledgement was lost is sent again. The script ignores it if Redis already has its sequence number.
# If Redis is full, the flush replaces the two oldest flushes, because a rollback may depend on it. See ADR 0022.
_ADD_ONCE = """
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last >= tonumber(ARGV[1]) then return 0 end
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'o', ARGV[3])
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'OOM', 1, true) then return redis.error_reply(added.err) end
  redis.call('XTRIM', KEYS[1], 'MAXLEN', math.max(redis.call('XLEN', KEYS[1]) - 2, 0))
  redis.call('XADD', KEYS[1], '*', 'o', ARGV[3])
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
return 1
"""


class RedisWriter:
    """Writes batches of pairs and outcomes to Redis. Raises RedisError or OSError if Redis does not answer.

    ``source`` names this process. Its pairs and flushes have growing sequence numbers.
    """

    def __init__(self, client: RedisClient, retention: RetentionSection, source: str) -> None:
        self._client, self._retention, self._source = client, retention, source
        self._refusals: dict[str, str] = {}  # by workload: why Redis refused its last pair

    async def write(self, pairs: Sequence[EncodedPair], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]:
        pipe = self._client.pipeline(transaction=False)
        by_workload: dict[str, list[EncodedPair]] = {}
        for encoded in pairs:
            by_workload.setdefault(encoded.workload, []).append(encoded)
        for workload, some in by_workload.items():
            names = WorkloadKeys(workload)
            fields = [field for one in some for field in (one.seq, one.data)]
            limits = (self._retention.pairs, REMEMBER_S, max(1, int(self._retention.age * 1000)))
            pipe.eval(_ADD_PAIRS_ONCE, 2, names.pairs, names.written_pairs(self._source), *limits, *fields)
        for one in outcomes:
            names = WorkloadKeys(one.workload)
            arguments: tuple[Any, ...] = (one.seq, self._retention.outcomes, encode_outcomes(one), REMEMBER_S)
            pipe.eval(_ADD_ONCE, 2, names.outcomes, names.written(one.source), *arguments)
        results = await pipe.execute(raise_on_error=False)
        stored = {workload: self._stored(workload, results.pop(0)) for workload in by_workload}
        kept = []
        for encoded in pairs:
            kept.append(stored[encoded.workload] > 0)
            stored[encoded.workload] -= 1
        return kept, [not isinstance(result, Exception) for result in results]

    def _stored(self, workload: str, result: Any) -> int:
        """Return how many of the workload's written pairs Redis has stored. Log a refusal for a new reason."""
        stored, why = (0, str(result)) if isinstance(result, Exception) else (int(result[0]), _text(result[1]))
        if why and why != self._refusals.get(workload):
            _log.warning("pairs_refused", workload=workload, reason=why, effect="only pairs of this workload wait")
        self._refusals[workload] = why
        return stored


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
