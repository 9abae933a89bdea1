"""What a person meant by the values that they set by hand at an Envoy: weights, and words for on and off.

Pure. Weights that are whole numbers and sum to 10,000 mean what they say. Anything else is half understood, and what is
half understood may take traffic from the candidate, never give it any:

- one key of the two was changed: what that one says, as if the other had been made to fit;
- both were, to another sum: their proportion;
- a value that is no whole number from 0 to 10,000 says nothing; the other one still may.

Seen at Envoy 1.40 meanwhile: ``9000.5`` and ``9e3`` count as numbers; ``99%``, ``abc``, ``-5`` and a removed key as
what the route has (all to the baseline); two zeros, or a sum beyond 32 bits, as no route at all: every request gets a
404.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from glidepath.keys import FULL_WEIGHT

UNREADABLE = -1
ALLOWED = f"whole numbers from 0 to {FULL_WEIGHT}, which together are {FULL_WEIGHT}"
SWITCHES = "0, false, off, no, 1, true, on, yes"
_OFF, _ON = frozenset({"0", "false", "off", "no"}), frozenset({"1", "true", "on", "yes"})
MAX_SHOWN = 40  # characters of a value that go into the log

Weights = tuple[int, ...]
"""Candidate's and baseline's, in basis points; UNREADABLE for what is none."""


class Override(NamedTuple):
    """The share that is to be, in percent; ``clear`` when there is no doubt about it."""

    percent: float
    clear: bool


def weight(text: str) -> int:
    """Basis points; UNREADABLE for anything but a whole number from 0 to 10,000, a removed key included."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return UNREADABLE
    value = int(text)
    return value if value <= FULL_WEIGHT else UNREADABLE


def wish(candidate: int, baseline: int, ours: Collection[Weights], present: float) -> Override:
    """What these weights ask for where ``ours`` were, and the candidate's share is ``present``."""
    if UNREADABLE not in (candidate, baseline) and candidate + baseline == FULL_WEIGHT:
        return Override(candidate / 100, clear=True)
    by_candidate = candidate / 100 if candidate != UNREADABLE else present
    by_baseline = (FULL_WEIGHT - baseline) / 100 if baseline != UNREADABLE else present
    if UNREADABLE in (candidate, baseline):
        said = min(by_candidate, by_baseline)
    elif candidate in {pair[0] for pair in ours}:
        said = by_baseline
    elif baseline in {pair[1] for pair in ours}:
        said = by_candidate
    else:
        said = round(100 * candidate / max(candidate + baseline, 1), 2)
    if candidate == 0:
        said = 0.0  # whatever stands beside it
    return Override(min(said, present), clear=False)


def switch(text: str) -> bool | None:
    """On, off, or None for what is neither; upper and lower case, and ``0.0`` for ``0``, are one."""
    word = text.strip().lower()
    if word in _OFF or word in _ON:
        return word in _ON
    try:
        return {0.0: False, 1.0: True}.get(float(word))
    except ValueError:
        return None


def shown(key: str, value: str) -> str:
    """A key with its value, as a person would curl it; bounded, and in one line."""
    text = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
    return f"{key}={''.join(c if c.isprintable() else '?' for c in text)}" if value else f"{key} (removed)"
