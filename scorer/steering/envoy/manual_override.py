"""Interpret the runtime values that a person sets at an Envoy: weights and switches.

Pure. Two whole weights that sum to 10,000 are taken as they are. Any other weights are ambiguous: they may lower the
candidate's share and never raise it (ADR 0118).

- A person changed one of the two keys: that key counts, as if the other had been adjusted to it.
- A person changed both, to another sum: their proportion counts.
- A value that is not a whole number from 0 to 10,000 is ignored; the other key may still count.

Envoy 1.40 applies such values as follows until they are replaced: ``9000.5`` and ``9e3`` count as numbers; ``99%``,
``abc``, ``-5`` and a removed key count as the route's own value (everything to the baseline); with two zeros, or a sum
over 32 bits, the route matches nothing and every request gets a 404.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from glidepath.keys import FULL_WEIGHT

UNREADABLE = -1
ALLOWED_WEIGHTS = f"two whole numbers from 0 to {FULL_WEIGHT} with the sum {FULL_WEIGHT}"
ALLOWED_SWITCHES = "0, false, off, no, 1, true, on, yes"
_OFF, _ON = frozenset({"0", "false", "off", "no"}), frozenset({"1", "true", "on", "yes"})
MAX_SHOWN = 40  # characters of a value that go into the log

Weights = tuple[int, ...]
"""The candidate's and the baseline's weight in basis points; UNREADABLE for an invalid one."""


class WeightsOverride(NamedTuple):
    """The candidate's share in percent that a person asked for."""

    percent: float
    unambiguous: bool


def parse_weight(text: str) -> int:
    """Return basis points, or UNREADABLE for anything but a whole number from 0 to 10,000 (also for a removed key)."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return UNREADABLE
    value = int(text)
    return value if value <= FULL_WEIGHT else UNREADABLE


def weights_override(candidate: int, baseline: int, ours: Collection[Weights], present: float) -> WeightsOverride:
    """Return the share that these weights ask for.

    ``ours`` are the weights that stood there before, ``present`` is the candidate's share in percent.
    """
    if UNREADABLE not in (candidate, baseline) and candidate + baseline == FULL_WEIGHT:
        return WeightsOverride(candidate / 100, unambiguous=True)
    by_candidate = candidate / 100 if candidate != UNREADABLE else present
    by_baseline = (FULL_WEIGHT - baseline) / 100 if baseline != UNREADABLE else present
    if UNREADABLE in (candidate, baseline):
        share = min(by_candidate, by_baseline)
    elif candidate in {pair[0] for pair in ours}:
        share = by_baseline
    elif baseline in {pair[1] for pair in ours}:
        share = by_candidate
    else:
        share = round(100 * candidate / max(candidate + baseline, 1), 2)
    if candidate == 0:
        share = 0.0  # whatever the baseline's weight is
    return WeightsOverride(min(share, present), unambiguous=False)


def parse_switch(text: str) -> bool | None:
    """Return on, off, or None for neither. Case does not matter, and ``0.0`` counts as ``0``."""
    word = text.strip().lower()
    if word in _OFF or word in _ON:
        return word in _ON
    try:
        return {0.0: False, 1.0: True}.get(float(word))
    except ValueError:
        return None


def describe_entry(key: str, value: str) -> str:
    """Return a key with its value as in a query string, at most MAX_SHOWN characters of it, on one line."""
    text = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
    return f"{key}={''.join(c if c.isprintable() else '?' for c in text)}" if value else f"{key} (removed)"
