"""The pairs that wait for Redis, in one queue for each workload.

Redis can refuse the pairs of one workload alone, for example because its key has the wrong type. Then only that
workload's queue waits. If the buffer is full, the fullest queue loses its oldest pair, so one workload cannot take the
space of the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from extproc.pair_encoding import EncodedPair, RawPair
from glidepath.pairs import PairKind

BATCH = 64  # pairs that are encoded and written together
BATCH_BYTES = 8 * 2**20
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class BufferLimits:
    pairs: int
    bytes: int


@dataclass(slots=True)
class WriteBackoff:
    """The pause before a refused write is tried again.

    ``until``: the end of the pause, as a monotonic time in seconds. ``wait``: the length of the next pause in seconds.
    """

    until: float = 0.0
    wait: float = FIRST_WAIT_S

    def refused(self, now: float) -> None:
        self.until = now + self.wait
        self.wait = min(self.wait * 2, LONGEST_WAIT_S)

    def accepted(self) -> None:
        self.until, self.wait = 0.0, FIRST_WAIT_S


@dataclass(slots=True)
class _PairQueue:
    """The pairs of one workload. ``ready`` are encoded pairs that Redis has not acknowledged."""

    waiting: deque[RawPair] = field(default_factory=deque)
    ready: list[EncodedPair] = field(default_factory=list)
    bytes: int = 0
    backoff: WriteBackoff = field(default_factory=WriteBackoff)

    @property
    def pairs(self) -> int:
        return len(self.waiting) + len(self.ready)


class PairQueues:
    """The queues of all workloads. ``now`` is a monotonic time in seconds."""

    def __init__(self, limits: BufferLimits) -> None:
        self._limits = limits
        self._queues: dict[str, _PairQueue] = {}
        self._encoding: list[RawPair] = []
        self._seq = 0

    @property
    def fill(self) -> tuple[int, int]:
        """A tuple: the number of pairs, and their size in bytes."""
        pairs = sum(queue.pairs for queue in self._queues.values()) + len(self._encoding)
        size = sum(queue.bytes for queue in self._queues.values()) + sum(raw.size for raw in self._encoding)
        return pairs, size

    def put(self, raw: RawPair) -> list[RawPair]:
        """Add a pair. Return the pairs that are dropped because the buffer is full."""
        queue = self._queues.setdefault(raw.pair.workload, _PairQueue())
        queue.waiting.append(raw)
        queue.bytes += raw.size
        dropped: list[RawPair] = []
        while (victim := self._overfull()) is not None:
            dropped.append(victim.waiting.popleft())
            victim.bytes -= dropped[-1].size
        return dropped

    def _overfull(self) -> _PairQueue | None:
        """Return the queue that must drop a pair, or None if the buffer is not full."""
        pairs, size = self.fill
        queues = [queue for queue in self._queues.values() if queue.waiting]
        if not queues or (pairs <= self._limits.pairs and size <= self._limits.bytes):
            return None
        if size > self._limits.bytes:
            return max(queues, key=lambda queue: queue.bytes)
        return max(queues, key=lambda queue: queue.pairs)

    def is_half_full(self) -> bool:
        """Return whether the waiting pairs fill half a batch, or all pairs fill half of the allowed bytes."""
        waiting = sum(len(queue.waiting) for queue in self._queues.values())
        return 2 * waiting >= min(BATCH, self._limits.pairs) or 2 * self.fill[1] >= self._limits.bytes

    def take(self, now: float) -> list[RawPair]:
        """Return the next pairs to encode: one of each queue in turn. Call ``store`` with the result.

        The result is empty while encoded pairs can be written. It has no pairs of a workload whose last write Redis
        refused, until the pause after this refusal ends.
        """
        if self.writable(now):
            return []
        queues = [queue for queue in self._queues.values() if queue.waiting and queue.backoff.until <= now]
        size = 0
        while queues and len(self._encoding) < BATCH and (not self._encoding or size < BATCH_BYTES):
            queue = queues.pop(0)
            raw = queue.waiting.popleft()
            queue.bytes -= raw.size
            size += raw.size
            self._encoding.append(raw)
            if queue.waiting:
                queues.append(queue)
        return list(self._encoding)

    def store(self, encoded: Sequence[EncodedPair | None]) -> list[RawPair]:
        """Replace the first of the taken pairs with ``encoded``, and put the others back.

        Return the pairs that could not be encoded. Their item in ``encoded`` is None.
        """
        done, left = self._encoding[: len(encoded)], self._encoding[len(encoded) :]
        self._encoding = []
        for raw in reversed(left):
            queue = self._queues[raw.pair.workload]
            queue.waiting.appendleft(raw)
            queue.bytes += raw.size
        for made in encoded:
            if made is not None:
                self._seq += 1
                queue = self._queues[made.workload]
                queue.ready.append(replace(made, seq=self._seq))
                queue.bytes += made.size
        return [raw for raw, made in zip(done, encoded, strict=True) if made is None]

    def writable(self, now: float) -> list[EncodedPair]:
        """Return the encoded pairs that may be written now, grouped by workload. Call ``settle`` with the result."""
        queues = (queue for queue in self._queues.values() if queue.backoff.until <= now)
        return [encoded for queue in queues for encoded in queue.ready]

    def settle(self, written: Sequence[EncodedPair], kept: Sequence[bool], now: float) -> None:
        """Remove the pairs that Redis has stored. A queue with a refused pair pauses."""
        for name in dict.fromkeys(encoded.workload for encoded in written):
            queue = self._queues[name]
            refused = [one for one, k in zip(written, kept, strict=True) if one.workload == name and not k]
            queue.bytes -= sum(one.size for one, k in zip(written, kept, strict=True) if one.workload == name and k)
            queue.ready = refused
            if refused:
                queue.backoff.refused(now)
            else:
                queue.backoff.accepted()
            if not queue.pairs:
                del self._queues[name]

    def refused_workloads(self) -> list[str]:
        """Return the workloads whose pairs Redis refused at the last try."""
        return [name for name, queue in self._queues.items() if queue.backoff.until]

    def next_try(self) -> float | None:
        """Return the time of the next encoding or write, which may have passed. Return None if no pairs wait."""
        return min((queue.backoff.until for queue in self._queues.values() if queue.pairs), default=None)

    def drain(self) -> list[tuple[str, PairKind]]:
        """Remove all pairs. Return the workload and the kind of each removed pair."""
        raws = [*self._encoding, *(raw for queue in self._queues.values() for raw in queue.waiting)]
        left = [(raw.pair.workload, raw.pair.kind) for raw in raws]
        left += [(one.workload, one.kind) for queue in self._queues.values() for one in queue.ready]
        self._queues, self._encoding = {}, []
        return left
