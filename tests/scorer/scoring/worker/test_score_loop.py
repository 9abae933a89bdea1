from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from glidepath.config import parse_config
from glidepath.errors import DependencyError, UnreachableError
from glidepath.wire import encode_pair
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.score_loop import MAX_DELIVERIES, ScoreLoop, next_batch_size
from scorer.scoring.worker.scoring_process.process_client import BatchFailedError
from tests.support.scoring import InstantScorer, MemoryPairQueue, pair
from tests.support.waiting import eventually


def entry(name: str, deliveries: int = 1) -> QueueEntry:
    return QueueEntry("chat", f"{name}-0", encode_pair(pair(name)), deliveries)


class Harness:
    def __init__(self, text: str) -> None:
        self.queue, self.scorer, self.registry = MemoryPairQueue(), InstantScorer(), CollectorRegistry()
        config = parse_config(text + "scorer: {reclaim_after: 200ms}\n")
        self.worker = ScoreLoop(config, None, self.scorer, consumer="c", registry=self.registry, queue=self.queue)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"glidepath_scorer_{name}", labels) or 0.0

    @asynccontextmanager
    async def running(self):
        stop = asyncio.Event()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            task = group.create_task(self.worker.run(stop))
            yield self
            stop.set()
            await task


@pytest.fixture
def bench(valid_yaml):
    return Harness(valid_yaml)


async def test_every_pair_gets_its_result_and_is_counted(bench):
    bench.queue.waiting = [entry(str(i)) for i in range(50)]
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 50)
        assert bench.worker.readiness() == ""
    assert bench.metric("pairs_scored_total", workload="chat", kind="cross") == 50
    assert bench.queue.left


async def test_a_pair_that_breaks_its_batch_is_set_aside_and_the_others_are_scored(bench):
    bench.queue.waiting = [entry(name) for name in "abcd"]
    bench.scorer.poison = {"c": BatchFailedError("the scoring process died with status -11")}
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 3 and bench.queue.dead)
    assert bench.queue.dead == {"c-0": "the scoring process died with status -11"}
    assert bench.metric("pairs_dead_total", workload="chat", reason="failed") == 1


async def test_a_pair_delivered_too_often_is_set_aside_unseen(bench):
    bench.queue.abandoned = [entry("bad", MAX_DELIVERIES + 1), entry("good", MAX_DELIVERIES)]
    async with bench.running():
        await eventually(lambda: bench.queue.done and bench.queue.dead)
    assert list(bench.queue.done) == ["good"]
    assert "delivered 6 times" in bench.queue.dead["bad-0"]
    assert bench.scorer.batches == [["good"]]
    assert bench.metric("pairs_reclaimed_total", workload="chat") == 2


def stamped(name: str, at_ms: int) -> QueueEntry:
    return QueueEntry("chat", f"{at_ms}-0", encode_pair(pair(name)))


async def test_pairs_too_far_behind_are_given_up_before_anything_is_embedded_and_counted(bench):
    bench.queue.behind = {"chat": 50}
    bench.queue.waiting = [stamped(f"old{i}", i) for i in range(50)] + [stamped(f"new{i}", 50 + i) for i in range(10)]
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 60)
    assert sorted(name for batch in bench.scorer.batches for name in batch) == [f"new{i}" for i in range(10)]
    assert {s.unscored_reason for n, s in bench.queue.done.items() if n.startswith("old")} == {"backlog"}
    assert bench.metric("pairs_unscored_total", workload="chat", reason="backlog") == 50
    assert bench.metric("pairs_scored_total", workload="chat", kind="cross") == 10


async def test_what_a_dead_scorer_held_for_too_long_is_given_up_too(bench):
    bench.queue.behind = {"chat": 50}
    bench.queue.abandoned = [stamped("old", 49), stamped("new", 50)]
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 2)
    assert bench.scorer.batches == [["new"]]


async def test_what_a_dead_scorer_held_is_scored_one_at_a_time(bench):
    bench.queue.abandoned = [entry(name) for name in "abc"]
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 3)
    assert bench.scorer.batches == [["a"], ["b"], ["c"]]


async def test_a_remote_engine_that_is_away_stops_scoring_says_so_and_loses_nothing(bench):
    bench.scorer.errors = [UnreachableError("scorer.embedder.url: http://e/v1/embeddings: HTTP 503")] * 3
    bench.queue.waiting = [entry("a")]
    async with bench.running():
        await eventually(lambda: "HTTP 503" in bench.worker.readiness())
        assert not bench.queue.done
        await eventually(lambda: bench.queue.done)
        await eventually(lambda: bench.worker.readiness() == "")
    assert bench.metric("outages_total", of="embedder") == 1
    assert not bench.queue.dead


