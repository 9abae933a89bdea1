"""Reads the state of the running demo from Redis (status, decisions), Envoy (weights) and the candidate (faults)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from glidepath import envoy_names, redis_keys, runtime_keys
from glidepath.clock import unix_ms
from glidepath.errors import UnreachableError
from glidepath.outcome_summaries import Coverage
from glidepath.redisio import RedisClient, raise_if_cancelled
from glidepath.status_and_decisions import Decision, WorkloadStatus, from_json
from glidepath_ops.demo.demo_settings import BASELINE, CANDIDATE, WORKLOAD
from glidepath_ops.demo.injected_faults import InjectedFault

FAST_POLL = 0.01  # seconds between two reads of Envoy's weights while the rollback is timed


@dataclass(slots=True)
class DemoState:
    """The latest state of the demo. ``percent`` is the candidate's weight in Envoy, as a percentage."""

    status: WorkloadStatus | None = None
    decisions: list[Decision] = field(default_factory=list)
    percent: float | None = None

    @property
    def phase(self) -> str:
        return self.status.phase if self.status else "starting"

    def last(self, event: str) -> Decision | None:
        return next((d for d in reversed(self.decisions) if d.event == event), None)


class StateReader:
    """Polls the state of the demo. The methods that wait have no time limit; use ``asyncio.timeout`` around them."""

    def __init__(self, redis: RedisClient, http: aiohttp.ClientSession, admin: str, candidate_url: str) -> None:
        self.redis, self.http, self.admin, self.candidate_url = redis, http, admin, candidate_url
        self.keys = redis_keys.WorkloadKeys(WORKLOAD)
        self.seen = DemoState()
        self._cursor = "-"

    async def poll(self) -> DemoState:
        """Read the state once and return it."""
        raw = await self.redis.get(self.keys.status)
        if raw is not None:
            self.seen.status = from_json(WorkloadStatus, raw)
        for entry_id, fields in await self.redis.xrange(self.keys.log, min=self._cursor, count=100):
            self.seen.decisions.append(from_json(Decision, fields[b"d"]))
            self._cursor = f"({entry_id.decode()}"
        self.seen.percent = await self.candidate_percent()
        return self.seen

    async def candidate_percent(self) -> float | None:
        """Return the candidate's share in percent from Envoy's runtime values, or None if Envoy has no weight yet."""
        async with self.http.get(f"{self.admin}/runtime") as response:
            entries = (await response.json(content_type=None)).get("entries", {})
        key = runtime_keys.weight_key(WORKLOAD, envoy_names.fallback_cluster(CANDIDATE, BASELINE))
        value = entries.get(key, {}).get("final_value")
        return None if value is None else int(value) * 100 / runtime_keys.FULL_WEIGHT

    async def until(self, condition: Callable[[DemoState], bool], every: float = 0.1) -> DemoState:
        """Poll the state every ``every`` seconds until ``condition`` is true for it, and return it."""
        while True:
            if condition(await self.poll()):
                return self.seen
            raise_if_cancelled()  # by the time limit or Ctrl-C
            await asyncio.sleep(every)

    async def put_fault(self, fault: InjectedFault, share: float = 1.0) -> None:
        """Inject the fault into a share of the candidate's answers.

        Raises UnreachableError if the candidate refuses.
        """
        body = {"fault": fault.value, "share": share}
        async with self.http.put(f"{self.candidate_url}/control/fault", json=body) as response:
            if response.status != 200:
                raise UnreachableError(f"the candidate refused the fault: status {response.status}")

    async def first_bad_ms(self) -> int:
        """Return the time of the candidate's first bad answer in Unix milliseconds, or 0 if it has sent none."""
        async with self.http.get(f"{self.candidate_url}/control/state") as response:
            return int((await response.json())["first_bad_ms"])

    async def until_weights_fall(self, below: float) -> int:
        """Wait until the candidate's share at Envoy is below ``below`` percent.

        Return the time at which this was first seen, in Unix milliseconds.
        """
        while True:
            percent = await self.candidate_percent()
            if percent is not None and percent < below:
                return unix_ms()
            await asyncio.sleep(FAST_POLL)

    async def until_scored(self) -> DemoState:
        """Wait until every pair has a result according to the status, and return the state of the demo."""
        return await self.until(lambda seen: unscored(seen) == 0)

    async def queued(self) -> int | None:
        """Return how many pairs in Redis wait for a scorer or are being scored, or None if Redis does not report it."""
        for group in await self.redis.xinfo_groups(self.keys.pairs):
            if group["name"] == redis_keys.SCORER_GROUP.encode():
                return None if group.get("lag") is None else int(group["lag"]) + int(group["pending"])
        return None


def unscored(seen: DemoState) -> int:
    """Return how many pairs in Redis have no result yet, noise pairs included."""
    status = seen.status
    if status is None:
        return 0
    results = status.pairs_scored + sum(status.pairs_unscored.values())
    return max(0, counted(status, Coverage.PAIRED) - results)


def counted(status: WorkloadStatus, reason: Coverage) -> int:
    """Return how many pairs ``status.coverage`` counts under ``reason``, noise pairs included.

    extproc counts noise pairs separately: the prefix ``noise_`` precedes the name of the reason.
    """
    return status.coverage.get(reason.value, 0) + status.coverage.get(f"noise_{reason.value}", 0)
