"""Desired against actual runtime keys, Envoy by Envoy: whose hand was it, what must be written, who confirms.

Pure. An Envoy's admin layer holds one of four things:

- nothing of this workload: the Envoy is new or was restarted → write;
- what is desired → confirmed;
- what we wrote before, or may have written (a write whose answer was lost) → write;
- anything else: a person's curl → adopt it, as far as it can be read (curl.py).

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
from scorer.steer import curl

Values = Mapping[str, str]
NONE: Mapping[str, Values | None] = MappingProxyType({})


class Imprint(NamedTuple):
    """One workload's keys at one Envoy; weights in basis points, curl.UNREADABLE where the value is none."""

    candidate: int
    baseline: int
    shadow: str
    autopilot: str

    @property
    def percent(self) -> float:
        """The candidate's share; 0 where the weights do not say it."""
        total = self.candidate + self.baseline
        return round(100 * self.candidate / total, 2) if min(self[:2]) >= 0 and total else 0.0


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
        return Imprint(curl.weight(candidate), curl.weight(baseline), shadow, autopilot)

    def write(self, imprint: Imprint) -> dict[str, str]:
        """Every key, for one POST: Envoy removes a key whose value is empty."""
        return {
            self.candidate: str(imprint.candidate),
            self.baseline: str(imprint.baseline),
            self.shadow: imprint.shadow,
            self.autopilot: imprint.autopilot,
        }

    def differ(self, values: Values, desired: Imprint) -> bool:
        """Whether what is set there keeps an Envoy from what is desired."""
        return any(values.get(key) and values[key] != value for key, value in self.write(desired).items())


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
    """What the Envoys show; where a field is None, no person has changed it.

    ``unclear`` says which weights were set that are no two weights, and is "" where ``adopted`` is beyond doubt;
    ``odd`` names other values that say nothing and change nothing; ``released``: the shadow share is the configured
    one again; ``masks`` are admin interfaces whose values hide what the Envoy behind them was told by RTDS.
    """

    confirmed: frozenset[str]
    told: Told
    adopted: float | None = None
    adopted_at: str = ""
    unclear: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    released: bool = False
    odd: str = ""
    restarted: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    above: bool = False  # something of this workload's stands in such an admin layer


def observe(
    names: RuntimeNames,
    desired: Imprint,
    readings: Mapping[str, Values | None],
    told: Told,
    *,
    overrides: Mapping[str, Values | None] = NONE,
    retreating: bool = False,
    stale: frozenset[Imprint] = frozenset(),
) -> Observation:
    """Compare each Envoy's admin layer (None: not readable now) with what it was told.

    ``overrides``: the admin layers of Envoys that are told by another way. ``retreating``: while the news of a rollback
    travels, a higher share found at an Envoy that has not yet confirmed is not adopted: the way back wins. ``stale``:
    what a former leader may still have written in its last moment; never everything back to the baseline, which is a
    person's wish whenever it could be one.
    """
    seen = {envoy: _look(names, desired, values, told.get(envoy, ())) for envoy, values in readings.items()}
    above = {envoy: _look_above(names, desired, values, told.get(envoy, ())) for envoy, values in overrides.items()}
    both = {**seen, **above}
    curls = [
        (look.wish.percent, envoy)
        for envoy, look in both.items()
        if look.actual is not None
        and look.wish is not None
        and look.actual[:2] not in {i[:2] for i in stale if i.candidate > 0}
        and not (retreating and look.unconfirmed and look.wish.percent > desired.percent)
    ]
    adopted, at = min(curls, default=(None, ""))
    flags = [look.autopilot for look in both.values() if look.autopilot is not None]
    shadows = [look.shadow for look in both.values() if look.shadow is not None]
    return Observation(
        confirmed=frozenset(e for e, look in seen.items() if look.confirmed),
        told={**_absent(told, both), **{e: look.told for e, look in both.items() if look.told}},
        adopted=adopted,
        adopted_at=at,
        unclear="; ".join(f"{e}: {both[e].words}" for _, e in curls if both[e].words),
        autopilot=all(flags) if flags else None,
        shadow=min(shadows, default=None),
        released=not shadows and any(look.released for look in both.values()),
        odd="; ".join(f"{e}: {look.odd}" for e, look in both.items() if look.odd),
        restarted=tuple(e for e, look in seen.items() if look.restarted),
        masks=tuple(e for e, look in above.items() if look.masks),
        above=any(set(names.write(desired)) & set(values or ()) for values in overrides.values()),
    )


def _absent(told: Told, readings: Container[str]) -> Told:
    """What the Envoys hold that are out of the fleet now: one that comes back with it shows our old write, no curl."""
    gone = [envoy for envoy in told if envoy not in readings]
    return {envoy: told[envoy] for envoy in gone[-MAX_ABSENT:]}


