"""Desired against actual runtime keys, Envoy by Envoy: whose hand was it, what must be written, who confirms.

Pure. An Envoy's admin layer holds one of four things:

- nothing of this workload: the Envoy is new or was restarted → write;
- what is desired → confirmed;
- what we wrote before, or may have written (a write whose answer was lost) → write;
- anything else: a person's curl → adopt it.

So that a new leader does not take the old leader's write for a curl, what each Envoy may hold is remembered in the
workload's state *before* it is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from glidepath import keys
from glidepath.config import Workload

Values = Mapping[str, str]


class Imprint(NamedTuple):
    """One workload's keys at one Envoy; weights in basis points, -1 where the value is no number."""

    candidate: int
    baseline: int
    shadow: str
    autopilot: str

    @property
    def percent(self) -> float:
        """The candidate's share; no weight at all would leave Envoy without a route and counts as 0."""
        total = max(self.candidate, 0) + max(self.baseline, 0)
        return round(100 * max(self.candidate, 0) / total, 2) if total else 0.0


NOTHING = Imprint(-2, -2, "", "")
"""An Envoy that was seen without any weight of ours; said once, not at every look until a write succeeds."""

Told = Mapping[str, tuple[Imprint, ...]]
"""Envoy → what it may hold: one imprint once it was seen there, more while a write's outcome is not known."""

MAX_ABSENT = 64  # Envoys that are not in the fleet just now, of which it is remembered what they hold


@dataclass(frozen=True, slots=True)
class RuntimeNames:
    """The runtime keys of one workload."""

    candidate: str
    baseline: str
    shadow: str
    autopilot: str

    @classmethod
    def of(cls, name: str, workload: Workload) -> RuntimeNames:
        entry = workload.candidate
        if workload.fallback:
            entry = keys.fallback_cluster(workload.candidate, workload.baseline)
        return cls(
            candidate=keys.weight_key(name, entry),
            baseline=keys.weight_key(name, workload.baseline),
            shadow=keys.shadow_key(name),
            autopilot=keys.autopilot_key(name),
        )

    def read(self, values: Values) -> Imprint | None:
        """What the admin layer says; None when it holds no weight of this workload."""
        candidate, baseline = values.get(self.candidate, ""), values.get(self.baseline, "")
        if not candidate and not baseline:
            return None
        shadow, autopilot = values.get(self.shadow, ""), values.get(self.autopilot, "")
        return Imprint(_weight(candidate), _weight(baseline), shadow, autopilot)

    def write(self, imprint: Imprint) -> dict[str, str]:
        """Every key, for one POST: Envoy removes a key whose value is empty."""
        return {
            self.candidate: str(imprint.candidate),
            self.baseline: str(imprint.baseline),
            self.shadow: imprint.shadow,
            self.autopilot: imprint.autopilot,
        }


def desired_imprint(percent: float, shadow: float, autopilot: bool) -> Imprint:
    """``autopilot`` on is the absence of the key, so that each curl of 1 is news."""
    candidate = round(percent * keys.FULL_WEIGHT / 100)
    return Imprint(candidate, keys.FULL_WEIGHT - candidate, shadow_value(shadow), "" if autopilot else "0")


