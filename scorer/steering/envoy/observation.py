"""Compare each Envoy's runtime with the values that Glidepath wrote, to find confirmations and manual overrides.

All functions are pure. For one workload, there are four cases for the values that an Envoy has:

- no weight of the workload: the Envoy is new or was restarted; the desired values are written to it;
- the desired values: the Envoy has confirmed them;
- values that Glidepath wrote before, or may have written (the answer to a write was lost): the desired values are
  written again;
- any other values: a person's manual override, which is adopted as far as it can be parsed (manual_override.py).

The values that each Envoy may have are stored in the workload's state *before* they are written. Otherwise a new leader
would mistake the old leader's write for a manual override. See ADR 0051.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from scorer.steering.envoy import manual_override
from scorer.steering.envoy.runtime_values import (
    NO_ADMIN_LAYERS,
    NO_WEIGHTS,
    LastWritten,
    Retreat,
    RuntimeEntries,
    RuntimeKeys,
    RuntimeValues,
    of_absent_envoys,
)


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of comparing all Envoys of a workload with the values that were written to them.

    - ``confirmed``: the Envoys that run the desired weights
    - ``last_written``: Envoy → the values that it may have, because Glidepath wrote or saw them
    - ``adopted``: the candidate's share that a person set, in percent; None if no person set weights
    - ``adopted_at``: the Envoy at which the person set this share
    - ``ambiguous_weights``: describes the weights that a person set if they are not a valid pair, else ""
    - ``autopilot``: the autopilot value that a person set; None if no person set it
    - ``shadow``: the shadow share that a person set, in percent; None if no person set it
    - ``shadow_reset``: a person removed the shadow key, so that the configured share applies again
    - ``invalid_override``: describes invalid values of the autopilot and shadow keys, which change nothing
    - ``restarted``: the Envoys that were restarted and lost their weights
    - ``hiding_layers``: the admin interfaces whose weights hide the weights that were pushed by RTDS
    - ``admin_layer_used``: an admin layer above RTDS has a key of this workload
    - ``retreat``: the lowest retreat below the desired share; None if there is none
    """

    confirmed: frozenset[str]
    last_written: LastWritten
    adopted: float | None = None
    adopted_at: str = ""
    ambiguous_weights: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    shadow_reset: bool = False
    invalid_override: str = ""
    restarted: tuple[str, ...] = ()
    hiding_layers: tuple[str, ...] = ()
    admin_layer_used: bool = False
    retreat: Retreat | None = None


def observe(
    names: RuntimeKeys,
    desired: RuntimeValues,
    readings: Mapping[str, RuntimeEntries | None],
    last_written: LastWritten,
    *,
    admin_layers: Mapping[str, RuntimeEntries | None] = NO_ADMIN_LAYERS,
    retreating: bool = False,
    stale: frozenset[RuntimeValues] = frozenset(),
) -> Observation:
    """Compare each Envoy's runtime entries with the values that were written to that Envoy.

    - ``readings``: Envoy → its runtime entries; None if it cannot be read now
    - ``admin_layers``: the admin layers of Envoys that get their weights by RTDS
    - ``retreating``: a rollback is being written, so a higher share is not adopted from an Envoy that has not confirmed
      the rollback yet
    - ``stale``: values that a former leader may have written in its last moment; they are adopted only if the
      candidate's weight is 0, because this may be a person's rollback (ADR 0093)
    """
    envoys = {e: _compare(names, desired, entries, last_written.get(e, ())) for e, entries in readings.items()}
    layers = {
        e: _compare_admin_layer(names, desired, entries, last_written.get(e, ())) for e, entries in admin_layers.items()
    }
    found = {**envoys, **layers}
    weights = _adoptable(found, desired, retreating, stale)
    adopted, adopted_at = min(weights, default=(None, ""))
    switches = [one.autopilot for one in found.values() if one.autopilot is not None]
    shadows = [one.shadow for one in found.values() if one.shadow is not None]
    known = {e: one.last_written for e, one in found.items() if one.last_written}
    return Observation(
        confirmed=frozenset(e for e, one in envoys.items() if one.confirmed),
        last_written={**of_absent_envoys(last_written, found), **known},
        adopted=adopted,
        adopted_at=adopted_at,
        ambiguous_weights=_joined({e: found[e].ambiguous_weights for _, e in weights}),
        autopilot=all(switches) if switches else None,
        shadow=min(shadows, default=None),
        shadow_reset=not shadows and any(one.shadow_reset for one in found.values()),
        invalid_override=_joined({e: one.invalid_override for e, one in found.items()}),
        restarted=tuple(e for e, one in envoys.items() if one.restarted),
        hiding_layers=tuple(e for e, one in layers.items() if one.hides),
        admin_layer_used=any(set(names.write(desired)) & set(entries or ()) for entries in admin_layers.values()),
        retreat=_lowest_retreat(names, desired, readings),
    )


def _adoptable(
    found: Mapping[str, _EnvoyObservation], desired: RuntimeValues, retreating: bool, stale: frozenset[RuntimeValues]
) -> list[tuple[float, str]]:
    """Return, for each override that may be adopted, the candidate's share in percent and the Envoy that has it."""
    ignored = {values[:2] for values in stale if values.candidate > 0}
    return [
        (one.weights.percent, envoy)
        for envoy, one in found.items()
        if one.actual is not None
        and one.weights is not None
        and one.actual[:2] not in ignored
        and not (retreating and one.unconfirmed and one.weights.percent > desired.percent)
    ]