@dataclass(frozen=True, slots=True)
class _Look:
    """One Envoy's part of an Observation; ``wish`` is there if no write of ours explains its weights."""

    told: tuple[Imprint, ...] = ()
    actual: Imprint | None = None
    confirmed: bool = False
    unconfirmed: bool = False
    restarted: bool = False
    masks: bool = False
    wish: curl.Wish | None = None
    words: str = ""
    autopilot: bool | None = None
    shadow: float | None = None
    released: bool = False
    odd: str = ""


def _look(names: RuntimeNames, desired: Imprint, values: Values | None, before: tuple[Imprint, ...]) -> _Look:
    if values is None:
        return _Look(told=before)
    actual, ours = names.read(values), (*before, desired)
    if actual is not None and actual in ours:  # the usual case
        confirmed, unconfirmed = actual[:2] == desired[:2], {i[:2] for i in before} != {desired[:2]}
        return _Look((actual,), actual, confirmed, unconfirmed)
    hand = _by_hand(names, actual, values, ours, desired)
    if actual is None:
        restarted = bool(before) and NOTHING not in before
        return _Look(told=(NOTHING,), restarted=restarted, autopilot=hand.autopilot, odd=hand.odd)
    return replace(
        hand,
        told=(actual,),
        confirmed=actual[:2] == desired[:2],
        unconfirmed={i[:2] for i in before} != {desired[:2]},
        released=not actual.shadow and all(i.shadow for i in ours),
    )


def _look_above(names: RuntimeNames, desired: Imprint, values: Values | None, before: tuple[Imprint, ...]) -> _Look:
    """An admin layer that stands above what the Envoy is told by RTDS: whatever is there, a person has put there."""
    if values is None:
        return _Look(told=before)
    actual, ours = names.read(values), (*before, desired)
    there = actual or Imprint(*NOTHING[:2], values.get(names.shadow, ""), values.get(names.autopilot, ""))
    hand = _by_hand(names, actual, values, ours, desired)
    if actual is None:  # the usual case here, and no sign of a restart: what stands there alone is a person's too
        share, odd = _shadow_by_hand(names, there.shadow, ours)
        hand = replace(hand, shadow=share, odd="; ".join(filter(None, (hand.odd, odd))))
    if not there.autopilot:
        hand = replace(hand, autopilot=None)  # not set here: what the lower layer says counts
    return replace(hand, told=(there,), masks=actual is not None and actual[:2] != desired[:2])


def _by_hand(
    names: RuntimeNames, actual: Imprint | None, values: Values, ours: tuple[Imprint, ...], desired: Imprint
) -> _Look:
    """What a person has changed at one Envoy, as far as it can be read."""
    flag, odd = values.get(names.autopilot, ""), []
    changed = flag not in {i.autopilot for i in ours} and (flag or actual is not None)
    autopilot = (curl.switch(flag) if flag else True) if changed else None
    if changed and autopilot is None:
        odd.append(f"{curl.shown(names.autopilot, flag)} is none of {curl.SWITCHES}")
    if actual is None:
        return _Look(autopilot=autopilot, odd="; ".join(odd))
    share, no_share = _shadow_by_hand(names, actual.shadow, ours)
    odd += [no_share] if no_share else []
    pairs = {i[:2] for i in ours}
    wish = curl.wish(*actual[:2], pairs, desired.percent) if actual[:2] not in pairs else None
    words = ""
    if wish is not None and not wish.clear:
        words = ", ".join(curl.shown(key, values.get(key, "")) for key in (names.candidate, names.baseline))
    return _Look(actual=actual, wish=wish, words=words, autopilot=autopilot, shadow=share, odd="; ".join(odd))


def _shadow_by_hand(names: RuntimeNames, text: str, ours: tuple[Imprint, ...]) -> tuple[float | None, str]:
    """The shadow share that a person set, and what to say of one that is none."""
    if not text or text in {i.shadow for i in ours}:
        return None, ""
    share = _percent(text)
    return share, "" if share is not None else f"{curl.shown(names.shadow, text)} is no percent from 0 to 100"


@dataclass(frozen=True, slots=True)
class Plan:
    """``writes``: Envoy → every key, one POST each; ``told``: what each may hold once these are under way."""

    writes: Mapping[str, Values]
    told: Told


def plan(
    names: RuntimeNames,
    desired: Imprint,
    readings: Mapping[str, Values | None],
    told: Told,
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
    after = {e: _either(told.get(e, ()), desired) if e in writes else told.get(e, ()) for e in readings}
    for envoy, values in overrides.items():
        after[envoy] = told.get(envoy, ())
        there = {key: "" for key in wanted if values and values.get(key)}
        if values and there and (confirmed or names.differ(values, desired)):
            writes[envoy] = there
    return Plan(writes, {**_absent(told, after), **{e: imprints for e, imprints in after.items() if imprints}})


def _either(before: tuple[Imprint, ...], desired: Imprint) -> tuple[Imprint, ...]:
    return before if desired in before else (*before, desired)


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
