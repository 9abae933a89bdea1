"""A histogram that is added to many times a second and read as an array: the dense twin of glidepath.histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram, StoredCounts, bucket_of, midpoint

SIZE = MAX_INDEX - MIN_INDEX + 2  # slot 0 holds values ≤ 0, slot i + 1 holds bucket MIN_INDEX + i

MOST_WAITING = 256  # histograms

Slots = NDArray[np.int64]


class Tally:
    """Counts by slot, and their total. Histograms are collected and added many at a time, when somebody looks."""

    __slots__ = ("_counts", "_sums", "_total", "_waiting")

    def __init__(self) -> None:
        self._counts: Slots = np.zeros(SIZE, dtype=np.int64)
        self._sums: Slots | None = None
        self._total = 0
        self._waiting: list[Histogram] = []

    @property
    def counts(self) -> Slots:
        """Not to be written to."""
        self._settle()
        return self._counts

    @property
    def sums(self) -> Slots:
        """How many values lie below each slot, and at last all. Shape [SIZE + 1]; not to be written to."""
        self._settle()
        if self._sums is None:
            self._sums = np.zeros(SIZE + 1, dtype=np.int64)
            self._counts.cumsum(out=self._sums[1:])
        return self._sums

    @property
    def total(self) -> int:
        self._settle()
        return self._total

    def add(self, histogram: Histogram) -> None:
        if histogram.counts or histogram.zeros:
            self._waiting.append(histogram)
            if len(self._waiting) >= MOST_WAITING:
                self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._sums = self._waiting, [], None
        parts = [_arrays(h) for h in waiting if h.counts]
        if parts:
            slots, added = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
            if added.min() < 0:
                raise OverflowError("a count that no histogram can have")
            slots -= MIN_INDEX - 1
            np.minimum(np.maximum(slots, 1, out=slots), SIZE - 1, out=slots)
            np.add.at(self._counts, slots, added)
            self._total += int(added.sum())
        zeros = sum(h.zeros for h in waiting)
        self._counts[0] += zeros
        self._total += zeros

    def add_value(self, value: float) -> None:
        self._counts[slot_of(value)] += 1
        self._total += 1
        self._sums = None

    def add_slots(self, slots: Slots) -> None:
        """One value for each of these slots."""
        np.add.at(self._counts, slots, 1)
        self._total += len(slots)
        self._sums = None

    def quantile(self, q: float) -> float | None:
        """The value at quantile q by nearest rank, to within ±0.55 %; None when empty."""
        if not self.total:
            return None
        rank = max(1, math.ceil(q * self.total))
        slot = int(self.sums.searchsorted(rank)) - 1
        return 0.0 if slot == 0 else midpoint(slot - 1 + MIN_INDEX)

    def less(self, earlier: Tally) -> Tally:
        """What was added since ``earlier``, a copy of this."""
        other = Tally()
        other._counts = self.counts - earlier.counts
        other._total = self.total - earlier.total
        return other

    def copy(self) -> Tally:
        other = Tally()
        other._counts, other._total, other._sums = self.counts.copy(), self.total, self._sums
        return other

    def to_json(self) -> list[Any]:
        """[first slot, counts …], without the empty ends."""
        used = np.flatnonzero(self.counts)
        if not len(used):
            return []
        first, last = int(used[0]), int(used[-1])
        return [first, *self.counts[first : last + 1].tolist()]

    def load(self, raw: Sequence[Any]) -> None:
        self._waiting, self._sums = [], None
        self._counts[:] = 0
        if raw:
            first, values = int(raw[0]), raw[1:]
            self._counts[first : first + len(values)] = values
        self._total = int(self._counts.sum())


def _arrays(histogram: Histogram) -> tuple[Slots, Slots]:
    """Indices and counts; arrays of their own."""
    counts = histogram.counts
    if isinstance(counts, StoredCounts):
        return np.array(counts.indices, dtype=np.int64), np.array(counts.numbers, dtype=np.int64)
    size = len(counts)
    return np.fromiter(counts, dtype=np.int64, count=size), np.fromiter(counts.values(), dtype=np.int64, count=size)


def slot_of(value: float) -> int:
    return bucket_of(value) - MIN_INDEX + 1 if value > 0 else 0
