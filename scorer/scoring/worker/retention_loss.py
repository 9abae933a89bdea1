"""Pairs that retention took before any scorer did: nobody sees them go, but they can be counted.

Redis knows how many entries a stream ever had; the scorers count what they are done with (``acked`` in the hash
WorkloadKeys.queue, in the very scripts that acknowledge). What is neither that, nor in hand, nor still to be taken, was
trimmed. It is told as coverage, in an Outcomes among those of extproc: so it reaches the status exactly once.
"""

from __future__ import annotations

from glidepath.domain import Coverage, Outcomes
from glidepath.keys import SCORER_GROUP, WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.wire import encode_outcomes
from scorer.scoring.worker.redis_scripts import COUNT_TRIMMED, REPORT_TRIMMED


class TrimmedPairCounter:
    """``source``: unique for a process life. ``kept``: how long the stream of outcomes may be."""

    def __init__(self, client: RedisClient, source: str, kept: int) -> None:
        self._client, self._source, self._kept = client, f"{source}/trimmed", kept
        self._seq = 0

    async def tell(self, workload: str) -> int:
        """How many more there are than anybody has told. Raises RedisError or OSError."""
        names = WorkloadKeys(workload)
        found = await self._client.eval(COUNT_TRIMMED, 2, names.pairs, names.queue, SCORER_GROUP)
        if not found:
            return 0
        total, told = (int(number) for number in found)
        if total <= told:
            return 0
        self._seq += 1
        coverage = {Coverage.TRIMMED.value: total - told}
        # Without a time: it concerns no step, and says nothing of anybody's clock.
        outcomes = Outcomes(workload, self._source, self._seq, from_ms=0, to_ms=0, coverage=coverage)
        arguments = (told, total, self._kept, encode_outcomes(outcomes))
        first = await self._client.eval(REPORT_TRIMMED, 2, names.queue, names.outcomes, *arguments)
        return total - told if first else 0
