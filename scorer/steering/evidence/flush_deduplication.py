"""Which flushes were folded already: a flush that was written twice, after a lost reply of Redis, counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SOURCES, _NUMBERS = 64, 8


class Seen:
    """The last few numbers of the last few sources; a retry follows close on what it repeats."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}

    def add(self, source: str, seq: int) -> bool:
        """Whether this flush is new."""
        numbers = self._numbers.pop(source, [])
        fresh = seq not in numbers
        self._numbers[source] = [*numbers, seq][-_NUMBERS:] if fresh else numbers
        if len(self._numbers) > _SOURCES:
            del self._numbers[next(iter(self._numbers))]
        return fresh

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(numbers) for source, numbers in self._numbers.items()}

    def load(self, raw: Mapping[str, Sequence[int]]) -> None:
        self._numbers = {source: [int(n) for n in numbers] for source, numbers in raw.items()}
