"""A histogram that is added to many times a second and read as an array: the dense twin of glidepath.histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram, StoredCounts, bucket_of, midpoint
from scorer.steering.evidence.side_balance import UNITS

SIZE = MAX_INDEX - MIN_INDEX + 2  # slot 0 holds values ≤ 0, slot i + 1 holds bucket MIN_INDEX + i

MOST_WAITING = 256  # histograms

Slots = NDArray[np.int64]
Sums = NDArray[np.int64] | NDArray[np.float64]


class Tally:
    """Counts by slot, and their total. Histograms are collected and added many at a time, when somebody looks.

    A part of what is added may be left out of the evidence (see balance.py): counted, and not weighed.
    """

    __slots__ = ("_apart", "_counts", "_left", "_sums", "_total", "_waiting", "_weighed")

    def __init__(self) -> None:
        self._counts: Slots = np.zeros(SIZE, dtype=np.int64)
        self._sums: Slots | None = None
        self._total = 0
        self._waiting: list[Histogram] = []
        self._left: Slots | None = None  # left out, in parts of UNITS
        self._weighed: Sums | None = None
        self._apart: NDArray[np.float64] | None = None  # of what is left out: what may come back

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
    def weighed(self) -> Sums:
        """``sums`` less what is left out of the evidence; the same object where nothing is."""
        if self._left is None:
            return self.sums
        if self._weighed is None or self._waiting:
            self._weighed = self.sums.astype(np.float64)
            self._weighed[1:] -= self._left.cumsum() / UNITS
        return self._weighed

    @property
    def uneven(self) -> bool:
        """Whether something is left out of the evidence."""
        return self._left is not None

    @property
    def total(self) -> int:
        self._settle()
        return self._total

    def add(self, histogram: Histogram, left: int = 0) -> None:
        """``left``: parts of UNITS that are left out of the evidence."""
        if histogram.counts or histogram.zeros:
            self._waiting.append(histogram)
            if left:
                self._leave_out(histogram, left)
            if len(self._waiting) >= MOST_WAITING:
                self._settle()

    def _leave_out(self, histogram: Histogram, left: int) -> None:
        if self._left is None:
            self._left = np.zeros(SIZE, dtype=np.int64)
        slots, counts = _places(histogram)
        for into in (self._left,) if self._apart is None else (self._left, self._apart):
            np.add.at(into, slots, counts * left)
            into[0] += histogram.zeros * left
        self._weighed = None

    def take_back(self, kept: float, part: float) -> None:
        """Of what is left out only ``kept`` may still come back, and this part of it does so now. From now on what is
        left out is kept apart for that."""
        if self._apart is None:
            self._apart = np.zeros(SIZE)
        if self._left is None:
            return
        self._apart *= kept
        if part:
            back = np.minimum(np.floor(self._apart * part), self._left).astype(np.int64)
            self._apart -= back
            self._left -= back
            self._weighed = None

    def _settle(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._sums, self._weighed = self._waiting, [], None, None
        parts = [_places(h) for h in waiting if h.counts]
        if parts:
            slots, added = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
            if added.min() < 0:
                raise OverflowError("a count that no histogram can have")
            np.add.at(self._counts, slots, added)
            self._total += int(added.sum())
        zeros = sum(h.zeros for h in waiting)
        self._counts[0] += zeros
        self._total += zeros

    def add_value(self, value: float, left: int = 0) -> None:
        slot = slot_of(value)
        self._counts[slot] += 1
        self._total += 1
        self._sums = self._weighed = None
        if left:
            if self._left is None:
                self._left = np.zeros(SIZE, dtype=np.int64)
            self._left[slot] += left
            if self._apart is not None:
                self._apart[slot] += left

    def add_slots(self, slots: Slots) -> None:
        """One value for each of these slots."""
        np.add.at(self._counts, slots, 1)
        self._total += len(slots)
        self._sums = self._weighed = None

    def quantile(self, q: float) -> float | None:
        """The value at quantile q by nearest rank, to within ±0.55 %; None when empty."""
        return _quantile(self.sums, q)

    def weighed_quantile(self, q: float) -> float | None:
        """That of what is not left out of the evidence."""
        return _quantile(self.weighed, q)

    def less(self, earlier: Tally) -> Tally:
        """What was added since ``earlier``, a copy of this."""
        other = Tally()
        other._counts = self.counts - earlier.counts
        other._total = self.total - earlier.total
        if self._left is not None:
            other._left = self._left - (0 if earlier._left is None else earlier._left)
        return other

    def copy(self) -> Tally:
        other = Tally()
        other._counts, other._total, other._sums = self.counts.copy(), self.total, self._sums
        other._left = None if self._left is None else self._left.copy()
        return other

    def to_json(self) -> list[Any]:
        """[first slot, counts …], without the empty ends; where something is left out two such lists, or three where
        some of it may come back."""
        if self._left is None:
            return _used(self.counts)
        owed = [] if self._apart is None else [_used(np.floor(self._apart).astype(np.int64))]
        return [_used(self.counts), _used(self._left), *owed]

    def load(self, raw: Sequence[Any]) -> None:
        counts, left, *owed = raw if raw and isinstance(raw[0], list) else (raw, None)
        self._waiting, self._sums, self._weighed = [], None, None
        self._counts = _unused(counts)
        self._left = None if left is None else _unused(left)
        self._apart = _unused(owed[0]).astype(np.float64) if owed else None
        self._total = int(self._counts.sum())


def _quantile(sums: Sums, q: float) -> float | None:
    if not sums[-1]:
        return None
    rank = max(1, math.ceil(q * sums[-1])) if sums.dtype == np.int64 else q * sums[-1]
    slot = min(int(sums.searchsorted(rank)), SIZE) - 1
    return 0.0 if slot <= 0 else midpoint(slot - 1 + MIN_INDEX)


def _used(counts: Slots) -> list[int]:
    used = np.flatnonzero(counts)
    if not len(used):
        return []
    first, last = int(used[0]), int(used[-1])
    return [first, *counts[first : last + 1].tolist()]


def _unused(raw: Sequence[int]) -> Slots:
    counts: Slots = np.zeros(SIZE, dtype=np.int64)
    if raw:
        first, values = int(raw[0]), raw[1:]
        counts[first : first + len(values)] = values
    return counts


def total_of(histogram: Histogram) -> int:
    counts = histogram.counts
    return histogram.zeros + sum(counts.numbers if isinstance(counts, StoredCounts) else counts.values())


def _places(histogram: Histogram) -> tuple[Slots, Slots]:
    """Slots and counts, without the zeros; arrays of their own."""
    counts = histogram.counts
    if isinstance(counts, StoredCounts):
        slots, added = np.array(counts.indices, dtype=np.int64), np.array(counts.numbers, dtype=np.int64)
    else:
        size = len(counts)
        slots = np.fromiter(counts, dtype=np.int64, count=size)
        added = np.fromiter(counts.values(), dtype=np.int64, count=size)
    slots -= MIN_INDEX - 1
    np.minimum(np.maximum(slots, 1, out=slots), SIZE - 1, out=slots)
    return slots, added


def slot_of(value: float) -> int:
    return bucket_of(value) - MIN_INDEX + 1 if value > 0 else 0
