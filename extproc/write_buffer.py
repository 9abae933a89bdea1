"""The bounded buffer of pairs and outcomes that wait for Redis, and the loop that writes them to Redis.

When the buffer is full, the oldest pairs are dropped and counted. Outcomes are never dropped. While Redis does not
answer, new outcomes of a workload are added to the waiting outcomes of this workload.

Each pair and each flush counts exactly once: if an acknowledgement was lost, it is sent again unchanged, and Redis
ignores a sequence number that it already has (docs/adr/0022, docs/adr/0157). If Redis refuses the records of one
workload, the others are not delayed (``extproc.waiting_pairs``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from redis.exceptions import RedisError

from extproc.pair_encoding import EncodedPair, RawPair
from extproc.traffic_counters import TrafficCounters, merge
from extproc.waiting_pairs import FIRST_WAIT_S, LONGEST_WAIT_S, BufferLimits, PairQueues, WriteBackoff
from glidepath.errors import error_text
from glidepath.logs import get_logger
from glidepath.outcome_summaries import Coverage, Outcomes
from glidepath.pairs import Pair
from glidepath.redisio import being_cancelled
from glidepath.timed_wait import wait_until_set

_log = get_logger(__name__)
LINGER_S = 0.05

__all__ = ["BatchWriter", "BufferLimits", "InMemorySink", "RawPair", "RecordSink", "WriteBuffer"]


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


class WriteBuffer:
    """Buffers pairs and outcomes until they are written.

    ``run`` writes them, and returns when ``close`` has been called and the buffer is empty. If ``run`` is cancelled
    before that, call ``abandon`` to count the unwritten pairs as lost (LOST_SHUTDOWN).
    """

    def __init__(
        self, writer: BatchWriter, encoder: BatchEncoder, counters: TrafficCounters, limits: BufferLimits, source: str
    ) -> None:
        self._writer, self._encoder, self._counters = writer, encoder, counters
        self._source = source
        self._queues = PairQueues(limits)
        self._pending: dict[str, Outcomes] = {}  # outcomes by workload that have no sequence number yet
        self._sent: dict[str, Outcomes] = {}  # outcomes with a sequence number that Redis has not acknowledged
        self._backoff: dict[str, WriteBackoff] = {}  # of the workloads whose outcomes Redis has refused
        self._seq = 0
        self._work = asyncio.Event()
        self._write_now = asyncio.Event()  # set to end the wait for more work
        self._closing = asyncio.Event()
        self.outage = ""  # why the last write to Redis failed; "" if it succeeded
        self.retries = 0

    @property
    def fill(self) -> tuple[int, int]:
        """A tuple: the number of pairs in the buffer, and their size in bytes."""
        return self._queues.fill

    def put_pair(self, raw: RawPair) -> None:
        for dropped in self._queues.put(raw):
            if dropped.counted:
                self._counters.count(dropped.pair.workload, Coverage.LOST_BUFFER, dropped.pair.kind)
        self._work.set()
        if self._queues.is_half_full():
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
            due = self._next_try()
            if due is None and self._closing.is_set():
                return
            if due is None or due > _now():
                await self._next_work(due)
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

    def abandon(self) -> int:
        """Drop the unwritten pairs, count them as LOST_SHUTDOWN, and return their number."""
        left = self._queues.drain()
        for workload, kind in left:
            self._counters.count(workload, Coverage.LOST_SHUTDOWN, kind)
        return len(left)

    def _next_try(self) -> float | None:
        """Return the time of the next write, which may have passed. Return None if nothing waits."""
        outcomes = (self._until(workload) for workload in {*self._pending, *self._sent})
        pairs = self._queues.next_try()
        return min((*outcomes, *(() if pairs is None else (pairs,))), default=None)

    def _until(self, workload: str) -> float:
        backoff = self._backoff.get(workload)
        return backoff.until if backoff else 0.0

    async def _next_work(self, due: float | None) -> None:
        """Wait for a pair or an Outcomes, but not longer than until ``due``.

        Then wait up to LINGER_S seconds for more records to share the batch. This second wait ends early if outcomes
        arrive, or if half a batch or half the buffer is full.
        """
        self._work.clear()
        self._write_now.clear()
        if due is None:
            await self._work.wait()
        else:
            await wait_until_set(self._work, max(0.0, due - _now()))
        if not self._closing.is_set():
            await wait_until_set(self._write_now, LINGER_S)

    async def _write_once(self) -> None:
        await self._encode()
        self._number()
        pairs = self._queues.writable(_now())
        outcomes = [one for one in self._sent.values() if self._until(one.workload) <= _now()]
        kept_pairs, kept_outcomes = await self._writer.write(pairs, outcomes)
        for pair, kept in zip(pairs, kept_pairs, strict=True):
            if kept and pair.counted:
                self._counters.count(pair.workload, Coverage.PAIRED, pair.kind)
        self._queues.settle(pairs, kept_pairs, _now())
        for one, kept in zip(outcomes, kept_outcomes, strict=True):
            self._settle_outcomes(one, kept)
        waiting = sorted({*self._queues.refused_workloads(), *self._backoff})
        if not (all(kept_pairs) and all(kept_outcomes)):
            self._failed(f"Redis refuses what is written for {', '.join(waiting)}")
        elif not waiting:
            self._succeeded()

    async def _encode(self) -> None:
        batch = self._queues.take(_now())
        if batch:
            for raw in self._queues.store(await self._encoder.encode(batch)):
                if raw.counted:
                    self._counters.count(raw.pair.workload, Coverage.INTERNAL_ERROR, raw.pair.kind)

    def _settle_outcomes(self, one: Outcomes, kept: bool) -> None:
        if kept:
            del self._sent[one.workload]
            self._backoff.pop(one.workload, None)
        else:
            self._backoff.setdefault(one.workload, WriteBackoff()).refused(_now())

    def _number(self) -> None:
        """Give the pending outcomes of each workload a sequence number. With it, they are ready to be sent.

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


def _now() -> float:
    return asyncio.get_running_loop().time()
