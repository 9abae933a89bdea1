"""The pairs that wait for Redis, in one lane for each workload.

Redis can refuse the pairs of one workload alone, for example because its key has another type. Then only that
workload's lane waits. If the buffer is full, the fullest lane loses its oldest pair, so one workload cannot take the
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
    """The pause before a refused write is tried again. ``until``: its end. ``wait``: the next pause in seconds."""

    until: float = 0.0
    wait: float = FIRST_WAIT_S

    def refused(self, now: float) -> None:
        self.until = now + self.wait
        self.wait = min(self.wait * 2, LONGEST_WAIT_S)

    def accepted(self) -> None:
        self.until, self.wait = 0.0, FIRST_WAIT_S


@dataclass(slots=True)
class _Lane:
    """The pairs of one workload. ``ready`` are encoded pairs that Redis has not acknowledged."""

    waiting: deque[RawPair] = field(default_factory=deque)
    ready: list[EncodedPair] = field(default_factory=list)
    bytes: int = 0
    backoff: WriteBackoff = field(default_factory=WriteBackoff)

    @property
    def pairs(self) -> int:
        return len(self.waiting) + len(self.ready)


class PairLanes:
    """The lanes of all workloads. ``now`` is a monotonic time in seconds."""

    def __init__(self, limits: BufferLimits) -> None:
        self._limits = limits
        self._lanes: dict[str, _Lane] = {}
        self._encoding: list[RawPair] = []
        self._seq = 0

    @property
    def fill(self) -> tuple[int, int]:
        """A tuple: the number of pairs, and their size in bytes."""
        pairs = sum(lane.pairs for lane in self._lanes.values()) + len(self._encoding)
        size = sum(lane.bytes for lane in self._lanes.values()) + sum(raw.size for raw in self._encoding)
        return pairs, size

    def put(self, raw: RawPair) -> list[RawPair]:
        """Add a pair. Return the pairs that are dropped because the buffer is full."""
        lane = self._lanes.setdefault(raw.pair.workload, _Lane())
        lane.waiting.append(raw)
        lane.bytes += raw.size
        dropped: list[RawPair] = []
        while (victim := self._overfull()) is not None:
            dropped.append(victim.waiting.popleft())
            victim.bytes -= dropped[-1].size
        return dropped

    def _overfull(self) -> _Lane | None:
        """Return the lane that must drop a pair, or None if the buffer is not full."""
        pairs, size = self.fill
        lanes = [lane for lane in self._lanes.values() if lane.waiting]
        if not lanes or (pairs <= self._limits.pairs and size <= self._limits.bytes):
            return None
        if size > self._limits.bytes:
            return max(lanes, key=lambda lane: lane.bytes)
        return max(lanes, key=lambda lane: lane.pairs)

    def is_half_full(self) -> bool:
        """Return whether the waiting pairs fill half a batch, or all pairs fill half of the allowed bytes."""
        waiting = sum(len(lane.waiting) for lane in self._lanes.values())
        return 2 * waiting >= min(BATCH, self._limits.pairs) or 2 * self.fill[1] >= self._limits.bytes

    def take(self, now: float) -> list[RawPair]:
        """Return the next pairs to encode: one of each lane in turn. Call ``store`` with the result.

        The result is empty while encoded pairs can be written. It has no pairs of a lane that Redis has refused.
        """
        if self.writable(now):
            return []
        lanes = [lane for lane in self._lanes.values() if lane.waiting and lane.backoff.until <= now]
        size = 0
        while lanes and len(self._encoding) < BATCH and (not self._encoding or size < BATCH_BYTES):
            lane = lanes.pop(0)
            raw = lane.waiting.popleft()
            lane.bytes -= raw.size
            size += raw.size
            self._encoding.append(raw)
            if lane.waiting:
                lanes.append(lane)
        return list(self._encoding)

    def store(self, encoded: Sequence[EncodedPair | None]) -> list[RawPair]:
        """Replace the first of the taken pairs with ``encoded``, and put the others back.

        Return the pairs that could not be encoded. Their item in ``encoded`` is None.
        """
        done, left = self._encoding[: len(encoded)], self._encoding[len(encoded) :]
        self._encoding = []
        for raw in reversed(left):
            lane = self._lanes[raw.pair.workload]
            lane.waiting.appendleft(raw)
            lane.bytes += raw.size
        for made in encoded:
            if made is not None:
                self._seq += 1
                lane = self._lanes[made.workload]
                lane.ready.append(replace(made, seq=self._seq))
                lane.bytes += made.size
        return [raw for raw, made in zip(done, encoded, strict=True) if made is None]

    def writable(self, now: float) -> list[EncodedPair]:
        """Return the encoded pairs that may be written now, grouped by workload. Call ``settle`` with the result."""
        lanes = (lane for lane in self._lanes.values() if lane.backoff.until <= now)
        return [encoded for lane in lanes for encoded in lane.ready]

    def settle(self, written: Sequence[EncodedPair], kept: Sequence[bool], now: float) -> None:
        """Remove the pairs that Redis has stored. A lane with a refused pair pauses."""
        for name in dict.fromkeys(encoded.workload for encoded in written):
            lane = self._lanes[name]
            refused = [one for one, k in zip(written, kept, strict=True) if one.workload == name and not k]
            lane.bytes -= sum(one.size for one, k in zip(written, kept, strict=True) if one.workload == name and k)
            lane.ready = refused
            if refused:
                lane.backoff.refused(now)
            else:
                lane.backoff.accepted()
            if not lane.pairs:
                del self._lanes[name]

    def refused_workloads(self) -> list[str]:
        """Return the workloads whose pairs Redis refused at the last try."""
        return [name for name, lane in self._lanes.items() if lane.backoff.until]

    def next_try(self) -> float | None:
        """Return the time of the next encoding or write, which may have passed. Return None if no pairs wait."""
        return min((lane.backoff.until for lane in self._lanes.values() if lane.pairs), default=None)

    def drain(self) -> list[tuple[str, PairKind]]:
        """Remove all pairs. Return the workload and the kind of each removed pair."""
        raws = [*self._encoding, *(raw for lane in self._lanes.values() for raw in lane.waiting)]
        left = [(raw.pair.workload, raw.pair.kind) for raw in raws]
        left += [(one.workload, one.kind) for lane in self._lanes.values() for one in lane.ready]
        self._lanes, self._encoding = {}, []
        return left