def _lowest_retreat(
    names: RuntimeKeys, desired: RuntimeValues, readings: Mapping[str, RuntimeEntries | None]
) -> Retreat | None:
    known = [one for entries in readings.values() if entries and (one := names.retreat_in(entries)) is not None]
    lower = [one for one in known if one.percent < desired.percent]
    return min(lower, key=lambda one: (one.percent, -one.at_ms), default=None)


def _joined(by_envoy: Mapping[str, str]) -> str:
    return "; ".join(f"{envoy}: {text}" for envoy, text in by_envoy.items() if text)


@dataclass(frozen=True, slots=True)
class _EnvoyObservation:
    """The part of an Observation that concerns one Envoy.

    ``weights``: the manual override of the Envoy's weights; None if no person set them.
    """

    last_written: tuple[RuntimeValues, ...] = ()
    actual: RuntimeValues | None = None
    confirmed: bool = False
    unconfirmed: bool = False
    restarted: bool = False
    hides: bool = False
    weights: manual_override.WeightsOverride | None = None
    ambiguous_weights: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    shadow_reset: bool = False
    invalid_override: str = ""


def _compare(
    names: RuntimeKeys, desired: RuntimeValues, entries: RuntimeEntries | None, before: tuple[RuntimeValues, ...]
) -> _EnvoyObservation:
    if entries is None:
        return _EnvoyObservation(last_written=before)
    actual, ours = names.read(entries), (*before, desired)
    if actual is not None and actual in ours:  # the usual case
        confirmed, unconfirmed = actual[:2] == desired[:2], {v[:2] for v in before} != {desired[:2]}
        return _EnvoyObservation((actual,), actual, confirmed, unconfirmed)
    override = _find_override(names, actual, entries, ours, desired)
    if actual is None:
        restarted = bool(before) and NO_WEIGHTS not in before
        return replace(override, last_written=(NO_WEIGHTS,), restarted=restarted)
    return replace(
        override,
        last_written=(actual,),
        confirmed=actual[:2] == desired[:2],
        unconfirmed={v[:2] for v in before} != {desired[:2]},
        shadow_reset=not actual.shadow and all(v.shadow for v in ours),
    )


def _compare_admin_layer(
    names: RuntimeKeys, desired: RuntimeValues, entries: RuntimeEntries | None, before: tuple[RuntimeValues, ...]
) -> _EnvoyObservation:
    """Compare an admin layer above RTDS with the desired values. Every key in it was set by a person."""
    if entries is None:
        return _EnvoyObservation(last_written=before)
    actual, ours = names.read(entries), (*before, desired)
    values = actual or RuntimeValues(*NO_WEIGHTS[:2], entries.get(names.shadow, ""), entries.get(names.autopilot, ""))
    override = _find_override(names, actual, entries, ours, desired)
    if actual is None:  # the usual case here, and no sign of a restart; the shadow key may be set without the weights
        share, invalid = _shadow_override(names, values.shadow, ours)
        messages = filter(None, (override.invalid_override, invalid))
        override = replace(override, shadow=share, invalid_override="; ".join(messages))
    if not values.autopilot:
        override = replace(override, autopilot=None)  # not set here: the RTDS layer below applies
    return replace(override, last_written=(values,), hides=actual is not None and actual[:2] != desired[:2])


def _find_override(
    names: RuntimeKeys,
    actual: RuntimeValues | None,
    entries: RuntimeEntries,
    ours: tuple[RuntimeValues, ...],
    desired: RuntimeValues,
) -> _EnvoyObservation:
    """Return the manual override at one Envoy, as far as its values can be parsed."""
    autopilot, invalid_switch = _autopilot_override(names, actual, entries, ours)
    if actual is None:
        return _EnvoyObservation(autopilot=autopilot, invalid_override=invalid_switch)
    shadow, invalid_shadow = _shadow_override(names, actual.shadow, ours)
    pairs = {v[:2] for v in ours}
    weights, ambiguous = None, ""
    if actual[:2] not in pairs:
        weights = manual_override.weights_override(*actual[:2], pairs, desired.percent)
        if not weights.unambiguous:
            ambiguous = ", ".join(
                manual_override.describe_entry(key, entries.get(key, "")) for key in (names.candidate, names.baseline)
            )
    return _EnvoyObservation(
        actual=actual,
        weights=weights,
        ambiguous_weights=ambiguous,
        autopilot=autopilot,
        shadow=shadow,
        invalid_override="; ".join(filter(None, (invalid_switch, invalid_shadow))),
    )


def _autopilot_override(
    names: RuntimeKeys, actual: RuntimeValues | None, entries: RuntimeEntries, ours: tuple[RuntimeValues, ...]
) -> tuple[bool | None, str]:
    """Return the autopilot value that a person set (None: unchanged or invalid), and a message if it is invalid.

    A removed key turns the autopilot on.
    """
    text = entries.get(names.autopilot, "")
    if text in {v.autopilot for v in ours} or (not text and actual is None):
        return None, ""
    switch = manual_override.parse_switch(text) if text else True
    if switch is not None:
        return switch, ""
    entry = manual_override.describe_entry(names.autopilot, text)
    return None, f"{entry} is not one of {manual_override.ALLOWED_SWITCHES}"


def _shadow_override(names: RuntimeKeys, text: str, ours: tuple[RuntimeValues, ...]) -> tuple[float | None, str]:
    """Return the shadow share that a person set (None: unchanged or invalid), and a message if it is invalid."""
    if not text or text in {v.shadow for v in ours}:
        return None, ""
    share = _percent(text)
    if share is not None:
        return share, ""
    return None, f"{manual_override.describe_entry(names.shadow, text)} is not a percentage from 0 to 100"


def _percent(text: str) -> float | None:
    """Return the value of a shadow key, in percent; None if ``text`` is not a plain number from 0 to 100."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None
