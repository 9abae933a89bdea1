"""Limits on the bytes of bodies in memory: one limit for each body, and one for all bodies of the process together."""

from __future__ import annotations


class BodyMemory:
    """Limits the bytes of bodies that one process keeps in memory. ``peak`` is the largest number of bytes so far."""

    __slots__ = ("held", "limit", "peak", "refused")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.peak = 0
        self.refused = 0

    def reserve(self, wanted: int) -> int:
        """Reserve ``wanted`` bytes, or as many as the limit still allows. Return the number of reserved bytes."""
        granted = min(wanted, self.limit - self.held)
        if granted < wanted:
            self.refused += 1
        self.held += granted
        self.peak = max(self.peak, self.held)
        return granted

    def release(self, count: int) -> None:
        self.held -= count


class Body:
    """A request or answer body, collected from its chunks. ``cut`` is True if a limit cut off the end of the body."""

    __slots__ = ("_chunks", "_memory", "cut", "limit", "size")

    def __init__(self, limit: int, memory: BodyMemory) -> None:
        self._chunks: list[bytes] = []
        self._memory = memory
        self.limit = limit
        self.size = 0
        self.cut = False

    def add(self, data: bytes) -> None:
        """Append as much of ``data`` as the limits allow, and drop the rest.

        Once a byte has been dropped, drop all data of later calls too, so that the kept body has no gap.
        """
        if self.cut:
            return
        room = self._memory.reserve(min(len(data), self.limit - self.size))
        if room < len(data):
            self.cut = True
            data = data[:room]
        if data:
            self._chunks.append(data)
            self.size += room

    def value(self) -> bytes:
        """Return the kept bytes of the body."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def release(self) -> None:
        """Drop the kept bytes and make their memory available to other bodies."""
        self._memory.release(self.size)
        self._chunks, self.size = [], 0
