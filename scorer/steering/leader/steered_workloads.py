"""The states of the workloads that this leader steers. Each tick of a workload replaces the workload's state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from glidepath.config import Config
from glidepath.errors import error_text_with_type
from glidepath.logs import get_logger
from glidepath.status_and_decisions import Phase
from scorer.steering.envoy.actuator import LeaseReading
from scorer.steering.envoy.http_route_weights import steered_rules
from scorer.steering.envoy.joined_actuators import is_http_route
from scorer.steering.envoy.runtime_values import Retreat, RuntimeValues
from scorer.steering.leader.host_clocks import HostTime
from scorer.steering.leader.quota_forecast import QuotaForecast
from scorer.steering.leader.redis_clocks import JUMP_MS, RedisClocks
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.takeover import take_over
from scorer.steering.steering_interfaces import CapacityForecast, EvidenceKind
from scorer.steering.store_protocol import News, SteeringStore
from scorer.steering.workload.envoy_fleet import Readings
from scorer.steering.workload.missing_outcomes import NO_REPORT, CounterReport
from scorer.steering.workload.safe_mode import failed_state, safe_mode_tick
from scorer.steering.workload.tick import Tick, tick
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import WorkloadState

STALE_MS = 10_000  # for this long after a takeover, a former leader's last weights are not mistaken for an override
NO_NEWS = News()

log = get_logger()


@dataclass(frozen=True, slots=True)
class FleetSnapshot:
    """The actuator's data about all Envoys at the beginning of a tick. ``Actuator`` describes the first three fields.

    ``report``: returns the CounterReport of a workload. ``retreats``: workload → a retreat that is not stored yet.
    """

    readings: Readings
    unknown_weights: frozenset[str] = frozenset()
    admin_layers: Readings = field(default_factory=dict)
    leases: Mapping[str, LeaseReading] = field(default_factory=dict)
    report: Callable[[str], CounterReport] = lambda _: NO_REPORT
    retreats: Mapping[str, Retreat] = field(default_factory=dict)

    def envoys_alone(self) -> FleetSnapshot:
        """Return the snapshot for workloads whose weights are in Envoy's runtime."""
        return replace(self, readings={e: one for e, one in self.readings.items() if not is_http_route(e)})

    def rule_alone(self, rule: str) -> FleetSnapshot:
        """Return the snapshot for the workload whose weights are in this rule of an HTTPRoute."""
        places = {e: one for e, one in self.readings.items() if e == rule or e.startswith(f"{rule} at ")}
        return FleetSnapshot(places, report=self.report, retreats=self.retreats)


