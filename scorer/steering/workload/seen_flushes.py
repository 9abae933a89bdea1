"""Recognition of flushes that were written to the stream more than once, so that each counts once.

A process repeats a flush when Redis' reply was lost. This is the only place in the scorer that removes repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_SOURCES = 64  # extproc processes; the one that was silent for longest is forgotten first
WINDOW = 8  # numbers remembered of each source


@dataclass(frozen=True, slots=True)
class SeenFlushes:
    """The latest numbers of each source, in ascending order.

    A sliding window, as protocols use against replayed packets (RFC 4303, 3.4.3): a number within the window is a
    repeat if it is remembered, and a number below a full window is taken for a repeat. So no flush counts twice,
    however late its repeat comes, and flushes may overtake each other within the window.
    """

    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, source: str, seq: int) -> tuple[SeenFlushes, bool]:
        """Return the memory with this flush, and whether the flush is new."""
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
        """Raises TypeError or ValueError for anything that ``to_json`` did not write."""
        return cls({source: tuple(int(number) for number in numbers) for source, numbers in raw.items()})
