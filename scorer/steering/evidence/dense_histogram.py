"""A histogram of latencies that keeps all bucket counts in an array, so that additions are fast.

It has the same buckets as glidepath.histogram, which stores only the buckets that are not empty. A slot is a bucket's
position in the array; slot 0 holds the values ≤ 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram, StoredCounts, bucket_of, midpoint
from scorer.steering.evidence.balanced_sampling import UNITS
from scorer.steering.evidence.state_codec import Form, MisfitError, Stored

SIZE = MAX_INDEX - MIN_INDEX + 2  # slot 0 holds values ≤ 0, slot i + 1 holds bucket MIN_INDEX + i

MOST_WAITING = 256  # the number of added histograms that may wait until the arrays are updated
_MOST = 2**62  # values in a histogram

Slots = NDArray[np.int64]
Sums = NDArray[np.int64] | NDArray[np.float64]


def array_form(size: int, kind: type[np.signedinteger[Any]], *, least: int | None = None) -> Form:
    """Return the stored form of an array: the index of its first nonzero slot, and the numbers from it to the last one.

    ``size``, ``kind``: the length and the type of the array. ``least``: the smallest number that it may hold.
    """

    def encode(array: Slots) -> list[Any]:
        used = array.nonzero()[0]
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, -1)
        return [first, array[first : last + 1].tolist()]

    def decode(current: Any, raw: Any) -> Slots:
        first, numbers = raw if isinstance(raw, list) and len(raw) == 2 else (None, None)
        if type(first) is not int or not isinstance(numbers, list) or not set(map(type, numbers)) <= {int}:
            raise MisfitError("a slot and a list of whole numbers", raw)
        if not 0 <= first <= size - len(numbers):
            raise ValueError(f"slots {first} to {first + len(numbers)} of {size}")
        bounds, worst = np.iinfo(kind), (max(numbers, key=abs) if least is None else min(numbers)) if numbers else 0
        if not (bounds.min if least is None else least) <= min(numbers, default=0):
            raise ValueError(f"a count of {worst}")
        if max(numbers, default=0) > bounds.max:
            raise ValueError(f"a count of {max(numbers)}")
        array: Slots = np.zeros(size, dtype=kind)
        array[first : first + len(numbers)] = numbers
        return array

    return Form(encode, decode, f"array of {size} {kind.__name__}")


StoredSlots = Annotated[Slots, array_form(SIZE, np.int64, least=0)]


class DenseHistogram(Stored):
    """A histogram of latencies: the number of values in each slot, and their total.

    A part of the values may be left out of the evidence (see balanced_sampling.py). Values that are left out are
    counted but have no weight.

    Added histograms wait in a list until the arrays, which have about 1900 slots, are read.

    - ``_counts``: the number of all values in each slot
    - ``_left_out``: how much of each count is left out of the evidence, in units of 1/UNITS; None if nothing is left
      out
    - ``_may_return``: the part of ``_left_out`` from the present window, which may return to the evidence; None if
      nothing may
    - ``_earlier``: the same for the window before the present one
    """

    _counts: StoredSlots
    _left_out: StoredSlots | None
    _may_return: StoredSlots | None
    _earlier: StoredSlots | None
    __slots__ = (
        *("_counts", "_earlier", "_left_out", "_may_return"),
        *("_stored", "_sums", "_total", "_waiting", "_weighed"),
    )

    def __init__(self) -> None:
        self._counts = np.zeros(SIZE, dtype=np.int64)
        self._stored: list[Any] | None = None  # the encoded state, because encoding takes time; None after a change
        self._sums: Slots | None = None
        self._total = 0
        self._waiting: list[Histogram] = []
        self._weighed: Sums | None = None
        self._left_out = self._may_return = self._earlier = None

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
        """The cumulative counts, as in ``sums``, but without the values that are left out of the evidence."""
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
        self._weighed = self._stored = None

    def end_windows(self, ended: int) -> None:
        """Begin a new window after ``ended`` windows. Only values left out in the last of them may still return."""
        self._earlier, self._may_return = self._may_return if ended == 1 else None, None
        self._stored = None

    def take_back(self, part: float) -> None:
        """Take values back into the evidence: the fraction ``part`` of the left-out values that may return."""
        for array in (self._may_return, self._earlier):
            if array is not None and self._left_out is not None:
                # Visit only the used slots: the arrays of all workloads exceed the processor's caches.
                used = array.nonzero()[0]
                back = np.floor(array[used] * part).astype(np.int64)
                array[used] -= back
                self._left_out[used] -= back
        self._weighed = self._stored = None

    def _settle(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._sums, self._weighed, self._stored = self._waiting, [], None, None, None
        slots, numbers = _slots_and_counts(waiting)
        if len(numbers):
            if numbers.min() < 0:
                raise OverflowError("a count that no histogram can have")
            np.add.at(self._counts, slots, numbers)
        self._counts[0] += sum([one.zeros for one in waiting])

    def add_slots(self, slots: Slots) -> None:
        """Add one value to a slot for each slot index in ``slots``. An index may occur several times."""
        np.add.at(self._counts, slots, 1)
        self._total += len(slots)
        self._sums = self._weighed = self._stored = None

    def quantile(self, q: float) -> float | None:
        """Return the q-quantile of all values by nearest rank, to within ±0.55 %; None when empty."""
        return _quantile(self.sums, q)

    def weighed_quantile(self, q: float) -> float | None:
        """Return the q-quantile without the values that are left out of the evidence; None when empty."""
        return _quantile(self.weighed, q)

    def less(self, earlier: DenseHistogram) -> DenseHistogram:
        """Return a histogram of the values added since ``earlier``. ``earlier`` must be an earlier copy of this one."""
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
    def state(self) -> list[Any]:
        self._settle()
        if self._stored is None:
            self._stored = super().state
        return self._stored

    def _restored(self) -> None:
        self._waiting, self._sums, self._weighed, self._stored = [], None, None, None
        self._total = int(self._counts.sum())


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
