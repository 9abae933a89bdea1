"""Bodies with a bound: each by itself, and all of them together."""

from __future__ import annotations


class Memory:
    """How many body bytes one process may hold at a time. ``peak`` is for the metrics."""

    __slots__ = ("held", "limit", "peak", "refused")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.peak = 0
        self.refused = 0

    def take(self, wanted: int) -> int:
        """Reserve up to ``wanted`` bytes; returns how many there were."""
        granted = min(wanted, self.limit - self.held)
        if granted < wanted:
            self.refused += 1
        self.held += granted
        self.peak = max(self.peak, self.held)
        return granted

    def give(self, count: int) -> None:
        self.held -= count


class Body:
    """Chunks up to ``limit`` bytes. What is longer is cut there, and says so."""

    __slots__ = ("_chunks", "_memory", "cut", "limit", "size")

    def __init__(self, limit: int, memory: Memory) -> None:
        self._chunks: list[bytes] = []
        self._memory = memory
        self.limit = limit
        self.size = 0
        self.cut = False

    def add(self, data: bytes) -> None:
        """Keep as much of ``data`` as there is room for; nothing after a cut, so that no hole is hidden."""
        if self.cut:
            return
        room = self._memory.take(min(len(data), self.limit - self.size))
        if room < len(data):
            self.cut = True
            data = data[:room]
        if data:
            self._chunks.append(data)
            self.size += room

    def value(self) -> bytes:
        """What was kept; joined once."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def release(self) -> None:
        """Give the memory back and forget the bytes."""
        self._memory.give(self.size)
        self._chunks, self.size = [], 0