def shadow_value(percent: float) -> str:
    """A runtime fraction: an integer is a percent; a finer one is Envoy's FractionalPercent as JSON."""
    if percent == int(percent):
        return str(int(percent))
    return json.dumps({"numerator": round(percent * 10_000), "denominator": "MILLION"}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Observation:
    """What the Envoys show; where a field is None, no person has changed it."""

    confirmed: frozenset[str]
    told: Told
    adopted: float | None = None
    adopted_at: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    restarted: tuple[str, ...] = ()


def observe(
    names: RuntimeNames,
    desired: Imprint,
    readings: Mapping[str, Values | None],
    told: Told,
    *,
    retreating: bool = False,
    stale: frozenset[Imprint] = frozenset(),
) -> Observation:
    """Compare each Envoy's admin layer (None: not readable now) with what it was told.

    ``retreating``: while the news of a rollback travels, a higher share found at an Envoy that has not yet confirmed is
    not adopted: the way back wins. ``stale``: what a former leader may still have written in its last moment; never
    everything back to the baseline, which is a person's wish whenever it could be one.
    """
    seen = {envoy: _look(names, desired, values, told.get(envoy, ())) for envoy, values in readings.items()}
    curls = [
        (look.actual.percent, envoy)
        for envoy, look in seen.items()
        if look.actual is not None
        and look.foreign - {i[:2] for i in stale if i.candidate > 0}
        and not (retreating and look.unconfirmed and look.actual.percent > desired.percent)
    ]
    adopted, at = min(curls, default=(None, ""))
    flags = [look.autopilot for look in seen.values() if look.autopilot is not None]
    shadows = [look.shadow for look in seen.values() if look.shadow is not None]
    return Observation(
        confirmed=frozenset(e for e, look in seen.items() if look.confirmed),
        told={**_absent(told, readings), **{e: look.told for e, look in seen.items() if look.told}},
        adopted=adopted,
        adopted_at=at,
        autopilot=all(flags) if flags else None,
        shadow=min(shadows, default=None),
        restarted=tuple(e for e, look in seen.items() if look.restarted),
    )


def _absent(told: Told, readings: Mapping[str, Values | None]) -> Told:
    """What the Envoys hold that are out of the fleet now: one that comes back with it shows our old write, no curl."""
    gone = [envoy for envoy in told if envoy not in readings]
    return {envoy: told[envoy] for envoy in gone[-MAX_ABSENT:]}


@dataclass(frozen=True, slots=True)
class _Look:
    """One Envoy's part of an Observation; ``foreign`` holds its weights if no write of ours explains them."""

    told: tuple[Imprint, ...] = ()
    actual: Imprint | None = None
    confirmed: bool = False
    unconfirmed: bool = False
    restarted: bool = False
    foreign: frozenset[tuple[int, ...]] = frozenset()
    autopilot: bool | None = None
    shadow: float | None = None


def _look(names: RuntimeNames, desired: Imprint, values: Values | None, before: tuple[Imprint, ...]) -> _Look:
    if values is None:
        return _Look(told=before)
    actual, ours = names.read(values), (*before, desired)
    flag = values.get(names.autopilot, "")
    changed = flag not in {i.autopilot for i in ours} and (flag or actual is not None)
    autopilot = flag != "0" if changed else None
    if actual is None:
        return _Look(told=(NOTHING,), restarted=bool(before) and NOTHING not in before, autopilot=autopilot)
    return _Look(
        told=(actual,),
        actual=actual,
        confirmed=actual[:2] == desired[:2],
        unconfirmed={i[:2] for i in before} != {desired[:2]},
        foreign=frozenset({actual[:2]} - {i[:2] for i in ours}),
        autopilot=autopilot,
        shadow=None if actual.shadow in {i.shadow for i in ours} else _percent(actual.shadow),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """``writes``: Envoy → every key, one POST each; ``told``: what each may hold once these are under way."""

    writes: Mapping[str, Values]
    told: Told


def plan(names: RuntimeNames, desired: Imprint, readings: Mapping[str, Values | None], told: Told) -> Plan:
    """Write to every readable Envoy that does not hold exactly what is desired."""
    wanted = names.write(desired)
    writes = {
        envoy: wanted
        for envoy, values in readings.items()
        if values is not None and any(values.get(key, "") != value for key, value in wanted.items())
    }
    after = {e: _either(told.get(e, ()), desired) if e in writes else told.get(e, ()) for e in readings}
    return Plan(writes, {**_absent(told, readings), **{e: imprints for e, imprints in after.items() if imprints}})


def _either(before: tuple[Imprint, ...], desired: Imprint) -> tuple[Imprint, ...]:
    return before if desired in before else (*before, desired)


def _weight(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else (0 if not text else -1)


def _percent(text: str) -> float | None:
    """A person's plain number for the shadow share; anything else is put right, not adopted."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def told_to_json(told: Told) -> dict[str, list[list[int | str]]]:
    return {envoy: [list(i) for i in imprints] for envoy, imprints in told.items()}


def told_from_json(raw: Mapping[str, list[list[int | str]]]) -> dict[str, tuple[Imprint, ...]]:
    """Raises TypeError or ValueError for what is not one."""
    return {
        envoy: tuple(Imprint(int(c), int(b), str(s), str(a)) for c, b, s, a in imprints)
        for envoy, imprints in raw.items()
    }
