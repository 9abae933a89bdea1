"""Between the read loop and Redis: a bounded buffer in front, one writer behind.

Pairs are written at least once (their id makes a repetition harmless), the oldest give way when the buffer is full.
Outcomes are never dropped: while Redis is away they add up. They are written exactly once: a flush that may have
arrived is repeated as it is, under its number, and Redis refuses a number it has seen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from extproc.counters import Ledger, merge
from extproc.pair_encoding import Prepared, RawPair
from glidepath.domain import Coverage, Outcomes, Pair
from glidepath.errors import error_text
from glidepath.redisio import being_cancelled
from glidepath.timed_wait import wait_until_set

_log = structlog.get_logger(__name__)
BATCH = 64
BATCH_BYTES = 8 * 2**20
LINGER_S = 0.05
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0

__all__ = ["BufferedSink", "MemorySink", "RawPair", "Sink", "Store"]


class Sink(Protocol):
    """Takes what is to be kept; neither method waits or raises."""

    def put_pair(self, raw: RawPair) -> None: ...

    def put_outcomes(self, flushed: Sequence[Outcomes]) -> None: ...


class MemorySink:
    """The in-memory twin."""

    def __init__(self) -> None:
        self.raw: list[RawPair] = []
        self.outcomes: list[Outcomes] = []

    @property
    def pairs(self) -> list[Pair]:
        return [raw.pair for raw in self.raw]

    def put_pair(self, raw: RawPair) -> None:
        self.raw.append(raw)

    def put_outcomes(self, flushed: Sequence[Outcomes]) -> None:
        self.outcomes.extend(flushed)


class Store(Protocol):
    """Where batches go: extproc.redis_writer.RedisStore, or its twin in the tests. Raises RedisError or OSError.

    ``write`` returns, for each item of both lists, whether it is now kept.
    """

    async def write(self, pairs: Sequence[Prepared], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]: ...


class Preparer(Protocol):
    """Decodes, redacts and encodes a batch, off the event loop; of a costly one the first part, at least one pair.

    None stands for a pair that had to be set aside.
    """

    async def prepare(self, batch: Sequence[RawPair]) -> Sequence[Prepared | None]: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    pairs: int
    bytes: int


class BufferedSink:
    """``run`` writes until ``close``; what is left then is counted LOST_SHUTDOWN."""

    def __init__(self, store: Store, preparer: Preparer, ledger: Ledger, bounds: Bounds, source: str) -> None:
        self._store, self._preparer, self._ledger, self._bounds = store, preparer, ledger, bounds
        self._source = source
        self._waiting: deque[RawPair] = deque()
        self._waiting_bytes = 0
        self._preparing: list[RawPair] = []
        self._ready: list[Prepared] = []  # encoded, not yet acknowledged
        self._ready_bytes = 0
        self._pending: dict[str, Outcomes] = {}  # adding up, no number yet
        self._sent: dict[str, Outcomes] = {}  # has its number, not yet acknowledged
        self._seq = 0
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()  # there is a reason not to linger
        self._closing = asyncio.Event()
        self.away = ""  # why Redis is away; "" while it answers
        self.retries = 0

    @property
    def fill(self) -> tuple[int, int]:
        """(pairs, bytes) in the buffer."""
        pairs = len(self._waiting) + len(self._preparing) + len(self._ready)
        return pairs, self._waiting_bytes + self._ready_bytes

    def put_pair(self, raw: RawPair) -> None:
        self._waiting.append(raw)
        self._waiting_bytes += raw.size
        while self._waiting and self._too_full():
            dropped = self._waiting.popleft()
            self._waiting_bytes -= dropped.size
            self._ledger.count(dropped.pair.workload, Coverage.LOST_BUFFER, dropped.pair.kind)
        self._work.set()
        if 2 * len(self._waiting) >= min(BATCH, self._bounds.pairs) or 2 * self._waiting_bytes >= self._bounds.bytes:
            self._hurry.set()

    def put_outcomes(self, flushed: Sequence[Outcomes]) -> None:
        for outcomes in flushed:
            earlier = self._pending.get(outcomes.workload)
            self._pending[outcomes.workload] = merge(earlier, outcomes) if earlier else outcomes
        if flushed:
            self._work.set()
            self._hurry.set()  # a rollback may hang on them

    async def run(self) -> None:
        """Until ``close`` and nothing is left, or cancelled."""
        wait = FIRST_WAIT_S
        while not being_cancelled():
            if not self._has_work():
                if self._closing.is_set():
                    return
                await self._next_work()
                continue
            try:
                await self._write_once()
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error_text(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_S)
            else:
                wait = FIRST_WAIT_S

    def close(self) -> None:
        """``run`` returns once everything is written."""
        self._closing.set()
        self._work.set()
        self._hurry.set()

    async def _next_work(self) -> None:
        """Until there is some, and a little longer: a thread's turn and a round trip are shared by what comes then."""
        self._work.clear()
        self._hurry.clear()
        await self._work.wait()
        if not self._closing.is_set():
            await wait_until_set(self._hurry, LINGER_S)

    def abandon(self) -> int:
        """Count what is left as lost; returns how many pairs."""
        left = [(raw.pair.workload, raw.pair.kind) for raw in (*self._waiting, *self._preparing)]
        left += [(prepared.workload, prepared.kind) for prepared in self._ready]
        for workload, kind in left:
            self._ledger.count(workload, Coverage.LOST_SHUTDOWN, kind)
        self._waiting.clear()
        self._preparing = []
        self._waiting_bytes = 0
        self._set_ready([])
        return len(left)

    def _too_full(self) -> bool:
        pairs, size = self.fill
        return pairs > self._bounds.pairs or size > self._bounds.bytes

    def _has_work(self) -> bool:
        return bool(self._waiting or self._ready or self._pending or self._sent)

    async def _write_once(self) -> None:
        if not self._ready and self._waiting:
            self._preparing = self._take()
            prepared = await self._preparer.prepare(self._preparing)
            done, left = self._preparing[: len(prepared)], self._preparing[len(prepared) :]
            self._waiting_bytes -= sum(raw.size for raw in done)
            self._waiting.extendleft(reversed(left))
            self._preparing = []
            for raw, made in zip(done, prepared, strict=True):
                if made is None:
                    self._ledger.count(raw.pair.workload, Coverage.SET_ASIDE, raw.pair.kind)
            self._set_ready([made for made in prepared if made is not None])
        self._number()
        pairs, outcomes = list(self._ready), list(self._sent.values())
        kept_pairs, kept_outcomes = await self._store.write(pairs, outcomes)
        for pair, kept in zip(pairs, kept_pairs, strict=True):
            if kept:
                self._ledger.count(pair.workload, Coverage.PAIRED, pair.kind)
        self._set_ready([pair for pair, kept in zip(pairs, kept_pairs, strict=True) if not kept])
        for one, kept in zip(outcomes, kept_outcomes, strict=True):
            if kept:
                del self._sent[one.workload]
        if self._ready or self._sent:
            raise RedisError("Redis refused a part of the batch")
        self._back()

    def _set_ready(self, ready: list[Prepared]) -> None:
        self._ready = ready
        self._ready_bytes = sum(prepared.size for prepared in ready)

    def _take(self) -> list[RawPair]:
        batch: list[RawPair] = []
        size = 0
        while self._waiting and len(batch) < BATCH and (not batch or size + self._waiting[0].size <= BATCH_BYTES):
            raw = self._waiting.popleft()
            size += raw.size
            batch.append(raw)
        return batch

    def _number(self) -> None:
        """Give pending outcomes their number, unless the workload's earlier ones are still unacknowledged."""
        for workload in [w for w in self._pending if w not in self._sent]:
            self._seq += 1
            self._sent[workload] = replace(self._pending.pop(workload), source=self._source, seq=self._seq)

    def _failed(self, reason: str) -> None:
        self.retries += 1
        if not self.away:
            _log.warning("Redis is away, buffering", reason=reason)
        self.away = reason

    def _back(self) -> None:
        if self.away:
            _log.info("Redis is back", buffered=self.fill[0])
        self.away = ""
