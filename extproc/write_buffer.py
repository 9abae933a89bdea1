"""The bounded buffer of pairs and outcomes that wait for Redis, and the loop that writes them to Redis.

Pairs are written at least once. A repeated write is harmless, because each pair has an id. When the buffer is full, the
oldest pairs are dropped.

Outcomes are never dropped. While Redis does not answer, new outcomes of a workload are added to the waiting outcomes of
this workload. Each flush counts exactly once: if its acknowledgement was lost, the flush is sent again unchanged, and
Redis ignores it if it already has the flush's sequence number (docs/adr/0022).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from extproc.pair_encoding import EncodedPair, RawPair
from extproc.traffic_counters import TrafficCounters, merge
from glidepath.errors import error_text
from glidepath.pairs_and_outcomes import Coverage, Outcomes, Pair
from glidepath.redisio import being_cancelled
from glidepath.timed_wait import wait_until_set

_log = structlog.get_logger(__name__)
BATCH = 64
BATCH_BYTES = 8 * 2**20
LINGER_S = 0.05
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0

__all__ = ["BatchWriter", "InMemorySink", "RawPair", "RecordSink", "WriteBuffer"]


class RecordSink(Protocol):
    """Accepts pairs and outcomes for storage. The methods never wait and never raise an error."""

    def put_pair(self, raw: RawPair) -> None: ...

    def put_outcomes(self, flushed: Sequence[Outcomes]) -> None: ...


class InMemorySink:
    """A RecordSink that keeps all records in memory, for tests."""

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


class BatchWriter(Protocol):
    """Writes batches of pairs and outcomes to storage. ``extproc.redis_writer.RedisWriter`` writes them to Redis.

    ``write`` returns two lists of booleans: for each pair, and for each Outcomes, whether it is now stored. ``write``
    raises RedisError or OSError if the storage does not answer.
    """

    async def write(
        self, pairs: Sequence[EncodedPair], outcomes: Sequence[Outcomes]
    ) -> tuple[list[bool], list[bool]]: ...


class BatchEncoder(Protocol):
    """Decodes, redacts and serialises a batch outside the event loop.

    ``encode`` may stop before the end of the batch, but encodes at least one pair. It returns one item for each encoded
    pair, in order. The item is None if an unexpected error occurred.
    """

    async def encode(self, batch: Sequence[RawPair]) -> Sequence[EncodedPair | None]: ...


@dataclass(frozen=True, slots=True)
class BufferLimits:
    pairs: int
    bytes: int


class WriteBuffer:
    """Buffers pairs and outcomes until they are written.

    ``run`` writes them, and returns when ``close`` has been called and the buffer is empty. If ``run`` is cancelled
    before that, call ``abandon`` to count the unwritten pairs as lost (LOST_SHUTDOWN).
    """

    def __init__(
        self, writer: BatchWriter, encoder: BatchEncoder, counters: TrafficCounters, limits: BufferLimits, source: str
    ) -> None:
        self._writer, self._encoder, self._counters, self._limits = writer, encoder, counters, limits
        self._source = source
        self._waiting: deque[RawPair] = deque()
        self._waiting_bytes = 0
        self._encoding: list[RawPair] = []
        self._ready: list[EncodedPair] = []  # encoded pairs that Redis has not acknowledged
        self._ready_bytes = 0
        self._pending: dict[str, Outcomes] = {}  # outcomes by workload that have no sequence number yet
        self._sent: dict[str, Outcomes] = {}  # outcomes with a sequence number that Redis has not acknowledged
        self._seq = 0
        self._work = asyncio.Event()
        self._write_now = asyncio.Event()  # set to end the wait for more work
        self._closing = asyncio.Event()
        self.outage = ""  # why the last write to Redis failed; "" if it succeeded
        self.retries = 0

    @property
    def fill(self) -> tuple[int, int]:
        """A tuple: the number of pairs in the buffer, and their size in bytes."""
        pairs = len(self._waiting) + len(self._encoding) + len(self._ready)
        return pairs, self._waiting_bytes + self._ready_bytes

    def put_pair(self, raw: RawPair) -> None:
        self._waiting.append(raw)
        self._waiting_bytes += raw.size
        while self._waiting and self._too_full():
            dropped = self._waiting.popleft()
            self._waiting_bytes -= dropped.size
            self._counters.count(dropped.pair.workload, Coverage.LOST_BUFFER, dropped.pair.kind)
        self._work.set()
        if 2 * len(self._waiting) >= min(BATCH, self._limits.pairs) or 2 * self._waiting_bytes >= self._limits.bytes:
            self._write_now.set()

    def put_outcomes(self, flushed: Sequence[Outcomes]) -> None:
        for outcomes in flushed:
            earlier = self._pending.get(outcomes.workload)
            self._pending[outcomes.workload] = merge(earlier, outcomes) if earlier else outcomes
        if flushed:
            self._work.set()
            self._write_now.set()  # a rollback may depend on these outcomes

    async def run(self) -> None:
        """Write pairs and outcomes until ``close`` has been called and everything is written, or until cancelled."""
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
        """Make ``run`` return as soon as everything is written."""
        self._closing.set()
        self._work.set()
        self._write_now.set()

    async def _next_work(self) -> None:
        """Wait for a pair or an Outcomes. Then wait up to LINGER_S seconds for more records to share the batch.

        The second wait ends early if outcomes arrive, or if half a batch or half the buffer is full.
        """
        self._work.clear()
        self._write_now.clear()
        await self._work.wait()
        if not self._closing.is_set():
            await wait_until_set(self._write_now, LINGER_S)

    def abandon(self) -> int:
        """Drop the unwritten pairs, count them as LOST_SHUTDOWN, and return their number."""
        left = [(raw.pair.workload, raw.pair.kind) for raw in (*self._waiting, *self._encoding)]
        left += [(encoded.workload, encoded.kind) for encoded in self._ready]
        for workload, kind in left:
            self._counters.count(workload, Coverage.LOST_SHUTDOWN, kind)
        self._waiting.clear()
        self._encoding = []
        self._waiting_bytes = 0
        self._set_ready([])
        return len(left)

    def _too_full(self) -> bool:
        pairs, size = self.fill
        return pairs > self._limits.pairs or size > self._limits.bytes

    def _has_work(self) -> bool:
        return bool(self._waiting or self._ready or self._pending or self._sent)

    async def _write_once(self) -> None:
        if not self._ready and self._waiting:
            self._encoding = self._take()
            encoded = await self._encoder.encode(self._encoding)
            done, left = self._encoding[: len(encoded)], self._encoding[len(encoded) :]
            self._waiting_bytes -= sum(raw.size for raw in done)
            self._waiting.extendleft(reversed(left))
            self._encoding = []
            for raw, made in zip(done, encoded, strict=True):
                if made is None:
                    self._counters.count(raw.pair.workload, Coverage.INTERNAL_ERROR, raw.pair.kind)
            self._set_ready([made for made in encoded if made is not None])
        self._number()
        pairs, outcomes = list(self._ready), list(self._sent.values())
        kept_pairs, kept_outcomes = await self._writer.write(pairs, outcomes)
        for pair, kept in zip(pairs, kept_pairs, strict=True):
            if kept:
                self._counters.count(pair.workload, Coverage.PAIRED, pair.kind)
        self._set_ready([pair for pair, kept in zip(pairs, kept_pairs, strict=True) if not kept])
        for one, kept in zip(outcomes, kept_outcomes, strict=True):
            if kept:
                del self._sent[one.workload]
        if self._ready or self._sent:
            raise RedisError("Redis refused a part of the batch")
        self._succeeded()

    def _set_ready(self, ready: list[EncodedPair]) -> None:
        self._ready = ready
        self._ready_bytes = sum(encoded.size for encoded in ready)

    def _take(self) -> list[RawPair]:
        batch: list[RawPair] = []
        size = 0
        while self._waiting and len(batch) < BATCH and (not batch or size + self._waiting[0].size <= BATCH_BYTES):
            raw = self._waiting.popleft()
            size += raw.size
            batch.append(raw)
        return batch

    def _number(self) -> None:
        """Give each workload's pending outcomes a sequence number, with which they are ready to be sent.

        Skip a workload if Redis has not yet acknowledged its previous outcomes.
        """
        for workload in [w for w in self._pending if w not in self._sent]:
            self._seq += 1
            self._sent[workload] = replace(self._pending.pop(workload), source=self._source, seq=self._seq)

    def _failed(self, reason: str) -> None:
        self.retries += 1
        if not self.outage:
            _log.warning("redis_unreachable", reason=reason, effect="pairs and outcomes are buffered")
        self.outage = reason

    def _succeeded(self) -> None:
        if self.outage:
            _log.info("redis_recovered", buffered=self.fill[0])
        self.outage = ""
