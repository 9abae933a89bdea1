"""Watch Envoy's own counters, and send a failing candidate back to 0 % even if Redis does not answer.

The watch depends only on the Envoys. It runs in the scorer that leads or led last, until another scorer leads. While no
tick can be stored, it also announces its rollbacks, and Envoys whose outcomes do not arrive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from glidepath.redisio import being_cancelled
from glidepath.status_and_decisions import Decision, Phase
from scorer.steering.envoy.actuator import Actuator
from scorer.steering.leader.outcome_watch import OutcomeWatch
from scorer.steering.leader.retreats import Retreats
from scorer.steering.leader.running_actuator import RunningActuator
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steered_workloads import SteeredWorkloads
from scorer.steering.workload.counter_guard import GATE
from scorer.steering.workload.workload_state import WorkloadState

WATCH_S = 0.1
UNSTORED_S = 2.0  # within this time, a tick that can be stored announces a retreat or blindness itself

Announce = Callable[[Iterable[Decision]], None]


class RetreatWatch:
    """The task that watches the counters and sends retreats, alongside the steer loop until the process ends."""

    def __init__(
        self,
        outcome_watch: OutcomeWatch,
        retreats: Retreats,
        workloads: SteeredWorkloads,
        metrics: SteerMetrics,
        announce: Announce,
    ) -> None:
        self._outcome_watch, self._retreats, self._workloads = outcome_watch, retreats, workloads
        self._metrics, self._announce = metrics, announce
        self._blind_since: dict[str, float] = {}
        self._announced: set[str] = set()

    async def run(self, envoys: RunningActuator) -> None:
        while not being_cancelled():
            await asyncio.sleep(WATCH_S)
            if (actuator := envoys.present) is not None:
                self.look(actuator, time.monotonic())

    def look(self, actuator: Actuator, now_s: float) -> None:
        """Read the counters. If the counter guard fails a candidate, send its retreat. ``now_s``: monotonic seconds."""
        states = self._workloads.states
        serving = [name for name, state in states.items() if state.ramp.serving > 0 or state.ramp.share_unknown]
        actuator.count(self._outcome_watch.serve(serving))
        self._outcome_watch.look(actuator.counters(), now_s)
        for name, state in states.items():
            report = self._outcome_watch.report(name)
            if name in serving and report.failure and state.ramp.autopilot:
                self._metrics.retreats.labels(name).inc(self._retreats.send(state, report.failure, actuator))
            self._show(state, report.blindness.describe() if name in serving else "", now_s)

    def _show(self, state: WorkloadState, blind: str, now_s: float) -> None:
        """Set the metrics. While no tick can be stored, announce a retreat or blindness here."""
        name, retreat = state.name, self._retreats.unstored.get(state.name)
        self._metrics.blind.labels(name).set(bool(blind))
        if not blind and retreat is None:
            self._blind_since.pop(name, None)
            self._announced -= {f"{name} blind", f"{name} rollback"}
            return
        since = self._blind_since.setdefault(name, now_s)
        if now_s - since < UNSTORED_S:
            return
        if retreat is not None:
            self._announce_once(state, "rollback", retreat.percent, f"{retreat.reason}; not stored yet", GATE)
        elif blind and not state.blindness:
            self._announce_once(state, "blind", state.ramp.percent, f"{blind}; not stored yet", "blind")

    def _announce_once(self, state: WorkloadState, event: str, percent: float, reason: str, trigger: str) -> None:
        key = f"{state.name} {event}"
        if key in self._announced:
            return
        self._announced.add(key)
        phase = Phase.ROLLING_BACK if event == "rollback" else state.ramp.phase
        at_ms = state.now.unix_ms(state.now.ms)
        self._announce(
            [
                Decision(
                    at_ms=at_ms,
                    workload=state.name,
                    event=event,
                    from_percent=state.ramp.percent,
                    to_percent=percent,
                    phase=phase.value,
                    reason=reason,
                    trigger=trigger,
                    config_digest=state.spec.digest,
                    details={"stored": False},
                )
            ]
        )
