"""The form in which a workload's state is stored in Redis, as JSON, and its only codec.

The ``schema`` number identifies the form. A state of another schema is not read: the workload starts at the baseline.

See ADR 0132.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from glidepath.errors import InputError
from scorer.steering.envoy.runtime_values import last_written_from_json, last_written_to_json
from scorer.steering.interfaces import Evidence
from scorer.steering.ramp.states import RampState, state_from_json
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.state_store import no_cursors
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.seen_flushes import SeenFlushes
from scorer.steering.workload.totals import Totals
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import FleetView, StreamPosition, WorkloadState, restarted_epoch

SCHEMA = 1  # to be raised with every change that older code, or this code, cannot read


class OtherSchemaError(InputError):
    """The stored state was written by a version with another schema."""


def encode(state: WorkloadState, *, with_evidence: bool = True) -> str:
    """Return what must be stored; evidence that is left out begins again when the state is read."""
    streams = state.streams
    stored = {
        "schema": SCHEMA,
        "ramp": state.ramp.to_json(),
        "evidence": state.evidence.to_json() if with_evidence else {},
        "cursors": streams.cursors,
        "seen_flushes": streams.seen.to_json(),
        "clocks": streams.clocks.to_json(),
        "began_ms": streams.began_ms,
        "last_written": last_written_to_json(state.fleet.last_written),
        "totals": state.totals.to_json(),
    }
    return json.dumps(stored, separators=(",", ":"))


def decode(spec: WorkloadSpec, stored: Mapping[str, Any], now_ms: int) -> WorkloadState:
    """Return the state that ``encode`` wrote.

    Evidence that cannot be read begins again at ``now_ms``. Raises OtherSchemaError for a state of another schema, and
    InputError for one of this schema that cannot be read.
    """
    schema = stored.get("schema")
    if schema != SCHEMA:
        raise OtherSchemaError(f"the stored state of {spec.name} has schema {schema!r}; this version reads {SCHEMA}")
    try:
        ramp = state_from_json(require_mapping(stored["ramp"]))
        streams, totals = _streams(stored), Totals.from_json(require_mapping(stored["totals"]))
        fleet = FleetView(last_written=last_written_from_json(require_mapping(stored["last_written"])))
        written_evidence = dict(require_mapping(stored["evidence"]))
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the stored state of {spec.name} cannot be read: {error}") from error
    # The former leader saw this epoch's share confirmed, or it is too late to tell.
    settled_epoch = ramp.epoch
    ramp, evidence = _evidence(spec, ramp, written_evidence, now_ms)
    inputs = TickInputs(workload=spec.name)
    return WorkloadState(spec, ramp, evidence, inputs, streams, totals, fleet=fleet, settled_epoch=settled_epoch)


def _streams(stored: Mapping[str, Any]) -> StreamPosition:
    cursors = require_mapping(stored["cursors"])
    return StreamPosition(
        cursors={stream: cursors.get(stream, start) for stream, start in no_cursors().items()},
        seen=SeenFlushes.from_json(require_mapping(stored["seen_flushes"])),
        clocks=SourceClocks.from_json(require_mapping(stored["clocks"])),
        began_ms=int(stored["began_ms"]),
    )


def _evidence(spec: WorkloadSpec, ramp: RampState, written: dict[str, Any], now_ms: int) -> tuple[RampState, Evidence]:
    """Return the evidence, and the ramp with a new epoch where the evidence had to begin again."""
    try:
        return ramp, spec.kind.from_json(spec.workload, written)
    except (InputError, LookupError, TypeError, ValueError, AttributeError):
        ramp = restarted_epoch(ramp, now_ms)
        return ramp, spec.fresh_evidence(ramp, now_ms)


def require_mapping(value: object) -> Mapping[str, Any]:
    """Raises TypeError for a value that is not a JSON object."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value
