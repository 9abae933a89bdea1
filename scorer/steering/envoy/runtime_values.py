"""One workload's runtime keys at an Envoy: the names of the keys, and their values as read and as desired."""

from __future__ import annotations

import json
import string
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from glidepath import runtime_keys
from glidepath.config import Config
from scorer.steering.envoy import manual_override

RuntimeEntries = Mapping[str, str]
"""Runtime key → its value as text, as in an Envoy's runtime layer."""

NO_ADMIN_LAYERS: Mapping[str, RuntimeEntries | None] = MappingProxyType({})


class RuntimeValues(NamedTuple):
    """The values of one workload's runtime keys at one Envoy.

    Weights are in basis points; an invalid weight is manual_override.UNREADABLE.
    """

    candidate: int
    baseline: int
    shadow: str
    autopilot: str

    @property
    def percent(self) -> float:
        """The candidate's share in percent; 0 if a weight is invalid or if both weights are 0."""
        total = self.candidate + self.baseline
        return round(100 * self.candidate / total, 2) if min(self[:2]) >= 0 and total else 0.0


NO_WEIGHTS = RuntimeValues(-2, -2, "", "")
"""The entry in LastWritten for an Envoy that was read and has no weight of this workload.

Because of this entry, a restarted Envoy is reported once, and not at every reading until a write succeeds.
"""

LastWritten = Mapping[str, tuple[RuntimeValues, ...]]
"""Envoy → the values that it may have: one after a reading, several while the result of a write is unknown."""

MAX_ABSENT = 64  # the number of Envoys outside the fleet whose last written values are kept


MAX_REASON = 300  # characters of the reason that is sent with a retreat
_PLAIN = frozenset(string.ascii_letters + string.digits + " _-.;%()/'")


@dataclass(frozen=True, slots=True)
class Retreat:
    """A retreat: a lower share that was sent to Envoy before it was stored. ``at_ms``: Unix time in milliseconds."""

    percent: float
    at_ms: int
    reason: str

    @property
    def text(self) -> str:
        """The value of the runtime key. Envoy reads it as YAML, so it contains no special characters of YAML."""
        plain = "".join(c if c in _PLAIN else " " for c in self.reason[:MAX_REASON])
        return " ".join((str(self.at_ms), *plain.split()))


@dataclass(frozen=True, slots=True)
class RuntimeKeys:
    """The names of one workload's runtime keys."""

    candidate: str
    baseline: str
    shadow: str
    autopilot: str
    retreat: str

    @classmethod
    def of(cls, config: Config, name: str) -> RuntimeKeys:
        return cls(
            candidate=runtime_keys.weight_key(name, config.candidate_cluster(name)),
            baseline=runtime_keys.weight_key(name, config.baseline_cluster(name)),
            shadow=runtime_keys.shadow_key(name),
            autopilot=runtime_keys.autopilot_key(name),
            retreat=runtime_keys.retreat_key(name),
        )

    def read(self, entries: RuntimeEntries) -> RuntimeValues | None:
        """Return the workload's values in a runtime layer.

        Returns None if the layer has neither the candidate's nor the baseline's weight.
        """
        candidate, baseline = entries.get(self.candidate, ""), entries.get(self.baseline, "")
        if not candidate and not baseline:
            return None
        weights = manual_override.parse_weight(candidate), manual_override.parse_weight(baseline)
        return RuntimeValues(*weights, entries.get(self.shadow, ""), entries.get(self.autopilot, ""))

    def write(self, values: RuntimeValues) -> dict[str, str]:
        """Return the runtime entries that set every key to ``values``. Envoy removes a key whose value is empty."""
        return {
            self.candidate: str(values.candidate),
            self.baseline: str(values.baseline),
            self.shadow: values.shadow,
            self.autopilot: values.autopilot,
            self.retreat: "",
        }

    def retreat_in(self, entries: RuntimeEntries) -> Retreat | None:
        """Return the retreat in an Envoy's runtime entries; None if there is none."""
        ms, _, reason = entries.get(self.retreat, "").partition(" ")
        values = self.read(entries)
        if values is None or min(values[:2]) < 0 or not (ms.isascii() and ms.isdigit() and len(ms) <= 15):
            return None
        text = "".join(c if c.isprintable() else "?" for c in reason[:MAX_REASON])
        return Retreat(values.percent, int(ms), text)

    def contradicts(self, entries: RuntimeEntries, desired: RuntimeValues) -> bool:
        """Return whether a runtime layer sets one of the workload's keys to a value other than the desired one."""
        return any(entries.get(key) and entries[key] != value for key, value in self.write(desired).items())


@lru_cache(maxsize=4096)  # called in every tick for every workload, nearly always with the same values
def desired_values(percent: float, shadow: float, autopilot: bool) -> RuntimeValues:
    """Return the runtime values that give the candidate ``percent`` of the requests and copy ``shadow`` percent.

    While the autopilot is on, its key is absent, so that setting it to 1 is always a visible change.
    """
    candidate = round(percent * runtime_keys.FULL_WEIGHT / 100)
    return RuntimeValues(
        candidate, runtime_keys.FULL_WEIGHT - candidate, shadow_fraction(shadow), "" if autopilot else "0"
    )


def shadow_fraction(percent: float) -> str:
    """Return a percentage as the text of an Envoy runtime fraction.

    The text is an integer if the percentage is whole, else a FractionalPercent as JSON.
    """
    if percent == int(percent):
        return str(int(percent))
    return json.dumps({"numerator": round(percent * 10_000), "denominator": "MILLION"}, separators=(",", ":"))


def percent_of(fraction: str) -> float | None:
    """Parse a text that ``shadow_fraction`` has written. Return its percentage, or None for any other text."""
    try:
        value = json.loads(fraction)
        percent = value["numerator"] / 10_000 if isinstance(value, dict) else float(value)
    except (ValueError, KeyError, TypeError):
        return None
    return percent if 0 <= percent <= 100 else None


def of_absent_envoys(last_written: LastWritten, present: Container[str]) -> LastWritten:
    """Return the newest MAX_ABSENT entries of ``last_written`` for Envoys that are not in ``present``.

    If such an Envoy returns with its old values, Glidepath recognises them as its own writes and does not adopt them as
    a manual override.
    """
    absent = [envoy for envoy in last_written if envoy not in present]
    return {envoy: last_written[envoy] for envoy in absent[-MAX_ABSENT:]}


def last_written_to_json(last_written: LastWritten) -> dict[str, list[list[int | str]]]:
    return {envoy: [list(values) for values in possible] for envoy, possible in last_written.items()}


def last_written_from_json(raw: Mapping[str, list[list[int | str]]]) -> dict[str, tuple[RuntimeValues, ...]]:
    """Parse the result of ``last_written_to_json``. Raises TypeError or ValueError for anything else."""
    return {
        envoy: tuple(RuntimeValues(int(c), int(b), str(s), str(a)) for c, b, s, a in possible)
        for envoy, possible in raw.items()
    }