async def test_while_redis_is_away_results_wait_and_readiness_says_so(bench):
    bench.queue.waiting = [entry("a")]
    bench.scorer.gate.clear()
    async with bench.running():
        await eventually(lambda: not bench.queue.waiting)
        bench.queue.down = RedisConnectionError("Connection refused")
        bench.scorer.gate.set()
        await eventually(lambda: bench.worker.readiness() == "redis: Connection refused")
        assert not bench.queue.done
        bench.queue.down = None
        await eventually(lambda: bench.queue.done)
    assert bench.metric("pairs_scored_total", workload="chat", kind="cross") == 1
    assert bench.metric("outages_total", of="redis") == 1


async def test_an_idle_scorer_that_cannot_reach_redis_is_not_ready(bench):
    bench.queue.down = RedisConnectionError()
    async with bench.running():
        await eventually(lambda: bench.worker.readiness() == "redis: ConnectionError")


async def test_pairs_in_hand_are_held_for_as_long_as_they_take(bench):
    bench.queue.waiting = [entry("a")]
    bench.scorer.gate.clear()
    async with bench.running():
        await eventually(lambda: bench.queue.held.count("a-0") >= 3)
        bench.scorer.gate.set()
        await eventually(lambda: bench.queue.done)
        held = len(bench.queue.held)
        await eventually(lambda: len(bench.queue.asked) > 3)
    assert len(bench.queue.held) == held


async def test_told_to_stop_it_finishes_what_is_in_hand_and_takes_nothing_more(bench):
    bench.queue.waiting = [entry(str(i)) for i in range(10)]
    bench.scorer.gate.clear()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.worker.run(stop))
        await eventually(lambda: len(bench.queue.waiting) == 9)
        stop.set()
        bench.scorer.gate.set()
    assert len(bench.queue.done) == 1
    assert len(bench.queue.waiting) == 9


async def test_a_pair_with_a_result_already_is_counted_as_delivered_again(bench):
    bench.queue.waiting = [entry("a"), entry("a")]
    async with bench.running():
        await eventually(lambda: bench.metric("pairs_again_total", workload="chat") == 1)
    assert bench.metric("pairs_scored_total", workload="chat", kind="cross") == 1


async def test_unreadable_pairs_are_set_aside_with_the_reason(valid_yaml):
    from scorer.scoring.worker.scoring_process.batch_result import BatchResult, PairResult

    class Unreadable(InstantScorer):
        async def score(self, stored, floors):
            return BatchResult(tuple(PairResult(why="not zstd") for _ in stored))

    bench = Harness(valid_yaml)
    config = parse_config(valid_yaml)
    bench.registry = CollectorRegistry()
    bench.worker = ScoreLoop(config, None, Unreadable(), consumer="c", registry=bench.registry, queue=bench.queue)
    bench.queue.waiting = [entry("a")]
    async with bench.running():
        await eventually(lambda: bench.queue.dead)
    assert bench.queue.dead == {"a-0": "not zstd"}
    assert bench.metric("pairs_dead_total", workload="chat", reason="unreadable") == 1


@pytest.mark.parametrize(
    ("count", "took", "then"), [(4, 0.1, 8), (16, 0.1, 20), (8, 1.0, 8), (8, 3.0, 4), (1, 60.0, 1)]
)
def test_the_size_of_batches_follows_the_time_they_take(count, took, then):
    assert next_batch_size(count, took, 20) == then


async def test_a_cancellation_that_a_client_library_swallows_still_ends_the_worker(bench):
    class Swallowing(MemoryPairQueue):
        async def take(self, count):
            with contextlib.suppress(asyncio.CancelledError):
                self.asked.append(count)
                await asyncio.Event().wait()
            return []

    queue = Swallowing()
    bench.worker._queue = queue
    task = asyncio.create_task(bench.worker.run(asyncio.Event()))
    await eventually(lambda: bool(queue.asked))
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done


async def test_a_worker_that_is_stopped_while_its_engine_loads_ends_at_once(bench):
    class Slow(InstantScorer):
        loading = asyncio.Event()

        async def start(self):
            self.loading.set()
            await asyncio.Event().wait()

    bench.worker._scorer = slow = Slow()
    stop = asyncio.Event()
    task = asyncio.create_task(bench.worker.run(stop))
    await eventually(slow.loading.is_set)
    stop.set()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
    await task
    assert not bench.queue.asked


async def test_an_engine_that_cannot_be_loaded_ends_the_worker_with_its_error(bench):
    class Broken(InstantScorer):
        async def start(self):
            raise DependencyError("no engine here")

    bench.worker._scorer = Broken()
    with pytest.raises(DependencyError, match="no engine here"):
        await bench.worker.run(asyncio.Event())
