"""Whether the workloads of this scorer's file are steered by its group: by this scorer, or by whom it stands by for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from glidepath import scorer_groups
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import LIVE_S, GroupProblem, LastSteering
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.steer_metrics import SteerMetrics

LOOK_S = 2.0

log = structlog.get_logger()


class Watch:
    """``lead`` and ``stand_by`` look at most every ``LOOK_S``; what is wrong is logged when it begins and when it ends.

    ``foreign``: workload → another group, which steers it: two groups must not do so at once.
    """

    def __init__(
        self,
        redis: RedisClient,
        lease: Lease,
        workloads: Iterable[str],
        metrics: SteerMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.foreign: dict[str, str] = {}
        self.troubles: Mapping[str, GroupProblem] = {}
        self._redis, self._lease, self._metrics, self._clock = redis, lease, metrics, clock
        self._workloads = tuple(workloads)
        self._looked = -LOOK_S
        self._leader, self._leading_since = "", 0.0

    async def lead(self, *, now: bool = False) -> None:
        """What this scorer, which holds the lease, must leave alone. Raises RedisError."""
        if not self._due() and not now:
            return
        found = await scorer_groups.last_steering(self._redis, self._workloads)
        own = self._lease.group
        self.foreign = {name: h.group for name, h in found.items() if h.live() and h.group != own}
        self._say({name: t for name, h in found.items() if name in self.foreign and (t := self._trouble(name, h, ""))})

    async def stand_by(self) -> None:
        """Whether the holder of the lease steers what this scorer would. Raises RedisError."""
        leader = await self._lease.holder()
        if leader != self._leader:
            self._leader, self._leading_since = leader, self._clock()
        # A leader that died holds the lease until it ends; a new one needs a moment.
        patience_s = LIVE_S + self._lease.duration
        if not self._due() or (leader and self._clock() - self._leading_since < patience_s):
            return
        found = await scorer_groups.last_steering(self._redis, self._workloads)
        self._say({n: t for n, h in found.items() if (t := self._trouble(n, h, leader, patience_s))})

    def taken(self, workload: str, group: str) -> None:
        """Another group was faster."""
        self.foreign[workload] = group
        trouble = self._trouble(workload, LastSteering(group, 0.0), "")
        self._say({**self.troubles, **({workload: trouble} if trouble else {})})

    def _due(self) -> bool:
        now = self._clock()
        if now - self._looked < LOOK_S:
            return False
        self._looked = now
        return True

    def _trouble(self, name: str, holder: LastSteering, leader: str, patience_s: float = LIVE_S) -> GroupProblem | None:
        return scorer_groups.group_problem(name, self._lease.group, leader, holder, patience_s)

    def _say(self, found: Mapping[str, GroupProblem]) -> None:
        for name, trouble in found.items():
            if self.troubles.get(name) != trouble:
                log.error("not_steered", workload=name, reason=trouble.detail, remedy=trouble.remedy)
        for name in self.troubles.keys() - found.keys():
            log.info("steered_again", workload=name)
        self.troubles = dict(found)
        self._metrics.not_steered.set(len(found))
