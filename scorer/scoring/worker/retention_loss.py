"""Count and report the pairs that retention trimmed before any scorer claimed them.

Redis counts all pairs that were ever added to a stream. Each of these pairs is acknowledged, pending, unclaimed or
trimmed. The number of trimmed pairs is therefore the number of added pairs minus the numbers of acknowledged, pending
and unclaimed pairs. The scorers count the acknowledged pairs (``acked`` in the hash WorkloadKeys.queue).

The number of trimmed pairs is reported as coverage: a scorer writes it as an Outcomes to the stream to which extproc
writes its outcomes. The status thus counts each trimmed pair exactly once. See ADR 0110.
"""

from __future__ import annotations

from glidepath.outcome_summaries import Coverage, Outcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.redis_keys import SCORER_GROUP, WorkloadKeys
from glidepath.redisio import RedisClient
from scorer.scoring.worker.redis_scripts import COUNT_TRIMMED, REPORT_TRIMMED


class TrimmedPairCounter:
    """Counts trimmed pairs in Redis, and reports them in the stream of outcomes.

    ``source``: a name that is unique to the process.
    ``kept``: the number of entries that are kept in the stream of outcomes.
    """

    def __init__(self, client: RedisClient, source: str, kept: int) -> None:
        self._client, self._source, self._kept = client, f"{source}/trimmed", kept
        self._seq = 0

    async def report(self, workload: str) -> int:
        """Report the trimmed pairs that no scorer has reported yet, and return their number.

        Raises RedisError or OSError if Redis does not answer.
        """
        keys = WorkloadKeys(workload)
        found = await self._client.eval(COUNT_TRIMMED, 2, keys.pairs, keys.queue, SCORER_GROUP)
        if not found:
            return 0
        total, reported = (int(number) for number in found)
        if total <= reported:
            return 0
        self._seq += 1
        coverage = {Coverage.TRIMMED.value: total - reported}
        # Both times are 0, because trimmed pairs belong to no step and must not affect the comparison of clocks.
        outcomes = Outcomes(workload, self._source, self._seq, from_ms=0, to_ms=0, coverage=coverage)
        arguments = (reported, total, self._kept, encode_outcomes(outcomes))
        written = await self._client.eval(REPORT_TRIMMED, 2, keys.queue, keys.outcomes, *arguments)
        return total - reported if written else 0
