"""Compare the runtime values of a workload's Envoys with the desired values, and plan the necessary writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import is_

from scorer.steering.envoy.observation import Observation, observe
from scorer.steering.envoy.runtime_values import NO_WEIGHTS, RuntimeEntries, RuntimeValues
from scorer.steering.envoy.runtime_writes import plan_writes
from scorer.steering.ramp.states import RETREATING
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_state import FleetView, LastLook, WorkloadState

Readings = Mapping[str, RuntimeEntries | None]
"""Envoy → its ``glidepath.*`` runtime entries; None: not readable now."""


def look(state: WorkloadState, readings: Readings, context: TickContext) -> WorkloadState:
    """Compare the Envoys' present values with the desired values. Return the workload's state with the result.

    If no value has changed, the result of the last comparison is kept, because a new comparison takes more time.
    """
    view = state.fleet
    if not _unchanged(view.last_look, _shown(readings, context.admin_layers), state.desired):
        observation = observe(
            state.spec.names,
            state.desired,
            readings,
            view.last_written,
            admin_layers=context.admin_layers,
            retreating=state.ramp.phase in RETREATING or _unconfirmed_restart(state),
            stale=context.stale,
        )
        view = FleetView(observation, observation.last_written, view.envoys)
    envoys = len(readings) + len(view.observation.hiding_layers)
    if view is state.fleet and envoys == view.envoys:
        return state
    view = replace(view, envoys=envoys)
    restart = state.restart
    if restart is not None and view.all_confirmed:
        restart = replace(restart, confirmed=True)
    return replace(state, fleet=view, restart=restart)


def _unconfirmed_restart(state: WorkloadState) -> bool:
    """Return whether Envoys may still run weights of a discarded state. Such weights are not a manual override."""
    return state.restart is not None and not state.restart.confirmed


def next_writes(
    state: WorkloadState, readings: Readings, admin_layers: Readings
) -> tuple[WorkloadState, Mapping[str, RuntimeEntries]]:
    """Plan the writes to the Envoys.

    Return the state, which must be stored before the writes are sent, and the writes: Envoy → the entries to write.
    """
    view, desired = state.fleet, state.desired
    shown = _shown(readings, admin_layers)
    if state.ramp.state_lost or _unchanged(view.last_look, shown, desired):
        return state, {}
    confirmed = 0 < len(readings) <= len(view.observation.confirmed)
    planned = plan_writes(
        state.spec.names, desired, readings, view.last_written, admin_layers=admin_layers, confirmed=confirmed
    )
    quiet = not planned.writes and not _asks_for_action(view.observation)
    last_look = LastLook(dict(shown), desired) if quiet else None
    fleet = replace(view, last_written=planned.last_written, last_look=last_look)
    return replace(state, fleet=fleet), planned.writes


def unknown_envoys(state: WorkloadState, unknown_weights: frozenset[str]) -> tuple[str, ...]:
    """Return the Envoys in ``unknown_weights`` to which Glidepath never wrote, according to ``state``.

    If an Envoy opens a second stream, that stream is named after the Envoy with ``#`` and a number.
    """
    if not unknown_weights:
        return ()
    last_written = state.fleet.last_written
    known = {envoy.partition("#")[0] for envoy, possible in last_written.items() if set(possible) - {NO_WEIGHTS}}
    return tuple(sorted(envoy for envoy in unknown_weights if envoy.partition("#")[0] not in known))


def _unchanged(last: LastLook | None, shown: Readings, desired: RuntimeValues) -> bool:
    """Return whether the Envoys' values and the desired values are the same as in the last look.

    This is the usual case. An unchanged reading is the same object, so comparing identities is sufficient, and takes
    the least time.
    """
    return (
        last is not None
        and last.desired == desired
        and last.shown.keys() == shown.keys()
        and all(map(is_, map(last.shown.__getitem__, shown), shown.values()))
    )


def _shown(readings: Readings, admin_layers: Readings) -> Readings:
    return {**readings, **admin_layers} if admin_layers else readings


def _asks_for_action(seen: Observation) -> bool:
    changed = (seen.adopted, seen.autopilot, seen.shadow) != (None, None, None)
    return changed or bool(seen.restarted or seen.invalid_override or seen.shadow_reset or seen.admin_layer_used)
