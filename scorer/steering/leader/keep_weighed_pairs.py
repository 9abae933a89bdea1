"""Keep the pairs that decisions name: those that weighed most for a rollback or a hold. See ADR 0230.

A task of the leader reads the decision log and copies the pairs. The tick does not copy them, because copying bodies
must not delay a rollback. A new leader begins with the latest decisions, so the pairs of a decision are kept even if
the leader died directly after it. The same task removes kept pairs, and results with texts, that are too old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge
from redis.exceptions import RedisError

from glidepath.config import Config
from glidepath.errors import InputError, error_text_with_type
from glidepath.kept_pairs import keep_pairs
from glidepath.logs import get_logger
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.status_and_decisions import Decision, WeighedPair, from_json
from scorer.steering.leader.expire_results import expire_results

EVERY_S = 2.0
EXPIRE_EVERY_S = 60.0  # expired pairs and results are removed this often
LATEST = 50  # the number of decisions with which a new leader begins
BATCH = 200

log = get_logger()


def pairs_to_keep(entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> dict[str, WeighedPair]:
    """Return the pairs that are named by the decisions in these log entries, as a dict from id to pair.

    Entries that are not decisions are skipped.
    """
    found: dict[str, WeighedPair] = {}
    for _, fields in entries:
        try:
            decision = from_json(Decision, fields[b"d"])
        except (InputError, KeyError):
            continue
        found.update({pair.id: pair for pair in decision.weighed_pairs})
    return found


class WeighedPairsKeeper:
    """The leader's task that keeps the pairs named by decisions, and removes expired data. ``run`` raises no error."""

    def __init__(self, config: Config, redis: RedisClient, registry: CollectorRegistry) -> None:
        self._config, self._redis = config, redis
        self._cursors: dict[str, str] = {}
        self._kept = Gauge(
            "glidepath_kept_pairs",
            "Pairs that are kept because a decision names them or a person labelled them",
            ["workload"],
            registry=registry,
        )
        self._gone = Counter(
            "glidepath_weighed_pairs_gone_total",
            "Pairs that a decision names and whose bodies had been removed before they could be kept",
            ["workload"],
            registry=registry,
        )

    async def run(self) -> None:
        self._cursors.clear()
        loop = asyncio.get_running_loop()
        expire_at, reason = 0.0, ""
        while not being_cancelled():
            expiring = loop.time() >= expire_at
            expire_at = loop.time() + EXPIRE_EVERY_S if expiring else expire_at
            problems = [await self._try(workload, expiring=expiring) for workload in self._config.workloads]
            text = next(filter(None, problems), "")
            if text and text != reason:
                log.warning("weighed_pairs_not_stored", reason=text, effect="tried again")
            reason = text
            await asyncio.sleep(EVERY_S)

    async def _try(self, workload: str, *, expiring: bool) -> str:
        """Keep the workload's pairs. Return "", or the reason for a failure, after which the next round tries again."""
        try:
            await self.follow(workload, expiring=expiring)
        except (RedisError, OSError) as error:
            return f"{workload}: {error_text_with_type(error)[:300]}"
        return ""

    async def follow(self, workload: str, *, expiring: bool = False) -> None:
        """Keep the pairs of the decisions since the last call.

        Raises RedisError or OSError. Call this method again after such an error.

        ``expiring``: also remove the expired pairs, and the results with texts that are as old as pairs may be.
        """
        if expiring and self._config.redaction.excerpts:
            await expire_results(self._redis, workload, self._config.retention.age)
        entries = await self._new_entries(workload)
        pairs = pairs_to_keep(entries)
        if pairs or expiring:
            named = [(pair.id, pair.entry) for pair in pairs.values()]
            count = await keep_pairs(self._redis, workload, self._config.retention, named)
            self._kept.labels(workload).set(count.kept)
            self._gone.labels(workload).inc(count.gone)
            if count.gone:
                log.warning(
                    "weighed_pairs_lost", workload=workload, pairs=count.gone, effect="only their ids are known"
                )
        if entries:
            self._cursors[workload] = entries[-1][0].decode()

    async def _new_entries(self, workload: str) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
        key, cursor = WorkloadKeys(workload).log, self._cursors.get(workload)
        if cursor is not None:
            return list(await self._redis.xrange(key, f"({cursor}", count=BATCH))
        return list(reversed(await self._redis.xrevrange(key, count=LATEST)))
