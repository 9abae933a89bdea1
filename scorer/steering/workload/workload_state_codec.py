"""Encode a workload's state as the JSON that is stored in Redis, and decode it.

The ``schema`` number identifies the form of the JSON. A state with a different number is ignored; the workload then
starts at the baseline.

See ADR 0132.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from glidepath.errors import InputError
from glidepath.json_text import json_text
from scorer.steering.envoy.runtime_values import (
    LastWritten,
    desired_values,
    last_written_from_json,
    last_written_to_json,
    percent_of,
)
from scorer.steering.ramp.states import RampState, state_from_json
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.steering_interfaces import StepEvidence
from scorer.steering.store_protocol import no_cursors
from scorer.steering.stored_fields import dataclass_fields, exact_fields
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.failing_copies import CopiesBefore
from scorer.steering.workload.flush_deduplication import SeenFlushes
from scorer.steering.workload.lifetime_counts import Totals
from scorer.steering.workload.quota_outlook import NO_QUOTA, QuotaOutlook
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import (
    BaselineRestart,
    FleetView,
    RecentCounts,
    StreamPosition,
    WorkloadState,
    restarted_epoch,
)

SCHEMA = 9  # raise it with every change after which old code cannot read new states, or new code cannot read old ones


_FIELDS = (
    "schema",
    "ramp",
    "evidence",
    "cursors",
    "seen_flushes",
    "clocks",
    "old_commands_to",
    "now",
    "last_written",
    "totals",
    "restart",
)


class OtherSchemaError(InputError):
    """The stored state was written by a version of Glidepath with a different schema."""


def encode(state: WorkloadState, *, with_evidence: bool = True) -> str:
    """Return the state as JSON text.

    If it is encoded without its evidence, the evidence begins again when the text is decoded.
    """
    streams = state.streams
    stored = {
        "schema": SCHEMA,
        "ramp": state.ramp.to_json(),
        "evidence": state.evidence.to_json() if with_evidence else {},
        "cursors": streams.cursors,
        "seen_flushes": streams.seen.to_json(),
        "clocks": streams.clocks.to_json(),
        "old_commands_to": streams.old_commands_to,
        "now": state.now.to_json(),
        "last_written": last_written_to_json(state.fleet.last_written),
        "totals": state.totals.to_json(),
        "restart": None if state.restart is None else asdict(state.restart),
    }
    return json_text(stored)


def decode(spec: WorkloadSpec, stored: Mapping[str, Any], clocks: ClockReadings) -> WorkloadState:
    """Parse a stored state, the result of ``encode``, at a takeover at which the leader's clocks show ``clocks``.

    Evidence that cannot be read begins again.

    Raises OtherSchemaError for a state of another schema, and InputError for an unreadable state of this schema.
    """
    schema = stored.get("schema")
    if schema != SCHEMA:
        writer = "an older checkout" if schema is None else f"a checkout with schema {schema!r}"
        raise OtherSchemaError(f"the state of {spec.name} was stored by {writer}; this one reads schema {SCHEMA}")
    try:
        exact_fields(stored, _FIELDS, "it")
        ramp = state_from_json(stored["ramp"])
        written = SteadyTime.from_json(require_mapping(stored["now"]))
        streams, totals = _streams(stored, written), Totals.from_json(stored["totals"])
        fleet = FleetView(last_written=last_written_from_json(require_mapping(stored["last_written"])))
        restart = _restart(stored["restart"])
        written_evidence = dict(require_mapping(stored["evidence"]))
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the stored state of {spec.name} cannot be read: {error}") from error
    settled_epoch = _settled_epoch(ramp, fleet.last_written)
    now = written.at_takeover(clocks)
    ramp, evidence = _evidence(spec, ramp, written_evidence, now.ms)
    inputs = TickInputs(workload=spec.name)
    return WorkloadState(
        spec,
        ramp,
        evidence,
        inputs,
        streams,
        totals,
        recent=RecentCounts(since_ms=now.ms, copies=CopiesBefore.of(totals), errors_before=totals.error_kinds),
        fleet=fleet,
        settled_epoch=settled_epoch,
        restart=restart,
        now=now,
        quota=_former_limit(spec, fleet.last_written),
    )


def _settled_epoch(ramp: RampState, last_written: LastWritten) -> int:
    """Return the last epoch whose share every Envoy has confirmed, as far as the stored state shows.

    If a leader stored a step and ceased to lead before the Envoys got the weights, they may still run the former
    weights. Then requests must not count until all Envoys have confirmed the new ones.
    """
    wanted = desired_values(ramp.serving, 0.0, ramp.autopilot)[:2]
    settled = all(values[:2] == wanted for possible in last_written.values() for values in possible)
    return ramp.epoch if settled else ramp.epoch - 1


def _former_limit(spec: WorkloadSpec, last_written: LastWritten) -> QuotaOutlook:
    """Return an outlook with the Envoys' percentage of copies. It applies until this leader knows the load."""
    texts = {values.shadow for possible in last_written.values() for values in possible}
    shares = [share for text in texts if (share := percent_of(text)) is not None]
    if not spec.has_quota or not shares:
        return NO_QUOTA
    most = min(shares)
    return QuotaOutlook(known=False, most_copies=most, copies_note=f"copies {most:g} % until the load is known (quota)")


def _streams(stored: Mapping[str, Any], written: SteadyTime) -> StreamPosition:
    return StreamPosition(
        cursors=exact_fields(stored["cursors"], no_cursors(), "cursors"),
        seen=SeenFlushes.from_json(require_mapping(stored["seen_flushes"])),
        clocks=SourceClocks.from_json(require_mapping(stored["clocks"])),
        old_commands_to=str(stored["old_commands_to"]),
        after_ms=written.ms,
    )


def _restart(raw: object) -> BaselineRestart | None:
    return None if raw is None else BaselineRestart(**dataclass_fields(BaselineRestart, raw, "restart"))


def _evidence(
    spec: WorkloadSpec, ramp: RampState, written: dict[str, Any], now_ms: int
) -> tuple[RampState, StepEvidence]:
    """Return the ramp, and its evidence decoded from ``written``.

    If the evidence cannot be decoded, return the ramp with a new epoch, and empty evidence.
    """
    try:
        return ramp, spec.kind.from_json(spec.workload, written)
    except (InputError, LookupError, TypeError, ValueError, AttributeError):
        ramp = restarted_epoch(ramp, now_ms)
        return ramp, spec.fresh_evidence(ramp, now_ms)


def require_mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a JSON object. Raises TypeError if it is not."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value
