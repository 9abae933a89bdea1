"""Interpret the runtime values that a person sets at an Envoy: weights and switches.

All functions are pure. Two weights that are whole numbers with the sum 10,000 are used unchanged. Any other weights are
ambiguous: they may lower the candidate's share but never raise it (ADR 0118).

- If a person changed one of the two keys, that key counts, as if the other key had been adjusted to it.
- If a person changed both keys, and their sum is not 10,000, their proportion counts.
- A value that is not a whole number from 0 to 10,000 is ignored; the other key may still count.

Until Glidepath replaces ambiguous weights, Envoy 1.40 applies them as follows:

- ``9000.5`` and ``9e3`` count as numbers.
- ``99%``, ``abc``, ``-5`` and a removed key count as the route's own value (everything to the baseline).
- With two zeros, or a sum over 32 bits, the route matches nothing and every request gets a 404.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from glidepath.runtime_keys import FULL_WEIGHT

UNREADABLE = -1
ALLOWED_WEIGHTS = f"two whole numbers from 0 to {FULL_WEIGHT} with the sum {FULL_WEIGHT}"
ALLOWED_SWITCHES = "0, false, off, no, 1, true, on, yes"
_OFF, _ON = frozenset({"0", "false", "off", "no"}), frozenset({"1", "true", "on", "yes"})
MAX_SHOWN = 40  # at most this many characters of a value are logged

Weights = tuple[int, ...]
"""The candidate's and the baseline's weight in basis points; UNREADABLE for an invalid weight."""


class WeightsOverride(NamedTuple):
    """The candidate's share, in percent, that a person asked for by setting weights.

    ``unambiguous``: the weights are two whole numbers with the sum 10,000.
    """

    percent: float
    unambiguous: bool


def parse_weight(text: str) -> int:
    """Return the weight in ``text``, in basis points.

    Return UNREADABLE for a removed key ("") and for any text that is not a whole number from 0 to 10,000.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return UNREADABLE
    value = int(text)
    return value if value <= FULL_WEIGHT else UNREADABLE


def weights_override(candidate: int, baseline: int, ours: Collection[Weights], present: float) -> WeightsOverride:
    """Return the candidate's share that a person asked for with these weights.

    If the weights are ambiguous, the share is at most ``present``.

    ``ours``: the weights that Glidepath wrote to the same Envoy before; ``present``: the candidate's present share in
    percent.
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
        share = 0.0  # for any weight of the baseline
    return WeightsOverride(min(share, present), unambiguous=False)


def parse_switch(text: str) -> bool | None:
    """Return True for on, False for off, and None for any other text.

    Case does not matter, and ``0.0`` counts as ``0``.
    """
    word = text.strip().lower()
    if word in _OFF or word in _ON:
        return word in _ON
    try:
        return {0.0: False, 1.0: True}.get(float(word))
    except ValueError:
        return None


def describe_entry(key: str, value: str) -> str:
    """Return a runtime key and its value on one line, as in a query string.

    A value of more than MAX_SHOWN characters is cut.
    """
    text = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
    return f"{key}={''.join(c if c.isprintable() else '?' for c in text)}" if value else f"{key} (removed)"
