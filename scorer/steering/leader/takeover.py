"""Take over a workload as the leader: from the stored state, from this process's memory, or with a new state.

If the state is new, the streams may still contain a long history, which must not be applied: its commands were meant
for another state, and its evidence is about another step. So a command in this history is carried out only if it holds
or lowers the share and no leader has answered it (ramp/commands.py). Earlier outcomes and pairs are counted as left out
(workload/fold_stream_entries.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glidepath.errors import InputError
from glidepath.logs import get_logger
from scorer.steering.store_protocol import SteeringStore
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import BaselineRestart, WorkloadState, new_state
from scorer.steering.workload.workload_state_codec import OtherSchemaError, decode, encode

log = get_logger()


@dataclass(frozen=True, slots=True)
class Takeover:
    """The result of a takeover.

    - ``is_new``: no earlier state of the workload was found, in Redis or in memory
    - ``passed_ms``: clock → the milliseconds since the state was stored, by this clock; empty without a stored state
    """

    state: WorkloadState
    is_new: bool = False
    passed_ms: Mapping[str, int] = field(default_factory=dict)


async def take_over(
    spec: WorkloadSpec, store: SteeringStore, clocks: ClockReadings, former: WorkloadState | None = None
) -> Takeover:
    """Return the state with which this leader begins to steer the workload, and whether the state is new.

    ``clocks``: the readings of the leader's clocks at the takeover. ``former``: the state from this process's last
    term, or None if that term is not recent. It is used if Redis has lost the stored state. A stored state of another
    schema is discarded, and the workload starts at the baseline. If a stored state of this schema cannot be read, the
    share is unknown, so the workload is held and the Envoys' weights stay.
    """
    begin = SteadyTime.begin(clocks)
    try:
        stored = await _stored(spec, store, former)
        if stored is not None:
            state = decode(spec, stored, clocks)
            return Takeover(state, passed_ms=clocks.since(SteadyTime.from_json(stored["now"]).clocks))
    except OtherSchemaError as error:
        reason = f"{error}; the workload starts at the baseline"
        log.error("state_discarded", workload=spec.name, reason=str(error), effect="starts at the baseline")  # noqa: TRY400
        state = replace(new_state(spec, begin, percent=0.0), restart=BaselineRestart(reason))
        return Takeover(await _without_history(state, store))
    except InputError as error:
        log.error("state_unreadable", workload=spec.name, reason=str(error), effect="held; weights stay")  # noqa: TRY400
        state = await _without_history(new_state(spec, begin), store)
        return Takeover(replace(state, ramp=replace(state.ramp, first_start=True, held_reason=str(error))))
    return Takeover(await _without_history(new_state(spec, begin), store), is_new=True)


async def _stored(spec: WorkloadSpec, store: SteeringStore, former: WorkloadState | None) -> Mapping[str, Any] | None:
    stored = await store.load(spec.name)
    if stored is not None or former is None:
        return stored
    log.error("state_lost", workload=spec.name, effect="continues from this process's memory")
    remembered: Mapping[str, Any] = json.loads(encode(former))
    return remembered


async def _without_history(state: WorkloadState, store: SteeringStore) -> WorkloadState:
    """Return a new state with its command cursor moved past the commands that must not be carried out.

    These are the commands that former leaders have certainly read. The other commands that are in the stream now were
    given before this state began.
    """
    old = await store.set_aside(state.name, state.now.clocks.redis_ms)
    cursors = {**state.streams.cursors, "commands": old.answered}
    return replace(state, streams=replace(state.streams, cursors=cursors, old_commands_to=old.last))
