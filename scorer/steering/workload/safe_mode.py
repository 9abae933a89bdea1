"""The safe mode of a workload whose tick raised an exception: it can still be observed, stopped and rolled back.

No evidence is judged. Safe mode only uses the table of transitions, the weights, and the commands `hold`, `rollback`
and `abort`. It writes to an Envoy only for a rollback or an abort, so weights that a person sets during safe mode stay.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from glidepath.status_and_decisions import Command, Decision, WorkloadStatus, to_json
from scorer.steering.envoy.runtime_values import RuntimeEntries
from scorer.steering.envoy.runtime_writes import plan_writes
from scorer.steering.ramp import commands
from scorer.steering.ramp.states import RETREATING, RampState
from scorer.steering.ramp.tick_inputs import TickInputs, new_decision
from scorer.steering.store_protocol import News, Record
from scorer.steering.workload.envoy_fleet import Readings
from scorer.steering.workload.fold_stream_entries import fold_counts
from scorer.steering.workload.steady_time import SteadyTime
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_state import WorkloadState, restart_evidence
from scorer.steering.workload.workload_state_codec import encode
from scorer.steering.workload.workload_status import status_of_ramp

AGAIN_MS = 600_000  # if a workload's ticks keep failing, the failure is announced at most this often


def failed_state(state: WorkloadState, news: News, problem: str, now: SteadyTime) -> WorkloadState:
    """Return the state after a tick at ``now`` that raised an exception. ``problem`` describes the exception.

    The tick's news is counted but not added to the evidence. The commands in the news are queued.
    """
    return replace(fold_counts(state, news, now), problem=problem, now=now)


def safe_mode_tick(failed: WorkloadState, readings: Readings, context: TickContext) -> Tick:
    """Run a tick in safe mode. ``failed``: the result of ``failed_state``.

    The evidence begins again: the failed tick may have added a part of the news to it, and a bad number in it may have
    caused the exception.
    """
    state, now_ms = failed, failed.now.ms
    with contextlib.suppress(Exception):  # a bug that also prevents fresh evidence must not prevent a rollback
        state = restart_evidence(failed, now_ms)
    state, announced = _announce(state, now_ms)
    ramp, answers = _carry_out(state, now_ms)
    state = replace(state, ramp=ramp, streams=replace(state.streams, commands=()))
    state, writes = _rollback_writes(state, readings, context.admin_layers)
    status = _status(state, readings, context.leader)
    decisions = tuple(replace(d, at_ms=state.now.unix_ms(d.at_ms)) for d in (*announced, *answers))
    record = Record(encode(state, with_evidence=False), to_json(status), decisions)
    return Tick(state, writes, record)


def _announce(state: WorkloadState, now_ms: int) -> tuple[WorkloadState, tuple[Decision, ...]]:
    if state.announced_ms and now_ms - state.announced_ms < AGAIN_MS:
        return state, ()
    reason = f"{state.problem}; no guard acts, and the share stays unchanged. {_remedy(state.name)}"
    decision = new_decision("tick_failed", state.ramp, state.ramp, _inputs(state), now_ms, reason, "tick_failed")
    return replace(state, announced_ms=now_ms), (decision,)


def _remedy(name: str) -> str:
    return f"`glidepath rollback {name}` and `glidepath abort {name}` still work, and so does setting weight 0 by curl"


def _inputs(state: WorkloadState) -> TickInputs:
    return TickInputs(workload=state.name, config_digest=state.spec.digest)


def _carry_out(state: WorkloadState, now_ms: int) -> tuple[RampState, tuple[Decision, ...]]:
    """Carry out the waiting commands that lower or hold the share, and refuse the others."""
    ramp, answers = state.ramp, list[Decision]()
    for command in state.streams.commands:
        inputs = replace(_inputs(state), commands=(command,))
        if command.kind in commands.SAFETY_COMMANDS:
            ramp, decisions = commands.apply_commands(ramp, inputs, state.spec.policy, now_ms)
            answers += decisions
        else:
            answers.append(_refused(state, ramp, command, inputs, now_ms))
    return ramp, tuple(answers)


def _refused(state: WorkloadState, ramp: RampState, command: Command, inputs: TickInputs, now_ms: int) -> Decision:
    kind = command.kind.value
    reason = f"{kind} is not possible: {state.problem}. {_remedy(state.name)}"
    details = {"command": kind, "command_id": command.id}
    return new_decision(
        "refused", ramp, ramp, inputs, now_ms, reason, f"command:{kind}", actor=command.actor, details=details
    )


def _rollback_writes(
    state: WorkloadState, readings: Readings, admin_layers: Readings
) -> tuple[WorkloadState, Mapping[str, RuntimeEntries]]:
    """Plan the writes of a rollback or an abort; none in any other state. Return the state and the writes.

    The returned state makes the next ordinary tick compare the Envoys' values again.
    """
    fleet = replace(state.fleet, last_look=None)
    if state.ramp.phase not in RETREATING:
        return replace(state, fleet=fleet), {}
    planned = plan_writes(state.spec.names, state.desired, readings, fleet.last_written, admin_layers=admin_layers)
    return replace(state, fleet=replace(fleet, last_written=planned.last_written)), planned.writes


def _status(state: WorkloadState, readings: Readings, leader: str) -> WorkloadStatus:
    desired, names = state.desired, state.spec.names
    wanted = {names.candidate: str(desired.candidate), names.baseline: str(desired.baseline)}
    return replace(
        status_of_ramp(state, leader),
        message=f"{state.problem}; no guard acts. {_remedy(state.name)}",
        confirmed=sum(values is not None and wanted.items() <= values.items() for values in readings.values()),
        envoys=len(readings),
    )
