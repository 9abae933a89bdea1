"""Remembers which side served each request of a client, so that later feedback on the request counts for that side.

Only requests of workloads with a ``feedback`` section are remembered. No request waits for this: entries above the
limits, and entries that Redis does not accept, are dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from redis.exceptions import RedisError

from extproc.outcome_classification import RequestOutcome
from glidepath.config import Config
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.redisio import RedisClient
from glidepath.sides import Origin

MAX_WAITING = 10_000  # requests of a workload that wait for the next write


class ServedStore(Protocol):
    """Stores served requests.

    ``remember`` returns the number of requests that were not stored. FeedbackStore implements it.
    """

    async def remember(self, served: list[ServedRequest], now_ms: int) -> int: ...


class ServedRequests:
    """Collects served requests between two writes. ``totals`` counts them by workload and result since the start.

    The results are ``remembered``, ``full`` (the limit ``feedback.requests`` is reached), ``burst`` (more than
    MAX_WAITING between two writes) and ``redis`` (Redis did not accept the write).
    """

    def __init__(self, stores: Mapping[str, ServedStore]) -> None:
        self._stores = stores
        self._waiting: dict[str, list[ServedRequest]] = {name: [] for name in stores}
        self.totals: Counter[tuple[str, str]] = Counter()

    @classmethod
    def on_redis(cls, config: Config, client: RedisClient) -> ServedRequests:
        """Return an object that remembers the requests of all workloads with a ``feedback`` section."""
        sections = {name: workload.feedback for name, workload in config.workloads.items()}
        return cls({name: FeedbackStore(client, name, section) for name, section in sections.items() if section})

    def note(self, outcome: RequestOutcome, request_id: str) -> None:
        """Remember which side served a client's request. Skip failovers, because the chosen side did not answer."""
        waiting = self._waiting.get(outcome.workload)
        if waiting is None or outcome.origin is not Origin.LIVE or outcome.failover or not request_id:
            return
        if len(waiting) >= MAX_WAITING:
            self.totals[(outcome.workload, "burst")] += 1
        else:
            waiting.append(ServedRequest(request_id, outcome.side, outcome.at_ms))

    async def write(self, now_ms: int) -> None:
        """Write the collected requests to Redis. Raises no error."""
        for workload, store in self._stores.items():
            served, self._waiting[workload] = self._waiting[workload], []
            if not served:
                continue
            try:
                left_out = await store.remember(served, now_ms)
            except (RedisError, OSError):
                self.totals[(workload, "redis")] += len(served)
            else:
                self.totals[(workload, "full")] += left_out
                self.totals[(workload, "remembered")] += len(served) - left_out
