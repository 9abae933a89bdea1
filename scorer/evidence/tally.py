"""A histogram that is added to many times a second and read as an array: the dense twin of glidepath.histogram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram, bucket_of, midpoint

SIZE = MAX_INDEX - MIN_INDEX + 2  # slot 0 holds values ≤ 0, slot i + 1 holds bucket MIN_INDEX + i

Slots = NDArray[np.int64]


class Tally:
    """Slots by slot, and their total."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: Slots = np.zeros(SIZE, dtype=np.int64)
        self.total = 0

    def add(self, histogram: Histogram) -> None:
        if histogram.zeros:
            self.counts[0] += histogram.zeros
            self.total += histogram.zeros
        n = len(histogram.counts)
        if not n:
            return
        slots = np.fromiter(histogram.counts.keys(), dtype=np.int64, count=n)
        added = np.fromiter(histogram.counts.values(), dtype=np.int64, count=n)
        np.clip(slots, MIN_INDEX, MAX_INDEX, out=slots)
        np.add.at(self.counts, slots - (MIN_INDEX - 1), added)
        self.total += int(added.sum())

    def add_value(self, value: float) -> None:
        self.counts[slot_of(value)] += 1
        self.total += 1

    def quantile(self, q: float) -> float | None:
        """The value at quantile q by nearest rank, to within ±0.55 %; None when empty."""
        if not self.total:
            return None
        rank = max(1, math.ceil(q * self.total))
        slot = int(np.searchsorted(np.cumsum(self.counts), rank))
        return 0.0 if slot == 0 else midpoint(slot - 1 + MIN_INDEX)

    def copy(self) -> Tally:
        other = Tally()
        other.counts, other.total = self.counts.copy(), self.total
        return other

    def to_json(self) -> list[Any]:
        """[first slot, counts …], without the empty ends."""
        used = np.flatnonzero(self.counts)
        if not len(used):
            return []
        first, last = int(used[0]), int(used[-1])
        return [first, *self.counts[first : last + 1].tolist()]

    def load(self, raw: Sequence[Any]) -> None:
        self.counts[:] = 0
        if raw:
            first, values = int(raw[0]), raw[1:]
            self.counts[first : first + len(values)] = values
        self.total = int(self.counts.sum())


def slot_of(value: float) -> int:
    return bucket_of(value) - MIN_INDEX + 1 if value > 0 else 0


def from_mapping(counts: Mapping[int, int], zeros: int = 0) -> Tally:
    tally = Tally()
    tally.add(Histogram(counts, zeros))
    return tally
