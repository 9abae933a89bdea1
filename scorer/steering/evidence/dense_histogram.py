"""A histogram of latencies that keeps all bucket counts in an array, which makes many additions a second fast.

It has the same buckets as glidepath.histogram, which stores only the buckets that are not empty. A slot is a bucket's
position in the array; slot 0 holds the values ≤ 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram, StoredCounts, bucket_of, midpoint
from scorer.steering.evidence.balanced_sampling import UNITS

SIZE = MAX_INDEX - MIN_INDEX + 2  # slot 0 holds values ≤ 0, slot i + 1 holds bucket MIN_INDEX + i

MOST_WAITING = 256  # the number of added histograms that may wait until the arrays are updated
_MOST = 2**62  # values in a histogram

Slots = NDArray[np.int64]
Sums = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SlotCounts:
    """The counts of successive slots, beginning with slot ``first``. The zeros at both ends are left out."""

    first: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, counts: Slots) -> SlotCounts:
        used = counts.nonzero()[0]
        if not len(used):
            return cls(0, ())
        first, last = int(used[0]), int(used[-1])
        return cls(first, tuple(counts[first : last + 1].tolist()))

    def dense(self) -> Slots:
        """Return an array with the counts of all SIZE slots. Raises ValueError for slots or counts out of range."""
        if not 0 <= self.first <= SIZE - len(self.counts):
            raise ValueError(f"slots {self.first} to {self.first + len(self.counts)} of {SIZE}")
        counts: Slots = np.zeros(SIZE, dtype=np.int64)
        try:
            counts[self.first : self.first + len(self.counts)] = self.counts
        except OverflowError as error:
            raise ValueError(f"a count of {max(self.counts, key=abs)}") from error
        if counts.min() < 0:
            raise ValueError(f"a count of {counts.min()}")
        return counts


@dataclass(frozen=True, slots=True)
class HistogramState:
    """The state of a ``DenseHistogram``.

    - ``counts``: the number of all values in each slot
    - ``left_out``: how much of each count is left out of the evidence, in units of 1/UNITS; None if nothing is
    - ``may_return``: how much of ``left_out``, of the present window, may return to the evidence; None if nothing may
    - ``may_return_earlier``: the same of the window before the present one
    """

    counts: SlotCounts
    left_out: SlotCounts | None
    may_return: SlotCounts | None
    may_return_earlier: SlotCounts | None


class DenseHistogram:
    """A histogram of latencies: the number of values in each slot, and their total.

    A part of the values may be left out of the evidence (see balanced_sampling.py). Values that are left out are
    counted but have no weight.

    The class is mutable, because every flush adds to it and the arrays have about 1900 slots. Added histograms wait in
    a list until the arrays are read. The stored form is ``state``.
    """

    __slots__ = ("_counts", "_earlier", "_left_out", "_may_return", "_sums", "_total", "_waiting", "_weighed")

    def __init__(self) -> None:
        self._counts: Slots = np.zeros(SIZE, dtype=np.int64)
        self._sums: Slots | None = None
        self._total = 0
        self._waiting: list[Histogram] = []
        self._left_out: Slots | None = None  # in parts of UNITS
        self._weighed: Sums | None = None
        # The parts of _left_out that may return: of the present window, and of the one before (balanced_sampling.py).
        self._may_return: Slots | None = None
        self._earlier: Slots | None = None

    @property
    def counts(self) -> Slots:
        """The number of values in each slot; read only."""
        self._settle()
        return self._counts

    @property
    def sums(self) -> Slots:
        """The cumulative counts: the number of values below each slot, then the total. Shape [SIZE + 1]; read only."""
        self._settle()
        if self._sums is None:
            self._sums = np.zeros(SIZE + 1, dtype=np.int64)
            self._counts.cumsum(out=self._sums[1:])
        return self._sums

    @property
    def weighed(self) -> Sums:
        """The cumulative counts as in ``sums``, without the values that are left out of the evidence."""
        if self._left_out is None:
            return self.sums
        if self._weighed is None or self._waiting:
            self._weighed = self.sums.astype(np.float64)
            self._weighed[1:] -= self._left_out.cumsum() / UNITS
        return self._weighed

    @property
    def uneven(self) -> bool:
        """Whether any value is left out of the evidence."""
        return self._left_out is not None

    @property
    def total(self) -> int:
        """The number of all values. Unlike the other properties, it does not need the arrays."""
        return self._total

    def add(self, added: Histogram, left_out: int = 0) -> None:
        """Add a histogram, of which the fraction ``left_out`` / UNITS is left out of the evidence.

        A count that no histogram can have raises OverflowError, at the latest when the arrays are read.
        """
        total = added.total
        if not total:
            return
        if not 0 < total <= _MOST:
            raise OverflowError(f"{total} values in a histogram")
        self._waiting.append(added)
        self._total += total
        if left_out:
            self._leave_out(added, left_out)
        if len(self._waiting) >= MOST_WAITING:
            self._settle()

    def _leave_out(self, added: Histogram, left_out: int) -> None:
        if self._left_out is None:
            self._left_out = np.zeros(SIZE, dtype=np.int64)
        if self._may_return is None:
            self._may_return = np.zeros(SIZE, dtype=np.int64)
        slots, numbers = _slots_and_counts((added,))
        for array in (self._left_out, self._may_return):
            np.add.at(array, slots, numbers * left_out)
            array[0] += added.zeros * left_out
        self._weighed = None

    def end_windows(self, ended: int) -> None:
        """Begin a new window, after ``ended`` windows. Of what was left out before, only the last one's may return."""
        self._earlier, self._may_return = self._may_return if ended == 1 else None, None

    def take_back(self, part: float) -> None:
        """Return the fraction ``part`` of the left-out values that may return to the evidence."""
        for array in (self._may_return, self._earlier):
            if array is not None and self._left_out is not None:
                back = np.floor(array * part).astype(np.int64)
                array -= back
                self._left_out -= back
        self._weighed = None

    def _settle(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._sums, self._weighed = self._waiting, [], None, None
        slots, numbers = _slots_and_counts(waiting)
        if len(numbers):
            if numbers.min() < 0:
                raise OverflowError("a count that no histogram can have")
            np.add.at(self._counts, slots, numbers)
        self._counts[0] += sum([one.zeros for one in waiting])

    def add_value(self, value: float, left_out: int = 0) -> None:
        slot = slot_of(value)
        self._counts[slot] += 1
        self._total += 1
        self._sums = self._weighed = None
        if left_out:
            if self._left_out is None:
                self._left_out = np.zeros(SIZE, dtype=np.int64)
            if self._may_return is None:
                self._may_return = np.zeros(SIZE, dtype=np.int64)
            self._left_out[slot] += left_out
            self._may_return[slot] += left_out

    def add_slots(self, slots: Slots) -> None:
        """Add one value to a slot for each slot index in ``slots``. An index may occur several times."""
        np.add.at(self._counts, slots, 1)
        self._total += len(slots)
        self._sums = self._weighed = None

    def quantile(self, q: float) -> float | None:
        """Return the q-quantile of all values by nearest rank, to within ±0.55 %; None when empty."""
        return _quantile(self.sums, q)

    def weighed_quantile(self, q: float) -> float | None:
        """Return the q-quantile without the values that are left out of the evidence; None when empty."""
        return _quantile(self.weighed, q)

    def less(self, earlier: DenseHistogram) -> DenseHistogram:
        """Return a histogram of the values added since ``earlier``. ``earlier`` must be a former copy of this one."""
        other = DenseHistogram()
        other._counts = self.counts - earlier.counts
        other._total = self.total - earlier.total
        if self._left_out is not None:
            other._left_out = self._left_out - (0 if earlier._left_out is None else earlier._left_out)
        return other

    def copy(self) -> DenseHistogram:
        other = DenseHistogram()
        other._counts, other._total = self.counts.copy(), self.total
        other._sums, other._weighed = self._sums, self._weighed
        other._left_out = None if self._left_out is None else self._left_out.copy()
        return other

    @property
    def state(self) -> HistogramState:
        """The stored form of this histogram."""
        apart = (_stored(array) for array in (self._left_out, self._may_return, self._earlier))
        return HistogramState(SlotCounts.of(self.counts), *apart)

    def restore(self, state: HistogramState) -> None:
        """Continue from ``state``. Raises ValueError for slots or counts out of range."""
        self._waiting, self._sums, self._weighed = [], None, None
        self._counts = state.counts.dense()
        self._left_out, self._may_return, self._earlier = (
            None if counts is None else counts.dense()
            for counts in (state.left_out, state.may_return, state.may_return_earlier)
        )
        self._total = int(self._counts.sum())


def _stored(counts: Slots | None) -> SlotCounts | None:
    return None if counts is None else SlotCounts.of(counts)


def _quantile(sums: Sums, q: float) -> float | None:
    if not sums[-1]:
        return None
    rank = max(1, math.ceil(q * sums[-1])) if sums.dtype == np.int64 else q * sums[-1]
    slot = min(int(sums.searchsorted(rank)), SIZE) - 1
    return 0.0 if slot <= 0 else midpoint(slot - 1 + MIN_INDEX)


def _slots_and_counts(added: Sequence[Histogram]) -> tuple[Slots, Slots]:
    """Return the slots of all buckets of the histograms, and their counts. The values ≤ 0 are left out."""
    parts = [_arrays(one.counts) for one in added]
    indices, numbers = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    slots: Slots = indices - (MIN_INDEX - 1)
    return np.minimum(np.maximum(slots, 1, out=slots), SIZE - 1, out=slots), numbers


def _arrays(counts: Mapping[int, int]) -> tuple[Slots, Slots]:
    if isinstance(counts, StoredCounts):
        return counts.arrays
    return np.fromiter(counts, np.int64, len(counts)), np.fromiter(counts.values(), np.int64, len(counts))


def slot_of(value: float) -> int:
    return bucket_of(value) - MIN_INDEX + 1 if value > 0 else 0
