"""Desired against actual runtime keys, Envoy by Envoy: whose hand was it, what must be written, who confirms.

Pure. An Envoy's admin layer holds one of four things:

- nothing of this workload: the Envoy is new or was restarted → write;
- what is desired → confirmed;
- what we wrote before, or may have written (a write whose answer was lost) → write;
- anything else: a person's curl → adopt it, as far as it can be read (manual_override.py).

So that a new leader does not take the old leader's write for a curl, what each Envoy may hold is remembered in the
workload's state *before* it is written.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from glidepath import keys
from glidepath.config import Workload
from scorer.steering.envoy import manual_override

Values = Mapping[str, str]
NONE: Mapping[str, Values | None] = MappingProxyType({})


class RuntimeValues(NamedTuple):
    """One workload's keys at one Envoy; weights in basis points, manual_override.UNREADABLE where the value is none."""

    candidate: int
    baseline: int
    shadow: str
    autopilot: str

    @property
    def percent(self) -> float:
        """The candidate's share; 0 where the weights do not say it."""
        total = self.candidate + self.baseline
        return round(100 * self.candidate / total, 2) if min(self[:2]) >= 0 and total else 0.0


NOTHING = RuntimeValues(-2, -2, "", "")
"""An Envoy that was seen without any weight of ours; said once, not at every look until a write succeeds."""

LastWritten = Mapping[str, tuple[RuntimeValues, ...]]
"""Envoy → what it may hold: one values once it was seen there, more while a write's outcome is not known."""

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

    def read(self, values: Values) -> RuntimeValues | None:
        """What the admin layer says; None when it holds no weight of this workload."""
        candidate, baseline = values.get(self.candidate, ""), values.get(self.baseline, "")
        if not candidate and not baseline:
            return None
        shadow, autopilot = values.get(self.shadow, ""), values.get(self.autopilot, "")
        return RuntimeValues(manual_override.weight(candidate), manual_override.weight(baseline), shadow, autopilot)

    def write(self, values: RuntimeValues) -> dict[str, str]:
        """Every key, for one POST: Envoy removes a key whose value is empty."""
        return {
            self.candidate: str(values.candidate),
            self.baseline: str(values.baseline),
            self.shadow: values.shadow,
            self.autopilot: values.autopilot,
        }

    def differ(self, values: Values, desired: RuntimeValues) -> bool:
        """Whether what is set there keeps an Envoy from what is desired."""
        return any(values.get(key) and values[key] != value for key, value in self.write(desired).items())


def desired_values(percent: float, shadow: float, autopilot: bool) -> RuntimeValues:
    """``autopilot`` on is the absence of the key, so that each curl of 1 is news."""
    candidate = round(percent * keys.FULL_WEIGHT / 100)
    return RuntimeValues(candidate, keys.FULL_WEIGHT - candidate, shadow_value(shadow), "" if autopilot else "0")


