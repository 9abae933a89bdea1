"""The score loop with an in-memory queue and scorer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from glidepath.config import parse_config
from glidepath.errors import DependencyError, UnreachableError
from scorer.scoring.worker.score_loop import MAX_DELIVERIES, next_batch_size
from scorer.scoring.worker.scoring_process.process_client import BatchFailedError
from tests.support.in_memory_score_loop import LoopHarness, queue_entry
from tests.support.memory_pair_queue import InstantScorer, MemoryPairQueue
from tests.support.waiting import eventually


@pytest.fixture
def harness(valid_yaml):
    return LoopHarness(parse_config(valid_yaml + "scorer: {reclaim_after: 200ms}\n"), InstantScorer())


async def test_every_pair_gets_its_result_and_is_counted(harness):
    harness.queue.waiting = [queue_entry(str(i)) for i in range(50)]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 50)
        assert harness.loop.readiness() == ""
    assert harness.metric("pairs_scored_total", workload="chat", kind="cross") == 50
    assert harness.queue.consumer_removed


async def test_a_pair_that_makes_its_batch_fail_is_set_aside_and_the_others_are_scored(harness):
    harness.queue.waiting = [queue_entry(name) for name in "abcd"]
    harness.scorer.poison = {"c": BatchFailedError("the scoring process died with status -11")}
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 3 and harness.queue.dead)
    assert harness.queue.dead == {"c-0": "the scoring process died with status -11"}
    assert harness.metric("pairs_dead_total", workload="chat", reason="failed") == 1


async def test_a_pair_delivered_too_often_is_set_aside_without_scoring(harness):
    harness.queue.abandoned = [
        queue_entry("bad", deliveries=MAX_DELIVERIES + 1),
        queue_entry("good", deliveries=MAX_DELIVERIES),
    ]
    async with harness.running():
        await eventually(lambda: harness.queue.done and harness.queue.dead)
    assert list(harness.queue.done) == ["good"]
    assert "delivered 6 times" in harness.queue.dead["bad-0"]
    assert harness.scorer.batches == [["good"]]
    assert harness.metric("pairs_reclaimed_total", workload="chat") == 2


async def test_stale_pairs_are_written_off_before_anything_is_embedded_and_counted(harness):
    harness.queue.stale_before_ms = {"chat": 50}
    harness.queue.waiting = [queue_entry(f"old{i}", id_ms=i) for i in range(50)] + [
        queue_entry(f"new{i}", id_ms=50 + i) for i in range(10)
    ]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 60)
    assert sorted(name for batch in harness.scorer.batches for name in batch) == [f"new{i}" for i in range(10)]
    assert {s.unscored_reason for n, s in harness.queue.done.items() if n.startswith("old")} == {"backlog"}
    assert harness.metric("pairs_unscored_total", workload="chat", reason="backlog") == 50
    assert harness.metric("pairs_scored_total", workload="chat", kind="cross") == 10


async def test_stale_pairs_of_a_dead_scorer_are_written_off_too(harness):
    harness.queue.stale_before_ms = {"chat": 50}
    harness.queue.abandoned = [queue_entry("old", id_ms=49), queue_entry("new", id_ms=50)]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 2)
    assert harness.scorer.batches == [["new"]]


async def test_pairs_of_a_dead_scorer_are_scored_one_at_a_time(harness):
    harness.queue.abandoned = [queue_entry(name) for name in "abc"]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 3)
    assert harness.scorer.batches == [["a"], ["b"], ["c"]]


@pytest.mark.slow
async def test_an_unreachable_remote_engine_stops_scoring_without_losing_pairs_and_readiness_names_it(harness):
    harness.scorer.errors = [UnreachableError("scorer.embedder.url: http://e/v1/embeddings: HTTP 503")] * 3
    harness.queue.waiting = [queue_entry("a")]
    async with harness.running():
        await eventually(lambda: "HTTP 503" in harness.loop.readiness())
        assert not harness.queue.done
        await eventually(lambda: harness.queue.done)
        await eventually(lambda: harness.loop.readiness() == "")
    assert harness.metric("outages_total", dependency="embedder") == 1
    assert not harness.queue.dead


async def test_while_redis_is_unreachable_results_wait_and_readiness_names_it(harness):
    harness.queue.waiting = [queue_entry("a")]
    harness.scorer.may_score.clear()
    async with harness.running():
        await eventually(lambda: not harness.queue.waiting)
        harness.queue.down = RedisConnectionError("Connection refused")
        harness.scorer.may_score.set()
        await eventually(lambda: harness.loop.readiness() == "redis: Connection refused")
        assert not harness.queue.done
        harness.queue.down = None
        await eventually(lambda: harness.queue.done)
    assert harness.metric("pairs_scored_total", workload="chat", kind="cross") == 1
    assert harness.metric("outages_total", dependency="redis") == 1


async def test_an_idle_scorer_that_cannot_reach_redis_is_not_ready(harness):
    harness.queue.down = RedisConnectionError()
    async with harness.running():
        await eventually(lambda: harness.loop.readiness() == "redis: ConnectionError")


@pytest.mark.slow
async def test_claims_are_renewed_while_a_pair_is_scored(harness):
    harness.queue.waiting = [queue_entry("a")]
    harness.scorer.may_score.clear()
    async with harness.running():
        await eventually(lambda: harness.queue.renewed.count("a-0") >= 3)
        harness.scorer.may_score.set()
        await eventually(lambda: harness.queue.done)
        held = len(harness.queue.renewed)
        await eventually(lambda: len(harness.queue.claim_counts) > 3)
    assert len(harness.queue.renewed) == held


async def test_at_a_stop_request_claimed_pairs_are_finished_and_no_more_are_claimed(harness):
    harness.queue.waiting = [queue_entry(str(i)) for i in range(10)]
    harness.scorer.may_score.clear()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(harness.loop.run(stop))
        await eventually(lambda: len(harness.queue.waiting) == 9)
        stop.set()
        harness.scorer.may_score.set()
    assert len(harness.queue.done) == 1
    assert len(harness.queue.waiting) == 9


async def test_a_pair_that_already_has_a_result_is_counted_as_redelivered(harness):
    harness.queue.waiting = [queue_entry("a"), queue_entry("a")]
    async with harness.running():
        await eventually(lambda: harness.metric("pairs_redelivered_total", workload="chat") == 1)
    assert harness.metric("pairs_scored_total", workload="chat", kind="cross") == 1


async def test_unreadable_pairs_are_set_aside_with_the_reason(valid_yaml):
    from scorer.scoring.worker.scoring_process.batch_result import BatchResult, PairResult

    class Unreadable(InstantScorer):
        async def score(self, stored, floors):
            return BatchResult(tuple(PairResult(unreadable="not zstd") for _ in stored))

    harness = LoopHarness(parse_config(valid_yaml), Unreadable())
    harness.queue.waiting = [queue_entry("a")]
    async with harness.running():
        await eventually(lambda: harness.queue.dead)
    assert harness.queue.dead == {"a-0": "not zstd"}
    assert harness.metric("pairs_dead_total", workload="chat", reason="unreadable") == 1


@pytest.mark.parametrize(
    ("count", "took", "then"), [(4, 0.1, 8), (16, 0.1, 20), (8, 1.0, 8), (8, 3.0, 4), (1, 60.0, 1)]
)
def test_the_batch_size_follows_the_time_a_batch_takes(count, took, then):
    assert next_batch_size(count, took, 20) == then


async def test_a_cancellation_that_a_client_library_swallows_still_ends_the_loop(harness):
    class Swallowing(MemoryPairQueue):
        async def claim(self, count):
            with contextlib.suppress(asyncio.CancelledError):
                self.claim_counts.append(count)
                await asyncio.Event().wait()
            return []

    queue = Swallowing()
    harness.loop._queue = queue
    task = asyncio.create_task(harness.loop.run(asyncio.Event()))
    await eventually(lambda: bool(queue.claim_counts))
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done


async def test_a_loop_that_is_stopped_while_its_engine_loads_ends_at_once(harness):
    class Slow(InstantScorer):
        loading = asyncio.Event()

        async def start(self):
            self.loading.set()
            await asyncio.Event().wait()

    harness.loop._scorer = slow = Slow()
    stop = asyncio.Event()
    task = asyncio.create_task(harness.loop.run(stop))
    await eventually(slow.loading.is_set)
    stop.set()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
    await task
    assert not harness.queue.claim_counts


async def test_an_engine_that_cannot_be_loaded_ends_the_loop_with_its_error(harness):
    class Broken(InstantScorer):
        async def start(self):
            raise DependencyError("no engine here")

    harness.loop._scorer = Broken()
    with pytest.raises(DependencyError, match="no engine here"):
        await harness.loop.run(asyncio.Event())
