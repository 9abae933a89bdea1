"""How a leader takes over a workload: from the stored state, from this process's memory, or with a new state.

With a new state, the streams may still hold a long history, which must not be repeated. Its commands were meant for
another state, and its evidence is of another step. So of the commands from before, only those that hold or lower the
share are carried out, and only if no leader has answered them; outcomes and pairs from before are counted and left out
(fold_news.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from glidepath.errors import InputError
from scorer.steering.state_store import SteeringStore
from scorer.steering.workload.stored_state import OtherSchemaError, decode, encode
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import WorkloadState, new_state

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Takeover:
    """``is_new``: there was no state at all, neither a stored one nor one in memory."""

    state: WorkloadState
    is_new: bool = False


async def take_over(
    spec: WorkloadSpec, store: SteeringStore, now_ms: int, former: WorkloadState | None = None
) -> Takeover:
    """Return the workload's state at ``now_ms`` of Redis' clock.

    ``former`` is what this process knew a moment ago; it is used where Redis has lost everything meanwhile. A state of
    another schema is discarded: the workload starts at the baseline. A state of this schema that cannot be read means
    that the share is not known: the workload is held, and the Envoys' weights stay.
    """
    try:
        stored = await _stored(spec, store, former)
        if stored is not None:
            return Takeover(decode(spec, stored, now_ms))
    except OtherSchemaError as error:
        reason = f"{error}; the workload starts at the baseline"
        log.error("state_discarded", workload=spec.name, reason=str(error), effect="starts at the baseline")  # noqa: TRY400
        state = replace(new_state(spec, now_ms, percent=0.0), restart_reason=reason)
        return Takeover(await _without_history(state, store, now_ms))
    except InputError as error:
        log.error("state_unreadable", workload=spec.name, reason=str(error), effect="held; weights stay")  # noqa: TRY400
        state = await _without_history(new_state(spec, now_ms), store, now_ms)
        return Takeover(replace(state, ramp=replace(state.ramp, first_start=True, held_reason=str(error))))
    return Takeover(await _without_history(new_state(spec, now_ms), store, now_ms), is_new=True)


async def _stored(spec: WorkloadSpec, store: SteeringStore, former: WorkloadState | None) -> Mapping[str, Any] | None:
    stored = await store.load(spec.name)
    if stored is not None or former is None:
        return stored
    log.error("state_lost", workload=spec.name, effect="continues from this process's memory")
    remembered: Mapping[str, Any] = json.loads(encode(former))
    return remembered


async def _without_history(state: WorkloadState, store: SteeringStore, now_ms: int) -> WorkloadState:
    """Return the state with its command cursor behind every command that a leader has answered for certain."""
    answered = await store.set_aside(state.name, now_ms)
    cursors = {**state.streams.cursors, "commands": answered}
    return replace(state, streams=replace(state.streams, cursors=cursors, began_ms=now_ms))
