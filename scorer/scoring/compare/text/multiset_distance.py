"""The distance between two multisets of words."""

from __future__ import annotations

from collections import Counter


def multiset_distance(a: Counter[str], b: Counter[str]) -> float:
    """Return 1 − the Dice coefficient of two multisets, or 0 if both are empty."""
    total = a.total() + b.total()
    return 1 - 2 * (a & b).total() / total if total else 0.0
