"""Histograms with logarithmic buckets. Their size does not grow with traffic, and they can be added.

The buckets are those of OpenTelemetry's exponential histogram at scale 6: the base is 2**(1/64), and bucket ``i``
covers ``(base**i, base**(i+1)]``. So a value is known to within ±0.55 %. Adding two histograms loses nothing, because
their counts are added. Source: OpenTelemetry metrics data model, "ExponentialHistogram". See ADR 0004.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass, field
from operator import mul
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # extproc reads no stored histogram, so it needs no numpy
    import numpy as np
    from numpy.typing import NDArray

    Integers: TypeAlias = NDArray[np.int64]

SCALE = 6
_PER_LOG2 = 2.0**SCALE
# From ten microseconds to about three hours, in milliseconds. Other values count in the outermost buckets.
MIN_INDEX = math.ceil(math.log2(1e-2) * _PER_LOG2)
MAX_INDEX = math.ceil(math.log2(1e7) * _PER_LOG2)


def bucket_of(value: float) -> int:
    """Return the index of the bucket that covers ``value`` (> 0).

    A value below the first bucket counts in the first bucket, and a value above the last bucket in the last one.
    """
    index = math.ceil(math.log2(value) * _PER_LOG2) - 1
    return min(max(index, MIN_INDEX), MAX_INDEX)


def midpoint(index: int) -> float:
    """Return the geometric mean of the edges of bucket ``index``. It represents every value in the bucket."""
    return float(2.0 ** ((index + 0.5) / _PER_LOG2))


_FEW = 32  # with fewer buckets, making arrays takes longer than adding up


class StoredCounts(Mapping[int, int]):
    """A read-only mapping from bucket index to count, stored as two sequences of the same length.

    Code that adds many histograms reads ``arrays``. The first lookup builds a dict.
    """

    __slots__ = ("_arrays", "_dict", "_total", "indices", "numbers")

    def __init__(self, indices: Sequence[int], numbers: Sequence[int]) -> None:
        self.indices, self.numbers = indices, numbers
        self._arrays: tuple[Integers, Integers] | None = None
        self._dict: dict[int, int] | None = None
        self._total: int | None = None

    @property
    def arrays(self) -> tuple[Integers, Integers]:
        """The indices, and the counts. Raises OverflowError if a count does not fit into 64 bits."""
        if self._arrays is None:
            self._arrays = _array(self.indices), _array(self.numbers)
        return self._arrays

    def _counts(self) -> dict[int, int]:
        if self._dict is None:
            self._dict = dict(zip(self.indices, self.numbers, strict=True))
        return self._dict

    def __getitem__(self, index: int) -> int:
        return self._counts()[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._counts())

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def total(self) -> int:
        if self._total is None:
            self._total = sum(self.numbers) if len(self.numbers) < _FEW else int(self.arrays[1].sum())
        return self._total

    def items(self) -> ItemsView[int, int]:
        return self._counts().items()  # those of Mapping look up each key

    def values(self) -> ValuesView[int]:
        return self._counts().values()


def _array(values: Sequence[int]) -> Integers:
    import numpy as np

    return np.array(values, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Histogram:
    """An immutable histogram: ``counts`` maps a bucket index to a count, and ``zeros`` counts values ≤ 0."""

    counts: Mapping[int, int] = field(default_factory=dict)
    zeros: int = 0

    @classmethod
    def of(cls, values: Iterable[float]) -> Histogram:
        return cls().with_values(values)

    def with_values(self, values: Iterable[float]) -> Histogram:
        counts, zeros = dict(self.counts), self.zeros
        for value in values:
            if value > 0:
                index = bucket_of(value)
                counts[index] = counts.get(index, 0) + 1
            else:
                zeros += 1
        return Histogram(counts, zeros)

    def __add__(self, other: Histogram) -> Histogram:
        return sum_of((self, other))

    @property
    def total(self) -> int:
        counts = self.counts
        if type(counts) is dict:  # most often, and faster to ask than for a subclass of Mapping
            return self.zeros + sum(counts.values()) if counts else self.zeros
        return self.zeros + (counts.total if type(counts) is StoredCounts else sum(counts.values()))

    def log_sum(self) -> float:
        """Return the sum of ln(v) over all values v > 0, each taken as the midpoint of its bucket."""
        counts = self.counts
        weighed: int
        if isinstance(counts, StoredCounts) and len(counts.numbers) >= _FEW:
            weighed = int(counts.arrays[0] @ counts.arrays[1])
        else:
            weighed = sum(map(mul, counts, counts.values()))
        return math.log(2) / _PER_LOG2 * (weighed + 0.5 * (self.total - self.zeros))

    def above(self, index: int) -> int:
        """Return the number of values above the upper edge of bucket ``index``."""
        return sum([count for i, count in self.counts.items() if i > index]) if self.counts else 0

    def quantile(self, q: float) -> float | None:
        """Return quantile ``q`` (0 to 1) by nearest rank, as the midpoint of its bucket, or None without values."""
        rank = max(1, math.ceil(q * self.total))
        if self.total == 0:
            return None
        seen = self.zeros
        if rank <= seen:
            return 0.0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if rank <= seen:
                return midpoint(index)
        return midpoint(max(self.counts))


NO_VALUES = Histogram()


def sum_of(histograms: Sequence[Histogram]) -> Histogram:
    """Return the histogram that contains all values of ``histograms``."""
    filled, zeros = [one.counts for one in histograms if one.counts], sum(one.zeros for one in histograms)
    if any(isinstance(counts, StoredCounts) for counts in filled) and sum(map(len, filled)) >= _FEW:
        with contextlib.suppress(OverflowError):
            return Histogram(_sum_of_arrays(filled), zeros)
    total: dict[int, int] = {}
    for counts in filled:
        for index, count in counts.items():
            total[index] = total.get(index, 0) + count
    return Histogram(total, zeros)


_MOST_COUNTED = 2**40  # of a bucket: sums of larger counts might not be exact as floating point numbers


def _sum_of_arrays(parts: Sequence[Mapping[int, int]]) -> StoredCounts:
    """Return the sum, computed with numpy. Raises OverflowError if an index or a count is too large for that."""
    import numpy as np

    pairs = [
        one.arrays if isinstance(one, StoredCounts) else (_array(list(one)), _array(list(one.values())))
        for one in parts
    ]
    indices, numbers = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    first = int(indices.min())
    if int(indices.max()) - first > MAX_INDEX - MIN_INDEX or numbers.max() > _MOST_COUNTED:
        raise OverflowError("an index or a count that no histogram can have")
    dense = np.bincount(indices - first, numbers).astype(np.int64)
    used = dense.nonzero()[0]
    return StoredCounts((used + first).tolist(), dense[used].tolist())
