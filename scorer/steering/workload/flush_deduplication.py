"""Recognise flushes that were written to the stream more than once, so that each flush counts once.

An extproc process writes a flush again if Redis' reply was lost. This is the only module of the scorer that removes
such repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_SOURCES = 64  # extproc processes; the process that was silent for longest is forgotten first
WINDOW = 8  # remembered sequence numbers of each source


@dataclass(frozen=True, slots=True)
class SeenFlushes:
    """The sequence numbers of the latest flushes of each source (an extproc process), in ascending order.

    The numbers form a sliding window, as in protocols that reject replayed packets (RFC 4303, 3.4.3). A number within
    the window is a repeat if it is remembered; a number below a full window is treated as a repeat. So a flush never
    counts twice, even if its repeat arrives late, and flushes within the window may arrive in any order.
    """

    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, source: str, seq: int) -> tuple[SeenFlushes, bool]:
        """Add the number ``seq`` of a flush from ``source``. Return all numbers, and whether this flush is new."""
        known = self.numbers.get(source, ())
        if seq in known or (len(known) >= WINDOW and seq < known[0]):
            return self, False
        numbers = dict(self.numbers)
        numbers.pop(source, None)  # added again below as the most recent source
        if len(numbers) >= MAX_SOURCES:
            del numbers[next(iter(numbers))]
        numbers[source] = tuple(sorted((*known, seq))[-WINDOW:])
        return SeenFlushes(numbers), True

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(numbers) for source, numbers in self.numbers.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Sequence[int]]) -> SeenFlushes:
        """Parse the result of ``to_json``. Raises TypeError or ValueError for anything else."""
        return cls({source: tuple(int(number) for number in numbers) for source, numbers in raw.items()})
