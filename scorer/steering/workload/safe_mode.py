"""What is left of a workload in whose tick something raises: it can be seen, stopped and taken back.

Only what has no part in judging: the table of moves, the weights, the commands `hold`, `rollback` and `abort`. Nothing
is written to an Envoy but the way back, so weights that a person sets by hand meanwhile stay as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from glidepath.records import Decision, WorkloadStatus, to_json
from scorer.steering.envoy.runtime_values import NO_ADMIN_LAYERS, RuntimeEntries
from scorer.steering.envoy.runtime_writes import plan_writes
from scorer.steering.ramp import commands
from scorer.steering.ramp.states import RETREATING
from scorer.steering.ramp.tick_inputs import TickInputs, new_decision
from scorer.steering.state_store import Record
from scorer.steering.workload.workload import Track
from scorer.steering.workload.workload_status import standing

AGAIN_MS = 600_000  # a workload that fails now and then is announced no more often


def lifeline(
    track: Track,
    readings: Mapping[str, RuntimeEntries | None],
    leader: str,
    now_ms: int,
    *,
    admin_layers: Mapping[str, RuntimeEntries | None] = NO_ADMIN_LAYERS,
) -> tuple[Record, Mapping[str, RuntimeEntries]]:
    """A tick of a workload whose own has failed with ``track.problem``."""
    with contextlib.suppress(Exception):  # nor may this one stop what follows
        track.begin_anew(now_ms)
    decisions = (*_alarm(track, now_ms), *_obey(track, now_ms))
    writes: Mapping[str, RuntimeEntries] = {}
    if track.state.phase in RETREATING:
        planned = plan_writes(track.names, track.desired, readings, track.last_written, admin_layers=admin_layers)
        track.dirty |= planned.last_written != track.last_written
        track.last_written, writes = planned.last_written, planned.writes
    blob = track.blob(with_evidence=False) if track.dirty or decisions else None
    track.dirty = False
    return Record(blob, to_json(_status(track, readings, leader, now_ms)), decisions), writes


def _alarm(track: Track, now_ms: int) -> tuple[Decision, ...]:
    if track.alarmed_ms and now_ms - track.alarmed_ms < AGAIN_MS:
        return ()
    track.alarmed_ms = now_ms
    reason = f"{track.problem}; no guard acts, nothing moves by itself. {_how(track.name)}"
    return (new_decision("tick_failed", track.state, track.state, _facts(track), now_ms, reason, "tick_failed"),)


def _how(name: str) -> str:
    return f"`glidepath rollback {name}` and `abort` work, and so does weight 0 by curl"


def _facts(track: Track) -> TickInputs:
    return TickInputs(workload=track.name, config_digest=track.digest)


def _obey(track: Track, now_ms: int) -> tuple[Decision, ...]:
    said: list[Decision] = []
    for order in track.orders:
        facts = replace(_facts(track), commands=(order,))
        if order.kind in commands.SAFETY_COMMANDS:
            track.state, decisions = commands.apply_commands(track.state, facts, track.policy, now_ms)
            said += decisions
            continue
        reason = f"{order.kind.value} is not possible: {track.problem}. {_how(track.name)}"
        details = {"command": order.kind.value, "command_id": order.id}
        trigger = f"command:{order.kind.value}"
        state = track.state
        said.append(
            new_decision("refused", state, state, facts, now_ms, reason, trigger, actor=order.actor, details=details)
        )
    track.orders = ()
    return tuple(said)


def _status(track: Track, readings: Mapping[str, RuntimeEntries | None], leader: str, now_ms: int) -> WorkloadStatus:
    desired = track.desired
    wanted = {track.names.candidate: str(desired.candidate), track.names.baseline: str(desired.baseline)}
    return replace(
        standing(track, leader, now_ms),
        message=f"{track.problem}; no guard acts. {_how(track.name)}",
        confirmed=sum(values is not None and wanted.items() <= values.items() for values in readings.values()),
        envoys=len(readings),
    )
