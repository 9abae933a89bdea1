"""The steer loop: hold the leader's lease, read the news, decide, store the decision, write to the Envoys.

A step forward is stored in Redis, with the fencing token, *before* it is written to any Envoy, and every tick compares
the Envoys' values with the stored ones. So if a leader dies at any point, the Envoys have either the old weights or new
weights that its successor finds in Redis. A retreat is sent to the Envoys first, and stored afterwards (retreats.py).
New stream entries (news) wake the loop, so that a failure lowers the weights without waiting for the next regular tick.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from redis.exceptions import RedisError

from glidepath.config import Config
from glidepath.errors import error_text, first_of
from glidepath.logs import get_logger
from glidepath.redisio import being_cancelled
from glidepath.status_and_decisions import Decision
from glidepath.timed_wait import wait_until_set
from scorer.steering.envoy.actuator import Actuator, ListenError, MayWrite
from scorer.steering.leader.history_recorder import HistoryRecorder, RampPosition
from scorer.steering.leader.host_clocks import HostClocks, HostTime
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.outcome_watch import OutcomeWatch
from scorer.steering.leader.redis_clocks import RedisClocks
from scorer.steering.leader.retreat_watch import RetreatWatch
from scorer.steering.leader.retreats import Retreats
from scorer.steering.leader.running_actuator import RunningActuator
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steered_workloads import NO_NEWS, FleetSnapshot, SteeredWorkloads
from scorer.steering.steering_interfaces import (
    CapacityForecast,
    DecisionSink,
    EvidenceKind,
    LeaderTask,
    Ownership,
    SoleOwner,
)
from scorer.steering.store_protocol import FencedError, News, OwnedError, SteeringStore
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.workload_state import WorkloadState

GAP_S = 0.02  # the shortest time between two ticks that news causes; news within it is read together
YIELD_EVERY = 20  # the number of workloads after which a tick lets other tasks run
SETTLE_S = 0.25  # how long a tick waits for Envoys to answer
MEMORY_S = 10.0  # for this long after its term, a former leader may use its own state if Redis has lost the stored one

log = get_logger()


class SteerLoop:
    """The loop that runs in every scorer, but steers only in the scorer that holds the leader's lease."""

    def __init__(
        self,
        config: Config,
        store: SteeringStore,
        lease: Lease,
        actuator: Callable[[MayWrite], Actuator],
        kind: EvidenceKind,
        metrics: SteerMetrics,
        *,
        sinks: Iterable[DecisionSink] = (),
        forecast: CapacityForecast | None = None,
        leader_tasks: Sequence[LeaderTask] = (),
        ownership: Ownership | None = None,
        host: HostClocks | None = None,
        outcome_watch: OutcomeWatch | None = None,
        history: HistoryRecorder | None = None,
    ) -> None:
        self._config, self._store, self._lease = config, store, lease
        self._metrics, self._envoys = metrics, RunningActuator(partial(actuator, lease.held))
        self._outcome_watch, self._retreats = outcome_watch or OutcomeWatch(config), Retreats()
        self._sinks, self._ownership = tuple(sinks), ownership or SoleOwner()
        self._history = history
        self._side_tasks = [task for task in (forecast, history) if task is not None] + list(leader_tasks)
        self._clocks = RedisClocks(config.workloads, host or HostClocks())
        self._workloads = SteeredWorkloads(
            config, kind, store, self._clocks, metrics, forecast=forecast, leader=lease.owner
        )
        self._watch = RetreatWatch(self._outcome_watch, self._retreats, self._workloads, metrics, self._announce)
        self._led_until = -MEMORY_S
        self._unavailable = ""

    def readiness(self) -> str:
        """Return "" if this scorer steers or could steer, else the reason why it cannot steer."""
        return self._unavailable

    async def run(self, stop: asyncio.Event) -> None:
        """Try to get the leader's lease, and steer while holding it, until ``stop`` is set."""
        async with asyncio.TaskGroup() as group:
            for sink in self._sinks:
                group.create_task(sink.run(stop))
            watching = group.create_task(self._watch.run(self._envoys))
            try:
                await self._contend(stop)
            finally:
                watching.cancel()
                await self._envoys.end()

    async def _contend(self, stop: asyncio.Event) -> None:
        while not (stop.is_set() or being_cancelled()):
            try:
                if await self._lease.acquire():
                    await self._lead(stop)
                else:
                    await self._stand_by()
                self._unavailable = ""
            except* (RedisError, OSError, ListenError) as group:
                self._report_unavailable(first_of(group))
            finally:
                self._metrics.end_term()
            await wait_until_set(stop, self._lease.next_try_s())

    async def _stand_by(self) -> None:
        """If another scorer leads, end the actuator, and forget the retreats and the watched counters.

        The other scorer has found the retreats at the Envoys. If no other scorer leads, nothing is done. The
        leader's lease may still be this scorer's own, because it cannot be released while Redis refuses writes.
        """
        if not self._lease.another_leads:
            return
        await self._envoys.end()
        self._retreats.forget()
        self._outcome_watch.forget()
        self._metrics.stand_by()
        await self._ownership.check_as_standby()

    def _report_unavailable(self, error: Exception) -> None:
        text = error_text(error)
        reason = text if isinstance(error, ListenError) else f"Redis: {text}"
        if not self._unavailable:
            log.warning("steering_paused", reason=reason, effect="no step is taken; a failing candidate is withdrawn")
        self._unavailable = reason
        self._outcome_watch.redis_answers(reason)

    async def _lead(self, stop: asyncio.Event) -> None:
        """Steer for one term, which ends when the lease is lost or ``stop`` is set."""
        log.info("lease_acquired", owner=self._lease.owner, fence=self._lease.fence)
        self._metrics.leader.set(1)
        actuator = await self._envoys.begin()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [self._envoys.failed(), self._renew(), *(task.run() for task in self._side_tasks)]
                running = [group.create_task(task) for task in tasks]
                try:
                    await self._ask_clocks()
                    await self._ownership.check_as_leader(now=True)
                    await self.take_over_all()
                    await self._steer(actuator, stop)
                finally:
                    for task in running:
                        task.cancel()
        finally:
            await self._envoys.end_term()
            self._lease.drop()
            self._led_until = time.monotonic()
            with contextlib.suppress(RedisError, OSError):
                await self._lease.release()
            log.info("lease_lost", owner=self._lease.owner, fence=self._lease.fence)

    async def _renew(self) -> None:
        """Keep renewing the lease. If Redis stops answering, the lease expires by itself."""
        while not being_cancelled():
            await asyncio.sleep(self._lease.duration / 4)
            try:
                if not await self._lease.renew():
                    return
                await self._ask_clocks()
                await self._ownership.check_as_leader()
                self._unavailable = ""
                self._outcome_watch.redis_answers()
            except (RedisError, OSError) as error:
                self._report_unavailable(error)

    async def _ask_clocks(self) -> None:
        for jump in await self._clocks.ask(self._store.clocks_ms):
            self._metrics.clock_jumps.inc()
            effect = "none on holds and cool-downs, which the monotonic clock measures"
            log.warning("clock_jumped", clock=jump.clock, by_s=round(jump.by_ms / 1000, 3), effect=effect)

    @property
    def workloads(self) -> SteeredWorkloads:
        return self._workloads

    async def take_over_all(self) -> None:
        """Begin a term with the states that are stored in Redis. Raises RedisError."""
        recent = time.monotonic() - self._led_until < MEMORY_S
        former = self._workloads.states if recent else {}
        await self._workloads.take_over_all(self._own_names(), former, self._clocks.now())

    def _own_names(self) -> list[str]:
        """Return the configured workloads without those that another group steers."""
        return [name for name in self._config.workloads if name not in self._ownership.foreign]

    async def _follow_ownership(self) -> None:
        """Drop the workloads that another group has taken, and take over the workloads that another group has left."""
        for name in self._ownership.foreign:
            self._workloads.drop(name)
        for name in self._own_names():
            if name not in self._workloads.states:
                await self._workloads.take_over(name, self._clocks.now())

    async def _steer(self, actuator: Actuator, stop: asyncio.Event) -> None:
        written: set[str] = set()
        full = False
        next_tick = last = 0.0
        while self._lease.held() and not (stop.is_set() or being_cancelled()):
            await self._follow_ownership()
            await asyncio.sleep(max(last + GAP_S - time.monotonic(), 0.0))
            wait_s = 0.0 if written or full else max(next_tick - time.monotonic(), 0.0)
            news = await self.read_news(wait_s)
            self._outcome_watch.record_flushes(flush for one in news.values() for flush in one.outcomes)
            started = time.monotonic()
            names, states = sorted(written | set(news)), self._workloads.states
            if started >= next_tick:
                next_tick, names = started + self._config.scorer.tick, list(states)
            full = any(n.full for n in news.values())
            written = await self.tick([name for name in names if name in states], news, actuator)
            actuator.renew_leases(self._workloads.withheld_leases())
            last = time.monotonic()
            self._metrics.tick.observe(last - started)

    async def read_news(self, wait_s: float) -> Mapping[str, News]:
        """Return the new stream entries of each workload, waiting at most ``wait_s`` seconds. Raises RedisError."""
        cursors = self._workloads.cursors()
        if not cursors:
            await asyncio.sleep(self._config.scorer.tick)
        return await self._store.news(cursors, max(round(wait_s * 1000), 0))

    async def tick(self, names: Iterable[str], news: Mapping[str, News], actuator: Actuator) -> set[str]:
        """Run a tick of each workload in ``names``. Return the workloads whose values were written to Envoys.

        These workloads need another tick at once, to compare the Envoys' new values.
        """
        fleet = FleetSnapshot(
            actuator.readings(),
            actuator.envoys_with_unknown_weights(),
            actuator.admin_layers(),
            actuator.leases(),
            self._outcome_watch.report,
            self._retreats.unstored,
        )
        here = self._clocks.now()
        ticks: dict[str, Tick] = {}
        for number, name in enumerate(names):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)  # a long tick must not keep the lease from being renewed
            ticks[name] = self._workloads.tick(name, news.get(name, NO_NEWS), fleet, here)
        for name, done in ticks.items():
            self._retreats.before_storing(self._workloads.states[name], done, actuator)
        stored = await self._store_ticks(ticks, here)
        if self._history is not None:
            for name in stored:
                self._history.note(name, news.get(name, NO_NEWS), _ramp_position(ticks[name].state))
        written = await self._write({name: ticks[name] for name in stored}, actuator)
        self._announce(decision for name in stored for decision in ticks[name].decisions)
        return written

    async def _store_ticks(self, ticks: Mapping[str, Tick], here: HostTime) -> list[str]:
        """Store the records of the ticks in Redis, and keep the new states of the workloads whose record was stored.

        Return the workloads whose record was stored. The state of any other workload is read from Redis again, unless
        another group steers that workload now. If a newer leader has written, this leader's term ends, and no workload
        is returned.
        """
        failed = await self._store.write(self._lease.fence, {name: done.record for name, done in ticks.items()})
        for name, error in failed.items():
            if isinstance(error, FencedError):
                self._lease.drop()
                await self._lease.catch_up(error.fence)
                log.error("leader_fenced", workload=name, effect="a newer leader steers; this one stops")
                return []
        stored = [name for name in ticks if name not in failed]
        for name in stored:
            self._workloads.keep(ticks[name].state)
            self._retreats.stored(ticks[name].state)
            self._workloads.note_stored(name)
        for name, error in failed.items():
            if isinstance(error, OwnedError):
                self._ownership.taken(name, error.group)
                continue
            self._workloads.note_refused(name, error)
            await self._workloads.take_over(name, here)  # Redis may or may not have stored the decision
        return stored

    async def _write(self, ticks: Mapping[str, Tick], actuator: Actuator) -> set[str]:
        """Send the writes of all ticks, as one request to each Envoy. Return the workloads whose values were written.

        If the lease has been lost, send nothing and return an empty set.
        """
        together: dict[str, dict[str, str]] = {}
        for done in ticks.values():
            for envoy, values in done.writes.items():
                together.setdefault(envoy, {}).update(values)
        if not together or not self._lease.held():
            return set()
        actuator.submit(together)
        await actuator.settle(SETTLE_S)
        return {name for name, done in ticks.items() if done.writes}

    def _announce(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self._metrics.count(decision)
            details = {"decision": decision.event, "to_percent": decision.to_percent, "reason": decision.reason}
            log.info("decision_recorded", workload=decision.workload, **details)
            for sink in self._sinks:
                sink.announce(decision)


def _ramp_position(state: WorkloadState) -> RampPosition:
    return RampPosition(state.now.clocks.redis_ms, state.ramp.serving, state.ramp.phase.value)
