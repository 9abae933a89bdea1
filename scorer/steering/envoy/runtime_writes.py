"""Plan which runtime keys to write to which Envoy, from the desired values and the readings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.envoy.runtime_values import (
    NO_ADMIN_LAYERS,
    LastWritten,
    RuntimeEntries,
    RuntimeKeys,
    RuntimeValues,
    of_absent_envoys,
)


@dataclass(frozen=True, slots=True)
class RuntimeWrites:
    """The writes of one tick for one workload.

    ``writes``: Envoy → the entries to write in one request. ``last_written``: Envoy → the values that it may have once
    these writes have been sent.
    """

    writes: Mapping[str, RuntimeEntries]
    last_written: LastWritten


def plan_writes(
    names: RuntimeKeys,
    desired: RuntimeValues,
    readings: Mapping[str, RuntimeEntries | None],
    last_written: LastWritten,
    *,
    admin_layers: Mapping[str, RuntimeEntries | None] = NO_ADMIN_LAYERS,
    confirmed: bool = False,
) -> RuntimeWrites:
    """Return one write for every readable Envoy whose values differ from the desired ones.

    ``admin_layers``: the admin layers above RTDS, see ``observe``. Keys that a person set in such a layer are removed,
    so that the pushed values apply. But if all keys in the layer have the desired values, they are removed only if
    ``confirmed`` is true, which means that every Envoy has confirmed these values. If the keys were removed earlier,
    the share would change back for a moment while the manual override is adopted.
    """
    wanted = names.write(desired)
    writes: dict[str, RuntimeEntries] = {
        envoy: wanted
        for envoy, entries in readings.items()
        if entries is not None and any(entries.get(key, "") != value for key, value in wanted.items())
    }
    possible = {
        envoy: _with_desired(last_written.get(envoy, ()), desired) if envoy in writes else last_written.get(envoy, ())
        for envoy in readings
    }
    for envoy, entries in admin_layers.items():
        possible[envoy] = last_written.get(envoy, ())
        removals = {key: "" for key in wanted if entries and entries.get(key)}
        if entries and removals and (confirmed or names.contradicts(entries, desired)):
            writes[envoy] = removals
    known = {envoy: values for envoy, values in possible.items() if values}
    return RuntimeWrites(writes, {**of_absent_envoys(last_written, possible), **known})


def _with_desired(before: tuple[RuntimeValues, ...], desired: RuntimeValues) -> tuple[RuntimeValues, ...]:
    """Return the values that an Envoy may have while a write is under way: the former values and the desired values."""
    return before if desired in before else (*before, desired)
