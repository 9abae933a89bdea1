"""Check that each configured workload is steered by a scorer of this scorer's own group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from glidepath import scorer_groups
from glidepath.logs import get_logger
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import LIVE_S, GroupProblem, LastSteering
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.steer_metrics import SteerMetrics

CHECK_S = 2.0

log = get_logger()


class GroupOwnership:
    """Checks in Redis which group steers each configured workload, at most every ``CHECK_S`` seconds.

    Two groups must not steer one workload at the same time. ``foreign``: workload → the other group that steers it.
    ``problems``: workload → why this group does not steer it. A problem is logged when it begins and when it ends.
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
        self.problems: Mapping[str, GroupProblem] = {}
        self._redis, self._lease, self._metrics, self._clock = redis, lease, metrics, clock
        self._workloads = tuple(workloads)
        self._checked = -CHECK_S
        self._leader, self._leading_since = "", 0.0

    async def check_as_leader(self, *, now: bool = False) -> None:
        """Find the workloads that another group steers. Only the leader calls this method. Raises RedisError.

        With ``now``, check even if the last check was less than CHECK_S ago.
        """
        if not self._due() and not now:
            return
        found = await scorer_groups.last_steering(self._redis, self._workloads)
        own = self._lease.group
        self.foreign = {name: h.group for name, h in found.items() if h.live() and h.group != own}
        self._report(
            {name: t for name, h in found.items() if name in self.foreign and (t := self._problem(name, h, ""))}
        )

    async def check_as_standby(self) -> None:
        """Check that the leader steers every workload in this scorer's configuration.

        Only scorers that do not lead call this method. Raises RedisError.
        """
        leader = await self._lease.holder()
        if leader != self._leader:
            self._leader, self._leading_since = leader, self._clock()
        # The lease of a dead leader lasts until it expires, and a new leader needs a moment to begin.
        limit_s = LIVE_S + self._lease.duration
        if not self._due() or (leader and self._clock() - self._leading_since < limit_s):
            return
        found = await scorer_groups.last_steering(self._redis, self._workloads)
        self._report({n: t for n, h in found.items() if (t := self._problem(n, h, leader, limit_s))})

    def taken(self, workload: str, group: str) -> None:
        """Record that the other group ``group`` steers the workload now, and report this as a problem."""
        self.foreign[workload] = group
        problem = self._problem(workload, LastSteering(group, 0.0), "")
        self._report({**self.problems, **({workload: problem} if problem else {})})

    def _due(self) -> bool:
        now = self._clock()
        if now - self._checked < CHECK_S:
            return False
        self._checked = now
        return True

    def _problem(self, name: str, last: LastSteering, leader: str, limit_s: float = LIVE_S) -> GroupProblem | None:
        return scorer_groups.group_problem(name, self._lease.group, leader, last, limit_s)

    def _report(self, found: Mapping[str, GroupProblem]) -> None:
        for name, problem in found.items():
            if self.problems.get(name) != problem:
                log.error("workload_not_steered", workload=name, reason=problem.detail, remedy=problem.remedy)
        for name in self.problems.keys() - found.keys():
            log.info("workload_steered", workload=name)
        self.problems = dict(found)
        self._metrics.not_steered.set(len(found))
