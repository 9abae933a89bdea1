"""The score loop on a real Redis: every pair gets exactly one result, whichever process dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry
from redis.exceptions import ResponseError

from glidepath.config import Config, parse_config
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import SCORER_GROUP
from glidepath.sides import Side
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from scorer.scoring.worker.pair_queue import RedisPairQueue
from scorer.scoring.worker.score_loop import ScoreLoop
from scorer.scoring.worker.scoring_process.batch_result import PairResult
from tests.support.answer_pairs import LONG, noise_pair, pair
from tests.support.embedders import WordEmbedder
from tests.support.memory_pair_queue import InstantScorer
from tests.support.score_loop_on_redis import (
    CHAT,
    add,
    has_pending,
    has_results,
    nothing_pending,
    pending,
    result_ids,
    running_loop,
)
from tests.support.thread_scorer import ThreadScorer
from tests.support.waiting import eventually

SETTINGS = "scorer: {reclaim_after: 500ms, batch: 8}\n"
SECOND = """\
  other:
    match: {path: /v1/completions}
    baseline: cloud
    candidate: onprem
"""


@pytest.fixture
def config(valid_yaml: str) -> Config:
    return parse_config(valid_yaml + SECOND + SETTINGS)


async def test_two_scorers_share_the_queue_and_no_pair_is_counted_twice(config, redis_client):
    await add(redis_client, *(pair(f"{i:03}") for i in range(200)))
    first, second = InstantScorer(), InstantScorer()
    async with running_loop(config, redis_client, "a", first), running_loop(config, redis_client, "b", second):
        await eventually(lambda: len(first.batches) and len(second.batches))
        await eventually(lambda: has_results(redis_client, 200))
    assert await result_ids(redis_client) == [f"{i:03}" for i in range(200)]
    seen = [name for batch in first.batches + second.batches for name in batch]
    assert len(seen) == 200
    assert await pending(redis_client) == 0
    assert await redis_client.xinfo_consumers(CHAT.pairs, SCORER_GROUP) == []


SCORE_LOOP = """
import asyncio, sys
import redis.asyncio
from prometheus_client import CollectorRegistry
from glidepath.config import parse_config
from scorer.scoring.worker.score_loop import ScoreLoop

async def main():
    redis_client = redis.asyncio.from_url(sys.argv[1])
    loop = ScoreLoop(parse_config(sys.argv[2]), redis_client, consumer="victim", registry=CollectorRegistry())
    await loop.run(asyncio.Event())

