"""Read how many access log entries of each Envoy the extprocs have received, for the outcome watch. See ADR 0280."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from redis.exceptions import RedisError

from glidepath import redis_keys
from glidepath.errors import error_text_with_type
from glidepath.logs import get_logger
from glidepath.redisio import RedisClient, being_cancelled
from scorer.steering.leader.outcome_watch import OutcomeWatch

EVERY_S = 0.5

log = get_logger()


def entries_by_node(raw: Mapping[bytes, bytes]) -> dict[str, int]:
    """Return how many access log entries of each Envoy all extprocs have received: node id → number.

    ``raw``: the hash in Redis that the extprocs write.
    """
    found: dict[str, int] = {}
    for key, value in raw.items():
        node = key.decode(errors="replace").partition(" ")[2]
        if value.isdigit():
            found[node] = found.get(node, 0) + int(value)
    return found


class ArrivedEntries:
    """The leader's task that passes the numbers of received entries to the outcome watch.

    ``run`` never raises an error.
    """

    def __init__(self, redis: RedisClient, outcome_watch: OutcomeWatch) -> None:
        self._redis, self._outcome_watch = redis, outcome_watch

    async def run(self) -> None:
        while not being_cancelled():
            try:
                self._outcome_watch.record_entries(
                    entries_by_node(await self._redis.hgetall(redis_keys.ARRIVED_BY_ENVOY))
                )
            except (RedisError, OSError) as error:
                log.debug("entries_not_counted", reason=error_text_with_type(error))
            await asyncio.sleep(EVERY_S)
