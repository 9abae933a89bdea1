"""Retreats: lower shares that are sent to the Envoys before Redis stores them. See ADR 0282.

A retreat never waits: the weights are sent at once, together with a runtime key that contains the time and the reason.
The next stored tick, of this scorer or of the next leader, adopts the lower share. A scorer that does not hold the
leader's lease can only retreat to 0 %, so it never raises a share that another scorer wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from glidepath.clock import unix_ms
from glidepath.logs import get_logger
from scorer.steering.envoy.actuator import Actuator
from scorer.steering.envoy.runtime_values import Retreat, RuntimeEntries, RuntimeKeys, desired_values
from scorer.steering.ramp.states import RETREATING
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.workload_state import WorkloadState

log = get_logger()


class Retreats:
    """The retreats of this process: the lower shares that it has sent to the Envoys and that are not stored yet."""

    def __init__(self) -> None:
        self._unstored: dict[str, Retreat] = {}
        self._confirmed: dict[str, set[str]] = {}  # workload → the Envoys that have run the share of its retreat

    @property
    def unstored(self) -> Mapping[str, Retreat]:
        """Workload → its retreat that is not stored yet."""
        return self._unstored

    def stored(self, state: WorkloadState) -> None:
        """Record that a workload's state was stored.

        The workload's retreat ends if the stored share is at most the share of the retreat, or if the ramp has entered
        another phase since the retreat.
        """
        retreat = self._unstored.get(state.name)
        if retreat is None:
            return
        if state.ramp.serving <= retreat.percent or state.now.unix_ms(state.ramp.entered_ms) > retreat.at_ms:
            del self._unstored[state.name]
            self._confirmed.pop(state.name, None)

    def forget(self) -> None:
        """Forget all retreats, because another scorer leads: it has found these shares at the Envoys."""
        for name in self._unstored:
            log.info("retreat_transferred", workload=name)
        self._unstored.clear()
        self._confirmed.clear()

    def before_storing(self, before: WorkloadState, done: Tick, actuator: Actuator) -> None:
        """If a tick lowers the share, first send the new share to the Envoys with a higher share. Other writes wait."""
        after = done.state
        lower = after.desired.candidate < before.desired.candidate or before.ramp.share_unknown
        if not lower or after.ramp.phase not in RETREATING or not done.decisions:
            return
        why = done.decisions[-1].reason
        retreat = Retreat(after.desired.percent, after.now.unix_ms(after.now.ms), why)
        writes = self._writes(after, retreat, actuator.readings(), done.writes)
        if writes:
            self._unstored[after.name] = retreat
            actuator.retreat(writes)

    def send(self, state: WorkloadState, reason: str, actuator: Actuator) -> bool:
        """Send a share of 0 % to every Envoy that gives the candidate a share. Return whether this retreat is new.

        If an Envoy has run the 0 % of this retreat and has a higher share now, a person set this share. The Envoy keeps
        it.
        """
        known = self._unstored.get(state.name)
        retreat = known or Retreat(0.0, max(unix_ms(), state.now.unix_ms(state.now.ms)), f"counter_guard: {reason}")
        values = desired_values(0.0, state.spec.workload.shadow.sample, state.ramp.autopilot)
        names = state.spec.names
        weights = {names.candidate: str(values.candidate), names.baseline: str(values.baseline)}
        entries = {**weights, names.retreat: retreat.text}
        readings = actuator.readings()
        confirmed = self._confirmed.setdefault(state.name, set())
        if known is not None:
            confirmed |= {envoy for envoy, read in readings.items() if read and _share(names, read) <= retreat.percent}
        wanted = {envoy: entries for envoy in readings if envoy not in confirmed}
        writes = self._writes(state, retreat, readings, wanted)
        if not writes:
            return False
        self._unstored[state.name] = retreat
        actuator.retreat(writes)
        if known is None:
            log.warning("retreat_sent", workload=state.name, to_percent=0, envoys=sorted(writes), reason=reason)
        return known is None

    @staticmethod
    def _writes(
        state: WorkloadState,
        retreat: Retreat,
        readings: Mapping[str, RuntimeEntries | None],
        wanted: Mapping[str, RuntimeEntries],
    ) -> dict[str, RuntimeEntries]:
        """Return what to write to each Envoy whose share is higher than the retreat's, including the retreat key."""
        names, found = state.spec.names, dict[str, RuntimeEntries]()
        for envoy, entries in wanted.items():
            if _share(names, readings.get(envoy) or {}) > retreat.percent:
                found[envoy] = {**entries, names.retreat: retreat.text}
        return found


def _share(names: RuntimeKeys, entries: RuntimeEntries) -> float:
    """Return the candidate's share in percent according to these runtime values; 0 if they contain no share."""
    values = names.read(entries)
    return 0.0 if values is None else values.percent