class SteeredWorkloads:
    """Holds the immutable state of each workload that this leader steers, and runs the ticks of the workloads."""

    def __init__(
        self,
        config: Config,
        kind: EvidenceKind,
        store: SteeringStore,
        clocks: RedisClocks,
        metrics: SteerMetrics,
        *,
        forecast: CapacityForecast | None,
        leader: str,
    ) -> None:
        self._states: dict[str, WorkloadState] = {}
        self._config, self._kind, self._store, self._clocks = config, kind, store, clocks
        self._metrics, self._forecast, self._leader = metrics, forecast, leader
        self._quotas = QuotaForecast(config)
        self._rules = {rule.workload: rule.name for rule in steered_rules(config)}
        self._inherited: dict[str, frozenset[RuntimeValues]] = {}  # values that a former leader may have written late
        self._took_over_ms = 0
        self._disagreed = False  # in this term's takeover, the clocks showed different times since the last store
        self._refused: dict[str, str] = {}  # by workload: why Redis refused to store its state at the last try

    @property
    def states(self) -> Mapping[str, WorkloadState]:
        """The present state of each workload, read-only."""
        return MappingProxyType(self._states)

    def withheld_leases(self) -> frozenset[str]:
        """Return the workloads whose split's lease is not renewed now, because a drill lets the lease expire."""
        return frozenset(name for name, state in self._states.items() if state.ramp.withholds_lease)

    def keep(self, state: WorkloadState) -> None:
        """Replace a workload's state with ``state``, the state after a tick."""
        self._states[state.name] = state

    def drop(self, name: str) -> None:
        """Forget the workload's state if there is one, because another group of scorers steers the workload now."""
        self._states.pop(name, None)
        self._metrics.drop(name)

    async def take_over_all(self, names: Iterable[str], former: Mapping[str, WorkloadState], here: HostTime) -> None:
        """Read the states of the workloads ``names`` from Redis, because another leader may have changed them.

        ``former``: the states of this process's last term, which are used if Redis has lost the stored states. Raises
        RedisError.
        """
        before, self._states, self._inherited = self._states, {}, {}
        self._took_over_ms, self._disagreed = here.monotonic_ms, False
        try:
            new = {name for name in names if await self.take_over(name, here, former.get(name))}
        except Exception:
            self._states = {**before, **self._states}  # the counter guard needs the shares while Redis does not answer
            raise
        # If every workload is new, Redis may have lost its states. One new workload among others was simply added.
        if new == set(self._config.workloads):
            for name in new:
                state = self._states[name]
                self._states[name] = replace(state, ramp=replace(state.ramp, first_start=True))

    async def take_over(self, name: str, here: HostTime, former: WorkloadState | None = None) -> bool:
        """Read the workload's state from Redis. Return whether the workload is new. Raises RedisError."""
        spec = WorkloadSpec.of(name, self._config, self._kind)
        taken = await take_over(spec, self._store, self._clocks.at(name, here), former)
        self._log_disagreement(name, taken.passed_ms)
        self._states[name] = taken.state
        self._inherited[name] = frozenset({taken.state.desired})
        return taken.is_new

    def _log_disagreement(self, name: str, passed_ms: Mapping[str, int]) -> None:
        """Log, once in a term, that a clock was set between two leaders or that the clocks of two hosts differ."""
        times = passed_ms.values()
        if self._disagreed or not times or max(times) - min(times) <= JUMP_MS:
            return
        self._disagreed = True
        shown = {f"{clock}_s": round(ms / 1000, 3) for clock, ms in passed_ms.items()}
        counted_s = round(max(min(times), 0) / 1000, 3)
        log.warning("clocks_differed", workload=name, counted_s=counted_s, **shown)

    def cursors(self) -> dict[str, Mapping[str, str]]:
        """Return the ids of the last entries that were read from each workload's streams.

        A workload whose state Redis refused is left out until the refusal ends: its news would wake the loop again and
        again.
        """
        return {name: state.streams.cursors for name, state in self._states.items() if name not in self._refused}

    def note_refused(self, name: str, error: Exception) -> None:
        """Record that Redis refused to store the workload's state. Log the reason unless it was recorded before."""
        reason = error_text_with_type(error)
        if self._refused.get(name) != reason:
            log.error("state_refused", workload=name, reason=reason, effect="the weights stay as they are")
        self._refused[name] = reason
        self._metrics.errors.labels(name).inc()

    def note_stored(self, name: str) -> None:
        if self._refused.pop(name, None) is not None:
            log.info("state_stored", workload=name)

    def tick(self, name: str, news: News, fleet: FleetSnapshot, here: HostTime) -> Tick:
        """Return the result of a tick of the workload.

        If the tick raises an exception, run a tick in safe mode instead.

        So a bug in the tick of one workload never stops the other workloads.
        """
        state = self._states[name]
        now = state.now.later_in_term(self._clocks.at(name, here))
        if self._rules:
            fleet = fleet.rule_alone(self._rules[name]) if name in self._rules else fleet.envoys_alone()
        try:
            context = self._tick_context(state, fleet, here)
            done = tick(state, news, fleet.readings, context, now)
        except Exception as bug:
            self.count_failure(name, bug)
            failed = failed_state(state, news, f"internal error, weights stay: {error_text_with_type(bug)}", now)
            return self._safe_mode_tick(failed, fleet)
        self._metrics.show(done.state, done.record.status)
        return done

    def _safe_mode_tick(self, failed: WorkloadState, fleet: FleetSnapshot) -> Tick:
        context = TickContext(leader=self._leader, admin_layers=fleet.admin_layers)
        try:
            done = safe_mode_tick(failed, fleet.readings, context)
        except Exception as worse:  # nothing can be done for this workload; the others must continue
            log.exception("safe_mode_failed", workload=failed.name, exc_info=worse)
            return Tick(failed)
        self._metrics.show(done.state, done.record.status)
        return done

    def count_failure(self, name: str, error: Exception) -> None:
        """Count a failed tick of the workload, and log the error unless the previous tick failed too."""
        if not self._states[name].problem:
            log.error("workload_failed", workload=name, exc_info=error)
        self._metrics.errors.labels(name).inc()

    def _tick_context(self, state: WorkloadState, fleet: FleetSnapshot, here: HostTime) -> TickContext:
        waiting_for = ", ".join(name for name in state.spec.workload.after if not self._is_done(name))
        percent, capacity = state.ramp.percent, None
        if self._forecast is not None and state.spec.policy.next_step(percent) is not None:
            capacity = self._forecast.verdict(state.name, percent, state.ramp.shadow_override, state.copied)
        recent = here.monotonic_ms - self._took_over_ms < STALE_MS
        return TickContext(
            waiting_for=waiting_for,
            capacity=capacity,
            quota=self._quotas.outlook(state, self._states, here.monotonic_ms),
            stale=self._inherited.get(state.name, frozenset()) if recent else frozenset(),
            unknown_weights=fleet.unknown_weights,
            admin_layers=fleet.admin_layers,
            leader=self._leader,
            lease=fleet.leases.get(state.name),
            report=fleet.report(state.name),
            retreat=fleet.retreats.get(state.name),
        )

    def _is_done(self, name: str) -> bool:
        """Return whether the workload has reached its last step, so that the workloads that wait for it may begin."""
        state = self._states.get(name)
        return state is not None and state.ramp.phase in (Phase.VALIDATING, Phase.COMPLETED)