asyncio.run(main())
"""


async def test_the_claimed_pairs_of_a_killed_scorer_are_scored_exactly_once_by_another(
    config, redis_client, redis_url, valid_yaml
):
    await add(redis_client, *(pair(f"{i:02}", LONG + f" One {i}.", LONG + f" Two {i}.") for i in range(40)))
    command = [sys.executable, "-c", SCORE_LOOP, redis_url, valid_yaml + SETTINGS]
    victim = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    try:
        await eventually(lambda: has_results(redis_client, 1))
        await eventually(lambda: _frozen_with_claimed_pairs(redis_client, victim))
        (child,) = _children(victim.pid)
    finally:
        victim.kill()
        await victim.wait()
    held = await pending(redis_client)
    assert held > 0
    async with running_loop(config, redis_client, "successor") as registry:
        await eventually(lambda: has_results(redis_client, 40))
        await eventually(lambda: nothing_pending(redis_client))
    assert await result_ids(redis_client) == [f"{i:02}" for i in range(40)]
    assert registry.get_sample_value("glidepath_scorer_pairs_reclaimed_total", {"workload": "chat"}) == held
    await eventually(lambda: not Path(f"/proc/{child}").exists(), what="the killed scorer's scoring process ends")


async def _frozen_with_claimed_pairs(redis_client: Any, victim: Any) -> bool:
    victim.send_signal(signal.SIGSTOP)
    if await has_pending(redis_client):
        return True
    victim.send_signal(signal.SIGCONT)
    return False


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def test_a_pair_claimed_by_two_scorers_has_one_result(config, redis_client):
    await add(redis_client, pair("a"))
    queues = [RedisPairQueue(redis_client, config, name) for name in ("slow", "fast")]
    (entry,) = await queues[0].claim(5)
    await redis_client.xclaim(CHAT.pairs, SCORER_GROUP, "fast", 0, [entry.id])
    scored = ScoredPair("a", "chat", pair("a").kind, 1, 2, scored=True)
    stored = (await InstantScorer().score([entry.data], {})).results[0]
    assert [await queue.write_result(entry, scored, stored) for queue in reversed(queues)] == [True, False]
    assert await result_ids(redis_client) == ["a"]


async def test_a_result_that_redis_refuses_leaves_its_pair_claimed(config, redis_client):
    await add(redis_client, pair("a"))
    await redis_client.set(CHAT.results, "a person was here")
    queue = RedisPairQueue(redis_client, config, "a")
    (entry,) = await queue.claim(5)
    scored = ScoredPair("a", "chat", pair("a").kind, 1, 2, scored=True)
    stored = (await InstantScorer().score([entry.data], {})).results[0]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await queue.write_result(entry, scored, stored)
    assert await pending(redis_client) == 1
    await redis_client.delete(CHAT.results)
    assert await queue.write_result(entry, scored, stored)
    assert await result_ids(redis_client) == ["a"]


async def test_a_result_is_written_and_acknowledged_in_one_step(config, redis_client):
    await add(redis_client, pair("a"))
    queue = RedisPairQueue(redis_client, config, "a")
    (entry,) = await queue.claim(5)
    scored = ScoredPair("a", "chat", pair("a").kind, 1, 2, scored=True)
    stored = await InstantScorer().score([entry.data], {})
    assert await pending(redis_client) == 1
    assert await queue.write_result(entry, scored, stored.results[0])
    assert await pending(redis_client) == 0
    assert not await queue.write_result(entry, scored, stored.results[0])
    assert await redis_client.xlen(CHAT.results) == 1
    keys = {key.decode() for key in await redis_client.keys("*") if b"chat" in key}
    assert keys == {CHAT.pairs, CHAT.results, CHAT.queue}  # nothing is kept for each pair


async def test_pairs_written_before_the_first_scorer_started_are_scored(config, redis_client):
    await add(redis_client, pair("early"))
    async with running_loop(config, redis_client, "a"):
        await eventually(lambda: has_results(redis_client, 1))


async def test_a_busy_workload_does_not_starve_the_others(config, redis_client):
    await add(redis_client, *(pair(f"{i:03}") for i in range(100)))
    await add(redis_client, *(pair(f"o{i}", workload="other") for i in range(3)), workload="other")
    queue = RedisPairQueue(redis_client, config, "a")
    taken = await queue.claim(8)
    assert len(taken) == 8
    assert sum(entry.workload == "other" for entry in taken) == 3


async def test_large_pairs_are_not_all_claimed_at_once(config, redis_client):
    big = os.urandom(6 * 2**20)
    for _ in range(20):
        await redis_client.xadd(CHAT.pairs, {"p": big})
    taken = await RedisPairQueue(redis_client, config, "a").claim(20)
    assert len(taken) < 15


async def test_unreadable_bytes_are_set_aside_with_the_reason(config, redis_client, valid_yaml):
    await redis_client.xadd(CHAT.pairs, {"p": b"junk"})
    await redis_client.xadd(CHAT.pairs, {"q": b"no such field"})
    await add(redis_client, pair("good"))
    async with running_loop(config, redis_client, "a", ThreadScorer(config, WordEmbedder())):
        await eventually(lambda: has_results(redis_client, 1))
        await eventually(lambda: nothing_pending(redis_client))
    dead = [fields for _, fields in await redis_client.xrange(CHAT.dead)]
    assert [fields[b"p"] for fields in dead] == [b"junk", b""]
    assert all(b"zstd" in fields[b"why"] for fields in dead)
    assert 0 < await redis_client.pttl(CHAT.dead) <= config.retention.age * 1000


async def test_a_pair_that_five_scorers_did_not_finish_is_set_aside(config, redis_client):
    await add(redis_client, pair("bad"))
    for name in "abcde":
        queue = RedisPairQueue(redis_client, config, name)
        if name == "a":
            await queue.claim(1)
        else:
            await eventually(lambda queue=queue: _reclaims(queue))
    async with running_loop(config, redis_client, "f") as registry:
        labels = {"workload": "chat", "reason": "delivered"}
        await eventually(lambda: registry.get_sample_value("glidepath_scorer_pairs_dead_total", labels))
    assert await redis_client.xlen(CHAT.dead) == 1
    assert await redis_client.xlen(CHAT.results) == 0


async def _reclaims(queue: RedisPairQueue) -> bool:
    return bool((await queue.reclaim())[0])


async def test_the_claimed_pairs_of_a_running_scorer_are_not_reclaimed(config, redis_client):
    await add(redis_client, pair("slow"))
    slow = InstantScorer()
    slow.may_score.clear()
    async with running_loop(config, redis_client, "a", slow):
        await eventually(lambda: has_pending(redis_client))  # before "b" starts, which would score the pair at once
        async with running_loop(config, redis_client, "b") as other:
            taken = asyncio.get_running_loop().time()
            await eventually(lambda: asyncio.get_running_loop().time() > taken + 3 * config.scorer.reclaim_after)
            assert other.get_sample_value("glidepath_scorer_pairs_reclaimed_total", {"workload": "chat"}) is None
            slow.may_score.set()
            await eventually(lambda: has_results(redis_client, 1))


async def test_pairs_trimmed_while_a_dead_scorer_held_them_are_counted_lost_once(config, redis_client):
    await add(redis_client, pair("a"), pair("b"))
    await RedisPairQueue(redis_client, config, "dead").claim(2)
    await redis_client.xtrim(CHAT.pairs, maxlen=1, approximate=False)
    lost = 0
    taken: list[Any] = []

    async def reclaimed() -> bool:
        nonlocal lost
        for name in ("x", "y"):
            entries, gone = await RedisPairQueue(redis_client, config, name).reclaim()
            taken.extend(entries)
            lost += gone.get("chat", 0)
        return bool(taken)

    await eventually(reclaimed)
    assert lost == 1
    assert [entry.deliveries for entry in taken] == [2]


async def test_consumers_of_dead_scorers_are_deleted(valid_yaml, redis_client):
    config = parse_config(valid_yaml + "scorer: {reclaim_after: 10ms}\n")
    await add(redis_client, pair("a"))
    gone = RedisPairQueue(redis_client, config, "gone")
    (entry,) = await gone.claim(1)
    done = await InstantScorer().score([entry.data], {})
    await gone.write_result(entry, decode_scored(done.results[0].scored), done.results[0])

    async def consumer_is_deleted() -> bool:
        await RedisPairQueue(redis_client, config, "here").reclaim()
        return all(c["name"] != b"gone" for c in await redis_client.xinfo_consumers(CHAT.pairs, SCORER_GROUP))

    await eventually(consumer_is_deleted)


async def test_the_noise_floor_is_shared_and_counts_each_pair_of_the_baseline_once(config, redis_client):
    await add(redis_client, noise_pair("n"), noise_pair("m"), noise_pair("c", side=Side.CANDIDATE))
    queue = RedisPairQueue(redis_client, config, "a")
    for entry in await queue.claim(8):
        (result,) = (await InstantScorer().score([entry.data], {})).results
        scored = decode_scored(result.scored)
        backend = "onprem" if scored.pair_id == "c" else "cloud"
        scored = replace(scored, baseline=replace(scored.baseline, backend=backend))
        floor = {"pairs": 1, "agreement_sum": 0.75, "diverged": {"numbers": 1}}
        for _ in range(2):  # the reply to the first write is lost
            await queue.write_result(entry, scored, PairResult(result.scored, noise=floor))
    floors = await RedisPairQueue(redis_client, config, "b").noise_floors()
    assert floors == {"chat": {"pairs": 2, "agreement_sum": 1.5, "diverged": {"numbers": 2}}}


async def test_results_are_bounded_by_retention(valid_yaml, redis_client):
    config = parse_config(valid_yaml + SETTINGS + "retention: {results: 100}\n")
    await add(redis_client, *(pair(str(i)) for i in range(500)))
    async with running_loop(config, redis_client, "a"):
        await eventually(lambda: _all_scored(redis_client, 500))
    assert await redis_client.xlen(CHAT.results) < 250


async def _all_scored(redis_client: Any, count: int) -> bool:
    groups = await redis_client.xinfo_groups(CHAT.pairs)
    return any(int(group["entries-read"] or 0) == count and int(group["pending"]) == 0 for group in groups)


async def test_the_queue_length_counts_unclaimed_pairs(config, redis_client):
    await add(redis_client, *(pair(str(i)) for i in range(7)))
    queue = RedisPairQueue(redis_client, config, "a")
    await queue.claim(2)
    assert (await queue.lengths())["chat"] == 5


async def test_an_outage_of_redis_loses_nothing_and_counts_nothing_twice(config, tmp_path):
    port = free_ports(1)[0]
    server = start_redis(tmp_path / "redis", port, "--appendfsync", "always")
    redis_client = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0", socket_timeout=1)
    try:
        await add(redis_client, *(pair(f"{i:02}") for i in range(30)))
        scorer, stop = InstantScorer(), asyncio.Event()
        loop = ScoreLoop(config, redis_client, scorer, consumer="a", registry=CollectorRegistry())
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            await eventually(lambda: bool(scorer.batches))
            scorer.may_score.clear()
            await asyncio.to_thread(server.kill)
            scorer.may_score.set()
            await eventually(lambda: loop.readiness().startswith("redis: "))
            server = await asyncio.to_thread(start_redis, tmp_path / "redis", port, "--appendfsync", "always")
            # The loop's client may still hold connections that the outage closed, and gives up after a second.
            reader = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0")
            await eventually(lambda: has_results(reader, 30))
            await eventually(lambda: loop.readiness() == "")
            await eventually(lambda: nothing_pending(reader))
            stop.set()
        assert await result_ids(reader) == [f"{i:02}" for i in range(30)]
        await reader.aclose()
    finally:
        await redis_client.aclose()
        server.stop()


async def test_scoring_resumes_without_a_restart_after_redis_lost_its_data(config, redis_client):
    async with running_loop(config, redis_client, "a") as registry:
        await add(redis_client, pair("before"))
        await eventually(lambda: has_results(redis_client, 1))
        await redis_client.flushall()
        await add(redis_client, pair("after"))
        await eventually(lambda: has_results(redis_client, 1))
        assert registry.get_sample_value("glidepath_scorer_outages_total", {"dependency": "redis"}) is None
    assert await result_ids(redis_client) == ["after"]


async def test_a_long_queue_does_not_block_the_event_loop(valid_yaml, redis_client):
    """Measure the delays that the steer loop would have, while a real scoring process works."""
    config = parse_config(valid_yaml)
    await add(redis_client, *(pair(str(i), LONG * 5 + f"{i}", LONG * 5 + f"and {i}") for i in range(60)))
    registry, stop = CollectorRegistry(), asyncio.Event()
    score_loop = ScoreLoop(config, redis_client, consumer="a", registry=registry)
    lags: list[float] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(score_loop.run(stop))
        await eventually(lambda: has_results(redis_client, 1))
        loop = asyncio.get_running_loop()
        while await redis_client.xlen(CHAT.results) < 60 and len(lags) < 1000:
            before = loop.time()
            await asyncio.sleep(0.005)
            lags.append(loop.time() - before - 0.005)
        stop.set()
    # The 95th percentile: the machine that runs this may be busy with other things.
    assert sorted(lags)[int(len(lags) * 0.95)] < 0.05


async def test_a_scorer_whose_engine_cannot_be_loaded_ends_with_one_line(redis_url, valid_yaml, tmp_path):
    metrics, admin = free_ports(2)
    extra = f"redis: {{url: '{redis_url}'}}\nenvoy: {{admin: 'http://127.0.0.1:{admin}'}}\n"
    extra += f"scorer: {{metrics: '127.0.0.1:{metrics}', embedder: {{model: no-such}}}}\n"
    (tmp_path / "glidepath.yaml").write_text(valid_yaml + extra)
    command = [sys.executable, "-m", "glidepath_ops", "scorer", "-c", str(tmp_path / "glidepath.yaml")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert b"glidepath: scorer.embedder.model: no model 'no-such' found" in said
    assert b"Traceback" not in said
