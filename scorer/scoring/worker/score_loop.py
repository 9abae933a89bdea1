"""The score loop: take pairs, have them scored, write one result each, for as long as the process lives."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import structlog
from prometheus_client import CollectorRegistry
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import UnreachableError, error_text
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.timed_wait import wait_until_set
from glidepath.wire import decode_scored
from scorer.scoring.worker.pair_queue import PairQueue, QueueEntry, RedisPairQueue
from scorer.scoring.worker.score_metrics import ScoreMetrics
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.process_client import BatchFailedError, BatchScorer, ProcessScorer
from scorer.scoring.worker.stale_pairs import stale_results, written_ms

if TYPE_CHECKING:
    from scorer.scoring.worker.evaluator_queue import EvaluationBudget, EvaluatorQueue

T = TypeVar("T")

MAX_DELIVERIES = 5  # a pair that five scorers took and none finished is taken for what ended them
POLL_S = 0.1  # between two looks at an empty queue
LOOK_S = 5.0  # between two looks at the noise floor and the queues' lengths
# A batch should take about a second: long enough to sort texts by length, short enough that scores come soon.
SHORT_BATCH_S, LONG_BATCH_S = 0.5, 1.5
GRACE_S = 5.0  # to finish what is in hand when told to stop
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

log = structlog.get_logger()


class ScoreLoop:
    """One a process. ``readiness()`` is "" while it scores, else what it waits for."""

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
    ) -> None:
        """``scorer``: absent, a process of its own with the configuration's engine. ``consumer``: unique a process."""
        self._most = config.scorer.batch
        self._count = 1  # the first score tells that all is well: nothing waits for company
        self._reclaim_after = config.scorer.reclaim_after
        self._scorer = scorer if scorer is not None else ProcessScorer(config)
        self._queue: PairQueue = queue if queue is not None else RedisPairQueue(client, config, consumer)
        self._metrics = ScoreMetrics(registry)
        self._waits_for = "the embedding engine is loading"
        self._floors: Mapping[str, NoiseFloorJson] = {}
        self._stale_before: Mapping[str, int] = {}
        self._behind = False
        self._next_look = self._next_reclaim = 0.0
        self._hand: Sequence[QueueEntry] = ()
        self._config, self._client, self._budget = config, client, budget
        self._evaluator_queues: Mapping[str, EvaluatorQueue] = {}

    def readiness(self) -> str:
        return self._waits_for

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``; then finishes what is in hand, for GRACE_S at most. What is left another scorer reclaims.

        Raises ConfigError or DependencyError when the engine cannot be loaded, or an evaluator's credential is missing.
        """
        self._evaluator_queues = self._start_evaluator_queues()
        if not await self._load(stop):
            return
        try:
            async with asyncio.TaskGroup() as group:
                asked = [queue.run() for queue in self._evaluator_queues.values()]
                tasks = [group.create_task(part) for part in (self._loop(stop), self._beat(), stop.wait(), *asked)]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait(tasks[:1], timeout=GRACE_S)
                await asyncio.gather(*(queue.close(GRACE_S) for queue in self._evaluator_queues.values()))
                for task in tasks:
                    task.cancel()
        finally:
            self._waits_for = "stopped"
            await self._scorer.close()
        with contextlib.suppress(RedisError, OSError):
            await self._queue.leave()

    async def _load(self, stop: asyncio.Event) -> bool:
        """The engine, which can take long; False when told to stop before it was there."""
        tasks = [asyncio.ensure_future(part) for part in (self._scorer.start(), stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
                self._waits_for = ""
                return True
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._scorer.close()
        return False

    def _start_evaluator_queues(self) -> Mapping[str, EvaluatorQueue]:
        sections = {name: w.scoring for name, w in self._config.workloads.items() if w.scoring.evaluator}
        if not sections:
            return {}
        from scorer.scoring.worker.evaluator_queue import EvaluatorQueue, RedisEvaluationBudget

        budget = self._budget if self._budget is not None else RedisEvaluationBudget(self._client)

        def counter(workload: str) -> Callable[[str], None]:
            return lambda outcome: self._metrics.evaluations.labels(workload, outcome).inc()

        return {n: EvaluatorQueue(n, section, budget, self._finish, counter(n)) for n, section in sections.items()}

    async def _loop(self, stop: asyncio.Event) -> None:
        pause = _FIRST_PAUSE_S
        while not (stop.is_set() or being_cancelled()):
            try:
                worked = await self._turn()
            except (RedisError, OSError) as error:
                self._away("redis", _reason(error))
                await wait_until_set(stop, pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self._back()
                pause = _FIRST_PAUSE_S
                if not worked:
                    await wait_until_set(stop, POLL_S)

    async def _turn(self) -> bool:
        """One round; whether there was anything to do."""
        now = time.monotonic()
        if now >= self._next_look:
            self._floors = await self._queue.floors()
            self._metrics.show_queue(await self._queue.queued())
            self._stale_before = await self._queue.stale_before()
            self._next_look = now + LOOK_S
        worked = False
        if now >= self._next_reclaim:
            worked = await self._take_over()
            self._next_reclaim = now if worked else now + self._reclaim_after / 4
        self._hand = await self._queue.take(self._most if self._behind else self._count)
        if self._hand:
            await self._work_off(self._hand)
        worked, self._hand = worked or bool(self._hand), ()
        return worked

    async def _take_over(self) -> bool:
        entries, lost = await self._queue.reclaim()
        for workload, count in lost.items():
            self._metrics.lost.labels(workload).inc(count)
        for entry in entries:
            self._metrics.reclaimed.labels(entry.workload).inc()
        self._hand = entries
        for entry in entries:
            # Alone: the pair that ended its scorer must not take its neighbours with it again.
            if entry.deliveries > MAX_DELIVERIES:
                await self._set_aside(entry, "delivered", f"delivered {entry.deliveries} times and never finished")
            else:
                await self._work_off([entry])
        self._hand = ()
        return bool(entries)

    async def _work_off(self, entries: Sequence[QueueEntry]) -> None:
        """Give up what is too far behind, score the rest in batches of the usual size."""
        fresh = [e for e in entries if written_ms(e.id) >= self._stale_before.get(e.workload, 0)]
        late = [e for e in entries if written_ms(e.id) < self._stale_before.get(e.workload, 0)]
        self._behind = bool(late)
        if late:
            # In a thread: decoding megabytes must not keep the steer loop, which shares this process.
            results = await asyncio.to_thread(stale_results, [e.data for e in late], unix_ms())
            await self._write(late, BatchResult(tuple(results)))
        count = self._count
        for start in range(0, len(fresh), count):
            await self._score(fresh[start : start + count])

    async def _score(self, entries: Sequence[QueueEntry]) -> None:
        started = time.monotonic()
        try:
            done = await self._patiently(lambda: self._scorer.score([e.data for e in entries], self._floors))
        except BatchFailedError as error:
            await self._one_by_one(entries, str(error))
            return
        took = time.monotonic() - started
        self._metrics.seconds.observe(took / len(entries))
        if len(entries) == self._count:
            self._count = next_batch_size(self._count, took, self._most)
        await self._write(entries, done)

    async def _one_by_one(self, entries: Sequence[QueueEntry], why: str) -> None:
        """A batch failed: find the pair at fault, set it aside, score the others."""
        if len(entries) == 1:
            await self._set_aside(entries[0], "failed", why)
            return
        log.warning("a batch failed; its pairs are scored one by one", pairs=len(entries), why=why)
        for entry in entries:
            await self._score([entry])

    async def _write(self, entries: Sequence[QueueEntry], done: BatchResult) -> None:
        self._metrics.hits.inc(done.cache_hits)
        self._metrics.misses.inc(done.cache_misses)
        for entry, result in zip(entries, done.results, strict=True):
            if result.why:
                await self._set_aside(entry, "unreadable", result.why)
            elif not (result.doubt and self._waits_for_opinion(entry, result)):
                await self._finish(entry, result)

    def _waits_for_opinion(self, entry: QueueEntry, result: PairResult) -> bool:
        queue = self._evaluator_queues.get(entry.workload)
        return queue is not None and queue.offer(entry, result)

    async def _finish(self, entry: QueueEntry, result: PairResult) -> None:
        scored = decode_scored(result.scored)
        if await self._patiently(lambda: self._queue.finish(entry, scored, result)):
            self._metrics.count(scored)
        else:
            self._metrics.again.labels(entry.workload).inc()

    async def _set_aside(self, entry: QueueEntry, reason: str, why: str) -> None:
        if await self._patiently(lambda: self._queue.set_aside(entry, why)):
            self._metrics.dead.labels(entry.workload, reason).inc()
            log.warning("a pair was set aside", workload=entry.workload, entry=entry.id, why=why)

    async def _beat(self) -> None:
        """Say of what is in hand that it is, often enough that nobody takes it for a dead scorer's."""
        while not being_cancelled():
            await asyncio.sleep(self._reclaim_after / 4)
            with contextlib.suppress(RedisError, OSError):  # whoever takes them over meanwhile counts nothing twice
                waiting = [entry for queue in self._evaluator_queues.values() for entry in queue.entries()]
                await self._queue.hold([*self._hand, *waiting])
            with contextlib.suppress(RedisError, OSError):  # the next look finds them
                for workload, pairs in (await self._queue.trimmed()).items():
                    self._metrics.trimmed.labels(workload).inc(pairs)
                    log.warning("retention took pairs unscored", workload=workload, pairs=pairs)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """``call``, again and again while Redis or a remote engine is away: what is in hand is not let go."""
        pause = _FIRST_PAUSE_S
        while not being_cancelled():
            try:
                result = await call()
            except (RedisError, OSError) as error:
                self._away("redis", _reason(error))
            except UnreachableError as error:
                self._away("embedder", str(error))
            else:
                self._back()
                return result
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        raise asyncio.CancelledError

    def _back(self) -> None:
        if self._waits_for:
            log.info("scoring goes on", after=self._waits_for)
        self._waits_for = ""

    def _away(self, what: str, why: str) -> None:
        if not self._waits_for:
            log.warning("scoring stopped", why=why)
            self._metrics.outages.labels(what).inc()
        self._waits_for = why


def next_batch_size(count: int, took_s: float, most: int) -> int:
    """Pairs for the next batch, after one of ``count`` that took so long."""
    if took_s < SHORT_BATCH_S:
        return min(count * 2, most)
    return max(1, count // 2) if took_s > LONG_BATCH_S else count


def _reason(error: Exception) -> str:
    return f"redis: {error_text(error)}"
