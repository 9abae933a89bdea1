"""Lower shares that Envoy is told before they are stored in Redis. See ADR 0282.

A retreat never waits: the weights are sent at once, together with a runtime key that says when and why. The tick that
is stored next, of this scorer or of the next leader, adopts the lower share. A retreat without the lease goes to 0 %
only, so whatever another scorer wrote, it is never a step forward.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from glidepath.clock import unix_ms
from scorer.steering.envoy.actuator import Actuator
from scorer.steering.envoy.runtime_values import RuntimeEntries, RuntimeKeys, ToldRollback, desired_values
from scorer.steering.ramp.states import RETREATING
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.workload_state import WorkloadState

log = structlog.get_logger()


class Retreats:
    """The lower shares that this process has told the Envoys and that are not stored yet."""

    def __init__(self) -> None:
        self._told: dict[str, ToldRollback] = {}
        self._heeded: dict[str, set[str]] = {}  # workload → the Envoys that have run the told share

    @property
    def told(self) -> Mapping[str, ToldRollback]:
        """Workload → the share that was told."""
        return self._told

    def stored(self, state: WorkloadState) -> None:
        """Note that Redis has a workload's state. A share that is not above the told one ends the retreat."""
        told = self._told.get(state.name)
        if told is None:
            return
        if state.ramp.serving <= told.percent or state.now.unix_ms(state.ramp.entered_ms) > told.at_ms:
            del self._told[state.name]
            self._heeded.pop(state.name, None)

    def forget(self) -> None:
        """Another scorer leads: it has found the told shares at the Envoys."""
        for name in self._told:
            log.info("retreat_transferred", workload=name)
        self._told.clear()
        self._heeded.clear()

    def before_storing(self, before: WorkloadState, done: Tick, actuator: Actuator) -> None:
        """Tell the Envoys that have a higher share what this tick lowers; the tick's other writes wait."""
        after = done.state
        lower = after.desired.candidate < before.desired.candidate or before.ramp.share_unknown
        if not lower or after.ramp.phase not in RETREATING or not done.decisions:
            return
        why = done.decisions[-1].reason
        told = ToldRollback(after.desired.percent, after.now.unix_ms(after.now.ms), why)
        writes = self._writes(after, told, actuator.readings(), done.writes)
        if writes:
            self._told[after.name] = told
            actuator.retreat(writes)

    def send(self, state: WorkloadState, reason: str, actuator: Actuator) -> bool:
        """Tell every Envoy with a share for the candidate that it is 0 %. Return whether this is new.

        An Envoy that has run the told share and has a higher one now got it from a person, so it keeps it.
        """
        known = self._told.get(state.name)
        told = known or ToldRollback(0.0, max(unix_ms(), state.now.unix_ms(state.now.ms)), f"counter_guard: {reason}")
        values = desired_values(0.0, state.spec.workload.shadow.sample, state.ramp.autopilot)
        names = state.spec.names
        entries = {names.candidate: str(values.candidate), names.baseline: str(values.baseline), names.told: told.text}
        readings = actuator.readings()
        heeded = self._heeded.setdefault(state.name, set())
        if known is not None:
            heeded |= {envoy for envoy, read in readings.items() if read and _share(names, read) <= told.percent}
        wanted = {envoy: entries for envoy in readings if envoy not in heeded}
        writes = self._writes(state, told, readings, wanted)
        if not writes:
            return False
        self._told[state.name] = told
        actuator.retreat(writes)
        if known is None:
            log.warning("retreat_sent", workload=state.name, to_percent=0, envoys=sorted(writes), reason=reason)
        return known is None

    @staticmethod
    def _writes(
        state: WorkloadState,
        told: ToldRollback,
        readings: Mapping[str, RuntimeEntries | None],
        wanted: Mapping[str, RuntimeEntries],
    ) -> dict[str, RuntimeEntries]:
        """Return the writes to Envoys whose present share is higher than the told one, with the key that tells it."""
        names, found = state.spec.names, dict[str, RuntimeEntries]()
        for envoy, entries in wanted.items():
            if _share(names, readings.get(envoy) or {}) > told.percent:
                found[envoy] = {**entries, names.told: told.text}
        return found


def _share(names: RuntimeKeys, entries: RuntimeEntries) -> float:
    """Return the candidate's share in percent, as these runtime values say; 0 if they say none."""
    values = names.read(entries)
    return 0.0 if values is None else values.percent