def shadow_value(percent: float) -> str:
    """A runtime fraction: an integer is a percent; a finer one is Envoy's FractionalPercent as JSON."""
    if percent == int(percent):
        return str(int(percent))
    return json.dumps({"numerator": round(percent * 10_000), "denominator": "MILLION"}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Observation:
    """What the Envoys show; where a field is None, no person has changed it.

    ``ambiguous_weights`` says which weights were set that are no two weights, and is "" where ``adopted`` is beyond
    doubt; ``invalid_override`` names other values that say nothing and change nothing; ``released``: the shadow share
    is the configured one again; ``masks`` are admin interfaces whose values hide what the Envoy behind them was told by
    RTDS.
    """

    confirmed: frozenset[str]
    last_written: LastWritten
    adopted: float | None = None
    adopted_at: str = ""
    ambiguous_weights: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    released: bool = False
    invalid_override: str = ""
    restarted: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    above: bool = False  # something of this workload's stands in such an admin layer


def observe(
    names: RuntimeNames,
    desired: RuntimeValues,
    readings: Mapping[str, Values | None],
    last_written: LastWritten,
    *,
    overrides: Mapping[str, Values | None] = NONE,
    retreating: bool = False,
    stale: frozenset[RuntimeValues] = frozenset(),
) -> Observation:
    """Compare each Envoy's admin layer (None: not readable now) with what it was told.

    ``overrides``: the admin layers of Envoys that are told by another way. ``retreating``: while the news of a rollback
    travels, a higher share found at an Envoy that has not yet confirmed is not adopted: the way back wins. ``stale``:
    what a former leader may still have written in its last moment; never everything back to the baseline, which is a
    person's wish whenever it could be one.
    """
    seen = {envoy: _look(names, desired, values, last_written.get(envoy, ())) for envoy, values in readings.items()}
    above = {
        envoy: _look_above(names, desired, values, last_written.get(envoy, ())) for envoy, values in overrides.items()
    }
    both = {**seen, **above}
    curls = [
        (look.override.percent, envoy)
        for envoy, look in both.items()
        if look.actual is not None
        and look.override is not None
        and look.actual[:2] not in {i[:2] for i in stale if i.candidate > 0}
        and not (retreating and look.unconfirmed and look.override.percent > desired.percent)
    ]
    adopted, at = min(curls, default=(None, ""))
    flags = [look.autopilot for look in both.values() if look.autopilot is not None]
    shadows = [look.shadow for look in both.values() if look.shadow is not None]
    return Observation(
        confirmed=frozenset(e for e, look in seen.items() if look.confirmed),
        last_written={
            **_absent(last_written, both),
            **{e: look.last_written for e, look in both.items() if look.last_written},
        },
        adopted=adopted,
        adopted_at=at,
        ambiguous_weights="; ".join(f"{e}: {both[e].words}" for _, e in curls if both[e].words),
        autopilot=all(flags) if flags else None,
        shadow=min(shadows, default=None),
        released=not shadows and any(look.released for look in both.values()),
        invalid_override="; ".join(
            f"{e}: {look.invalid_override}" for e, look in both.items() if look.invalid_override
        ),
        restarted=tuple(e for e, look in seen.items() if look.restarted),
        masks=tuple(e for e, look in above.items() if look.masks),
        above=any(set(names.write(desired)) & set(values or ()) for values in overrides.values()),
    )


def _absent(last_written: LastWritten, readings: Container[str]) -> LastWritten:
    """What the Envoys hold that are out of the fleet now: one that comes back with it shows our old write, no curl."""
    gone = [envoy for envoy in last_written if envoy not in readings]
    return {envoy: last_written[envoy] for envoy in gone[-MAX_ABSENT:]}


@dataclass(frozen=True, slots=True)
class _Look:
    """One Envoy's part of an Observation; ``wish`` is there if no write of ours explains its weights."""

    last_written: tuple[RuntimeValues, ...] = ()
    actual: RuntimeValues | None = None
    confirmed: bool = False
    unconfirmed: bool = False
    restarted: bool = False
    masks: bool = False
    override: manual_override.Override | None = None
    words: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    released: bool = False
    invalid_override: str = ""


def _look(
    names: RuntimeNames, desired: RuntimeValues, values: Values | None, before: tuple[RuntimeValues, ...]
) -> _Look:
    if values is None:
        return _Look(last_written=before)
    actual, ours = names.read(values), (*before, desired)
    if actual is not None and actual in ours:  # the usual case
        confirmed, unconfirmed = actual[:2] == desired[:2], {i[:2] for i in before} != {desired[:2]}
        return _Look((actual,), actual, confirmed, unconfirmed)
    hand = _by_hand(names, actual, values, ours, desired)
    if actual is None:
        restarted = bool(before) and NOTHING not in before
        return _Look(
            last_written=(NOTHING,),
            restarted=restarted,
            autopilot=hand.autopilot,
            invalid_override=hand.invalid_override,
        )
    return replace(
        hand,
        last_written=(actual,),
        confirmed=actual[:2] == desired[:2],
        unconfirmed={i[:2] for i in before} != {desired[:2]},
        released=not actual.shadow and all(i.shadow for i in ours),
    )


def _look_above(
    names: RuntimeNames, desired: RuntimeValues, values: Values | None, before: tuple[RuntimeValues, ...]
) -> _Look:
    """An admin layer that stands above what the Envoy is told by RTDS: whatever is there, a person has put there."""
    if values is None:
        return _Look(last_written=before)
    actual, ours = names.read(values), (*before, desired)
    there = actual or RuntimeValues(*NOTHING[:2], values.get(names.shadow, ""), values.get(names.autopilot, ""))
    hand = _by_hand(names, actual, values, ours, desired)
    if actual is None:  # the usual case here, and no sign of a restart: what stands there alone is a person's too
        share, odd = _shadow_by_hand(names, there.shadow, ours)
        hand = replace(hand, shadow=share, invalid_override="; ".join(filter(None, (hand.invalid_override, odd))))
    if not there.autopilot:
        hand = replace(hand, autopilot=None)  # not set here: what the lower layer says counts
    return replace(hand, last_written=(there,), masks=actual is not None and actual[:2] != desired[:2])


def _by_hand(
    names: RuntimeNames,
    actual: RuntimeValues | None,
    values: Values,
    ours: tuple[RuntimeValues, ...],
    desired: RuntimeValues,
) -> _Look:
    """What a person has changed at one Envoy, as far as it can be read."""
    flag, odd = values.get(names.autopilot, ""), []
    changed = flag not in {i.autopilot for i in ours} and (flag or actual is not None)
    autopilot = (manual_override.switch(flag) if flag else True) if changed else None
    if changed and autopilot is None:
        odd.append(f"{manual_override.shown(names.autopilot, flag)} is none of {manual_override.SWITCHES}")
    if actual is None:
        return _Look(autopilot=autopilot, invalid_override="; ".join(odd))
    share, no_share = _shadow_by_hand(names, actual.shadow, ours)
    odd += [no_share] if no_share else []
    pairs = {i[:2] for i in ours}
    wish = manual_override.wish(*actual[:2], pairs, desired.percent) if actual[:2] not in pairs else None
    words = ""
    if wish is not None and not wish.clear:
        words = ", ".join(manual_override.shown(key, values.get(key, "")) for key in (names.candidate, names.baseline))
    return _Look(
        actual=actual, override=wish, words=words, autopilot=autopilot, shadow=share, invalid_override="; ".join(odd)
    )


def _shadow_by_hand(names: RuntimeNames, text: str, ours: tuple[RuntimeValues, ...]) -> tuple[float | None, str]:
    """The shadow share that a person set, and what to say of one that is none."""
    if not text or text in {i.shadow for i in ours}:
        return None, ""
    share = _percent(text)
    return (
        share,
        "" if share is not None else f"{manual_override.shown(names.shadow, text)} is no percent from 0 to 100",
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """``writes``: Envoy → every key, one POST each; ``last_written``: what each may hold once these are under way."""

    writes: Mapping[str, Values]
    last_written: LastWritten


def plan(
    names: RuntimeNames,
    desired: RuntimeValues,
    readings: Mapping[str, Values | None],
    last_written: LastWritten,
    *,
    overrides: Mapping[str, Values | None] = NONE,
    confirmed: bool = False,
) -> Plan:
    """Write to every readable Envoy that does not hold exactly what is desired; lift what hides it.

    ``overrides``: see observe. One that says what is desired is left until every Envoy has ``confirmed`` that, so that
    the share a person set does not flicker while it is adopted.
    """
    wanted = names.write(desired)
    writes: dict[str, Values] = {
        envoy: wanted
        for envoy, values in readings.items()
        if values is not None and any(values.get(key, "") != value for key, value in wanted.items())
    }
    after = {e: _either(last_written.get(e, ()), desired) if e in writes else last_written.get(e, ()) for e in readings}
    for envoy, values in overrides.items():
        after[envoy] = last_written.get(envoy, ())
        there = {key: "" for key in wanted if values and values.get(key)}
        if values and there and (confirmed or names.differ(values, desired)):
            writes[envoy] = there
    return Plan(writes, {**_absent(last_written, after), **{e: possible for e, possible in after.items() if possible}})


def _either(before: tuple[RuntimeValues, ...], desired: RuntimeValues) -> tuple[RuntimeValues, ...]:
    return before if desired in before else (*before, desired)


def _percent(text: str) -> float | None:
    """A person's plain number for the shadow share; anything else is put right, not adopted."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def last_written_to_json(last_written: LastWritten) -> dict[str, list[list[int | str]]]:
    return {envoy: [list(i) for i in possible] for envoy, possible in last_written.items()}


def last_written_from_json(raw: Mapping[str, list[list[int | str]]]) -> dict[str, tuple[RuntimeValues, ...]]:
    """Raises TypeError or ValueError for what is not one."""
    return {
        envoy: tuple(RuntimeValues(int(c), int(b), str(s), str(a)) for c, b, s, a in possible)
        for envoy, possible in raw.items()
    }
