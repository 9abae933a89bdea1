"""The score loop: claims pairs from Redis, sends them to the scoring process in batches, and writes the results."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import UnreachableError, error_text
from glidepath.logs import get_logger
from glidepath.protobuf_codec import decode_scored
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.telemetry.signals import NO_EVENTS, EvaluationEvents
from glidepath.timed_wait import wait_until_set
from scorer.scoring.worker.pair_queue import PairQueue, QueueEntry, RedisPairQueue
from scorer.scoring.worker.score_metrics import ScoreMetrics
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.process_client import BatchFailedError, BatchScorer, ProcessScorer
from scorer.scoring.worker.stale_pairs import stale_results, written_ms

if TYPE_CHECKING:
    from scorer.scoring.worker.evaluator_instrument import EvaluationBudget
    from scorer.scoring.worker.judging_stages import JudgingStages

T = TypeVar("T")

MAX_DELIVERIES = 5  # a pair without a result after five deliveries probably crashes its scorers
POLL_S = 0.1  # pause between two reads of an empty queue
REFRESH_S = 5.0  # interval between reads of the noise floors, the queue lengths and the age limits
# A batch should take about a second. That is long enough to sort texts by length, and scores still appear soon.
SHORT_BATCH_S, LONG_BATCH_S = 0.5, 1.5
GRACE_S = 5.0  # time to finish claimed pairs after a stop request
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

log = get_logger()


class ScoreLoop:
    """Scores the pairs of all workloads. Each scorer process runs one ScoreLoop."""

    def __init__(
        self,
        config: Config,
        client: RedisClient,
        scorer: BatchScorer | None = None,
        *,
        consumer: str,
        registry: CollectorRegistry,
        queue: PairQueue | None = None,
        budget: EvaluationBudget | None = None,
        events: EvaluationEvents = NO_EVENTS,
    ) -> None:
        """Create the loop.

        ``scorer``: scores the batches. None means a child process with the configured engine.
        ``consumer``: the name of the loop as a consumer in Redis, unique to this process. ``events``: records the
        results of scoring, for OpenTelemetry.
        """
        self._max_batch = config.scorer.batch
        self._batch_size = 1  # the first score shows that scoring works, so it does not wait for a full batch
        self._reclaim_after = config.scorer.reclaim_after
        self._scorer = scorer if scorer is not None else ProcessScorer(config)
        self._queue: PairQueue = queue if queue is not None else RedisPairQueue(client, config, consumer)
        self._metrics, self._events = ScoreMetrics(registry), events
        self._not_ready_reason = "the embedding engine is loading"
        self._noise_floors: Mapping[str, NoiseFloorJson] = {}
        self._stale_before: Mapping[str, int] = {}
        self._found_stale_pairs = False
        self._next_refresh = self._next_reclaim = 0.0
        self._claimed: Sequence[QueueEntry] = ()
        self._config, self._client, self._budget = config, client, budget
        self._stages: JudgingStages | None = None

    def readiness(self) -> str:
        """Return "" if scoring works, otherwise the reason why it does not."""
        return self._not_ready_reason

    async def run(self, stop: asyncio.Event) -> None:
        """Score pairs until ``stop`` is set. Then spend at most GRACE_S seconds on the claimed pairs.

        Another scorer reclaims the pairs that are unfinished after this time. Raises ConfigError or DependencyError if
        the engine cannot be loaded, and ConfigError if a credential of an instrument is missing.
        """
        self._stages = self._create_stages()
        if not await self._load_engine(stop):
            return
        try:
            async with asyncio.TaskGroup() as group:
                parts = (
                    self._loop(stop),
                    self._heartbeat(),
                    stop.wait(),
                    *(self._stages.runs() if self._stages else ()),
                )
                tasks = [group.create_task(part) for part in parts]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait(tasks[:1], timeout=GRACE_S)
                if self._stages is not None:
                    await self._stages.close(GRACE_S)
                for task in tasks:
                    task.cancel()
        finally:
            self._not_ready_reason = "stopped"
            await self._scorer.close()
        with contextlib.suppress(RedisError, OSError):
            await self._queue.remove_consumer()

    async def _load_engine(self, stop: asyncio.Event) -> bool:
        """Load the engine and return True, or return False if ``stop`` was set first. Loading can take a long time."""
        tasks = [asyncio.ensure_future(part) for part in (self._scorer.start(), stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
                self._not_ready_reason = ""
                return True
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._scorer.close()
        return False

    def _create_stages(self) -> JudgingStages | None:
        if not any(w.scoring.evaluator or w.scoring.verifier for w in self._config.workloads.values()):
            return None
        from scorer.scoring.worker.judging_stages import JudgingStages

        return JudgingStages(self._config, self._client, self._metrics, self._write_result, self._budget)

    async def _loop(self, stop: asyncio.Event) -> None:
        pause = _FIRST_PAUSE_S
        while not (stop.is_set() or being_cancelled()):
            try:
                worked = await self._round()
            except (RedisError, OSError) as error:
                self._note_outage("redis", _redis_error(error))
                await wait_until_set(stop, pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self._note_recovery()
                pause = _FIRST_PAUSE_S
                if not worked:
                    await wait_until_set(stop, POLL_S)

    async def _round(self) -> bool:
        """Claim new pairs and, from time to time, the pairs of dead scorers. Score the claimed pairs.

        Return whether there were any pairs.
        """
        now = time.monotonic()
        if now >= self._next_refresh:
            self._noise_floors = await self._queue.noise_floors()
            self._metrics.show_queue(await self._queue.lengths())
            self._stale_before = await self._queue.stale_before()
            self._next_refresh = now + REFRESH_S
        worked = False
        if now >= self._next_reclaim:
            worked = await self._reclaim()
            self._next_reclaim = now if worked else now + self._reclaim_after / 4
        self._claimed = await self._queue.claim(self._max_batch if self._found_stale_pairs else self._batch_size)
        if self._claimed:
            await self._score_unless_stale(self._claimed)
        worked, self._claimed = worked or bool(self._claimed), ()
        return worked

    async def _reclaim(self) -> bool:
        """Claim and score the pairs that dead scorers had claimed. Return whether there were any such pairs."""
        entries, lost = await self._queue.reclaim()
        for workload, count in lost.items():
            self._metrics.lost.labels(workload).inc(count)
        for entry in entries:
            self._metrics.reclaimed.labels(entry.workload).inc()
        self._claimed = entries
        for entry in entries:
            # Each pair is scored alone, because a pair that crashed its scorer must not affect other pairs again.
            if entry.deliveries > MAX_DELIVERIES:
                await self._set_aside(entry, "delivered", f"delivered {entry.deliveries} times and never finished")
            else:
                await self._score_unless_stale([entry])
        self._claimed = ()
        return bool(entries)

    async def _score_unless_stale(self, entries: Sequence[QueueEntry]) -> None:
        """Write results without a score for the stale pairs, and score the other pairs in batches."""
        fresh = [e for e in entries if written_ms(e.id) >= self._stale_before.get(e.workload, 0)]
        stale = [e for e in entries if written_ms(e.id) < self._stale_before.get(e.workload, 0)]
        self._found_stale_pairs = bool(stale)
        if stale:
            # A thread decodes the pairs, because megabytes of them would block the steer loop in this process.
            results = await asyncio.to_thread(stale_results, [e.data for e in stale], unix_ms())
            await self._write(stale, BatchResult(tuple(results)))
        size = self._batch_size
        for start in range(0, len(fresh), size):
            await self._score(fresh[start : start + size])

    async def _score(self, entries: Sequence[QueueEntry]) -> None:
        started = time.monotonic()
        try:
            done = await self._retry(lambda: self._scorer.score([e.data for e in entries], self._noise_floors))
        except BatchFailedError as error:
            await self._score_one_by_one(entries, str(error))
            return
        took = time.monotonic() - started
        self._metrics.seconds.observe(took / len(entries))
        if len(entries) == self._batch_size:
            self._batch_size = next_batch_size(self._batch_size, took, self._max_batch)
        await self._write(entries, done)

    async def _score_one_by_one(self, entries: Sequence[QueueEntry], why: str) -> None:
        """Score the pairs of a failed batch one by one, and set aside each pair that fails alone.

        ``why`` is the reason for the failure. The pair of a failed batch of one pair is set aside at once.
        """
        if len(entries) == 1:
            await self._set_aside(entries[0], "failed", why)
            return
        log.warning("batch_failed", pairs=len(entries), reason=why, effect="its pairs are scored one by one")
        for entry in entries:
            await self._score([entry])

    async def _write(self, entries: Sequence[QueueEntry], done: BatchResult) -> None:
        self._metrics.hits.inc(done.cache_hits)
        self._metrics.misses.inc(done.cache_misses)
        for entry, result in zip(entries, done.results, strict=True):
            if result.unreadable:
                await self._set_aside(entry, "unreadable", result.unreadable)
            elif self._stages is not None:
                await self._stages.take(entry, result)
            else:
                await self._write_result(entry, result)

    async def _write_result(self, entry: QueueEntry, result: PairResult) -> None:
        scored = decode_scored(result.scored)
        if await self._retry(lambda: self._queue.write_result(entry, scored, result)):
            self._metrics.count(scored)
            self._events.scored(scored)
        else:
            self._metrics.redelivered.labels(entry.workload).inc()

    async def _set_aside(self, entry: QueueEntry, reason: str, why: str) -> None:
        if await self._retry(lambda: self._queue.set_aside(entry, why)):
            self._metrics.dead.labels(entry.workload, reason).inc()
            log.warning("pair_set_aside", workload=entry.workload, entry=entry.id, reason=why)

    async def _heartbeat(self) -> None:
        """Periodically renew the claims on unfinished pairs, and report trimmed pairs.

        The claims are renewed so that no other scorer reclaims the pairs.
        """
        while not being_cancelled():
            await asyncio.sleep(self._reclaim_after / 4)
            with contextlib.suppress(RedisError, OSError):  # a reclaimed pair still gets only one result
                waiting = self._stages.entries() if self._stages is not None else []
                await self._queue.renew_claims([*self._claimed, *waiting])
            with contextlib.suppress(RedisError, OSError):  # the next heartbeat reports the pairs
                for workload, pairs in (await self._queue.report_trimmed()).items():
                    self._metrics.trimmed.labels(workload).inc(pairs)
                    log.warning("unscored_pairs_trimmed", workload=workload, pairs=pairs)

    async def _retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``call``. Repeat the call until Redis and the remote engine can be reached.

        The claimed pairs remain claimed during this time.
        """
        pause = _FIRST_PAUSE_S
        while not being_cancelled():
            try:
                result = await call()
            except (RedisError, OSError) as error:
                self._note_outage("redis", _redis_error(error))
            except UnreachableError as error:
                self._note_outage("embedder", str(error))
            else:
                self._note_recovery()
                return result
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        raise asyncio.CancelledError

    def _note_recovery(self) -> None:
        if self._not_ready_reason:
            log.info("scoring_resumed", after=self._not_ready_reason)
        self._not_ready_reason = ""

    def _note_outage(self, dependency: str, why: str) -> None:
        if not self._not_ready_reason:
            log.warning("scoring_stopped", reason=why)
            self._metrics.outages.labels(dependency).inc()
        self._not_ready_reason = why


def next_batch_size(size: int, took_s: float, largest: int) -> int:
    """Return the size of the next batch, after a batch of ``size`` pairs that took ``took_s`` seconds.

    The size is doubled if the batch took less than SHORT_BATCH_S, up to ``largest``, and halved if it took more than
    LONG_BATCH_S.
    """
    if took_s < SHORT_BATCH_S:
        return min(size * 2, largest)
    return max(1, size // 2) if took_s > LONG_BATCH_S else size


def _redis_error(error: Exception) -> str:
    return f"redis: {error_text(error)}"
