"""The score loop on a real Redis: every pair exactly one result, whatever dies on the way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from prometheus_client import CollectorRegistry

from glidepath.config import Config, parse_config
from glidepath.domain import ScoredPair, Side
from glidepath.keys import SCORER_GROUP
from glidepath.wire import decode_scored
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.servers import start_redis
from scorer.scoring.worker.in_thread import ThreadScorer
from scorer.scoring.worker.pair_queue import RedisPairQueue
from scorer.scoring.worker.score_loop import ScoreLoop
from scorer.scoring.worker.scoring_process.batch_result import PairResult
from tests.support.score_loop import CHAT, add, counted, in_hand, names, pending, working
from tests.support.scoring import LONG, InstantScorer, WordEmbedder, noise_pair, pair
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


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    client = redis.asyncio.from_url(redis_url)
    yield client
    await client.aclose()


async def test_two_scorers_share_the_queue_and_no_pair_is_counted_twice(config, client):
    await add(client, *(pair(f"{i:03}") for i in range(200)))
    first, second = InstantScorer(), InstantScorer()
    async with working(config, client, "a", first), working(config, client, "b", second):
        await eventually(lambda: len(first.batches) and len(second.batches))
        await eventually(lambda: counted(client, 200))
    assert await names(client) == [f"{i:03}" for i in range(200)]
    seen = [name for batch in first.batches + second.batches for name in batch]
    assert len(seen) == 200
    assert await pending(client) == 0
    assert await client.xinfo_consumers(CHAT.pairs, SCORER_GROUP) == []


WORKER = """
import asyncio, sys
import redis.asyncio
from prometheus_client import CollectorRegistry
from glidepath.config import parse_config
from scorer.scoring.worker.score_loop import ScoreLoop

async def main():
    client = redis.asyncio.from_url(sys.argv[1])
    worker = ScoreLoop(parse_config(sys.argv[2]), client, consumer="victim", registry=CollectorRegistry())
    await worker.run(asyncio.Event())

asyncio.run(main())
"""


async def test_what_a_killed_scorer_had_in_hand_another_scores_exactly_once(config, client, redis_url, valid_yaml):
    await add(client, *(pair(f"{i:02}", LONG + f" One {i}.", LONG + f" Two {i}.") for i in range(40)))
    command = [sys.executable, "-c", WORKER, redis_url, valid_yaml + SETTINGS]
    victim = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    try:
        await eventually(lambda: counted(client, 1), within=60)
        await eventually(lambda: _stopped_with_pairs_in_hand(client, victim))
        (child,) = _children(victim.pid)
    finally:
        victim.kill()
        await victim.wait()
    held = await pending(client)
    assert held > 0
    async with working(config, client, "heir") as registry:
        await eventually(lambda: counted(client, 40), within=60)
        await eventually(lambda: _nothing_pending(client))
    assert await names(client) == [f"{i:02}" for i in range(40)]
    assert registry.get_sample_value("glidepath_scorer_pairs_reclaimed_total", {"workload": "chat"}) == held
    await eventually(lambda: not Path(f"/proc/{child}").exists(), what="the killed scorer's scoring process ends")


async def _stopped_with_pairs_in_hand(client: Any, victim: Any) -> bool:
    victim.send_signal(signal.SIGSTOP)
    if await in_hand(client):
        return True
    victim.send_signal(signal.SIGCONT)
    return False


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def _nothing_pending(client: Any) -> bool:
    return await pending(client) == 0


async def test_a_pair_delivered_again_after_its_result_was_written_has_one_result(config, client):
    await add(client, pair("a"), pair("a"))
    async with working(config, client, "a") as registry:
        await eventually(lambda: registry.get_sample_value("glidepath_scorer_pairs_again_total", {"workload": "chat"}))
    assert await names(client) == ["a"]


async def test_a_result_is_written_and_acknowledged_in_one_step(config, client):
    await add(client, pair("a"))
    queue = RedisPairQueue(client, config, "a")
    (entry,) = await queue.take(5)
    scored = ScoredPair("a", "chat", pair("a").kind, 1, 2, scored=True)
    stored = await InstantScorer().score([entry.data], {})
    assert await pending(client) == 1
    assert await queue.finish(entry, scored, stored.results[0])
    assert await pending(client) == 0
    assert not await queue.finish(entry, scored, stored.results[0])
    assert await client.xlen(CHAT.results) == 1
    assert 0 < await client.pttl(CHAT.done("a")) <= 6 * 3600 * 1000


async def test_pairs_written_before_the_first_scorer_came_are_scored(config, client):
    await add(client, pair("early"))
    async with working(config, client, "a"):
        await eventually(lambda: counted(client, 1))


async def test_a_busy_workload_does_not_starve_the_others(config, client):
    await add(client, *(pair(f"{i:03}") for i in range(100)))
    await add(client, *(pair(f"o{i}", workload="other") for i in range(3)), workload="other")
    queue = RedisPairQueue(client, config, "a")
    taken = await queue.take(8)
    assert len(taken) == 8
    assert sum(entry.workload == "other" for entry in taken) == 3


async def test_large_pairs_are_not_all_taken_into_memory_at_once(config, client):
    big = os.urandom(6 * 2**20)
    for _ in range(20):
        await client.xadd(CHAT.pairs, {"p": big})
    taken = await RedisPairQueue(client, config, "a").take(20)
    assert len(taken) < 15


async def test_bytes_that_are_no_pair_are_set_aside_with_the_reason(config, client, valid_yaml):
    await client.xadd(CHAT.pairs, {"p": b"junk"})
    await client.xadd(CHAT.pairs, {"q": b"no such field"})
    await add(client, pair("good"))
    async with working(config, client, "a", ThreadScorer(config, WordEmbedder())):
        await eventually(lambda: counted(client, 1))
        await eventually(lambda: _nothing_pending(client))
    dead = [fields for _, fields in await client.xrange(CHAT.dead)]
    assert [fields[b"p"] for fields in dead] == [b"junk", b""]
    assert all(b"zstd" in fields[b"why"] for fields in dead)
    assert 0 < await client.pttl(CHAT.dead) <= config.retention.age * 1000


async def test_a_pair_that_keeps_ending_its_scorers_is_set_aside_after_five(config, client):
    await add(client, pair("bad"))
    for name in "abcde":
        queue = RedisPairQueue(client, config, name)
        if name == "a":
            await queue.take(1)
        else:
            await eventually(lambda queue=queue: _reclaims(queue))
    async with working(config, client, "f") as registry:
        labels = {"workload": "chat", "reason": "delivered"}
        await eventually(lambda: registry.get_sample_value("glidepath_scorer_pairs_dead_total", labels))
    assert await client.xlen(CHAT.dead) == 1
    assert await client.xlen(CHAT.results) == 0


async def _reclaims(queue: RedisPairQueue) -> bool:
    return bool((await queue.reclaim())[0])


async def test_pairs_in_hand_are_not_taken_over_from_a_scorer_that_lives(config, client):
    await add(client, pair("slow"))
    slow = InstantScorer()
    slow.gate.clear()
    async with working(config, client, "a", slow), working(config, client, "b") as other:
        await eventually(lambda: in_hand(client))
        taken = asyncio.get_running_loop().time()
        await eventually(lambda: asyncio.get_running_loop().time() > taken + 3 * config.scorer.reclaim_after)
        assert other.get_sample_value("glidepath_scorer_pairs_reclaimed_total", {"workload": "chat"}) is None
        slow.gate.set()
        await eventually(lambda: counted(client, 1))


async def test_pairs_trimmed_while_a_dead_scorer_held_them_are_counted_lost_once(config, client):
    await add(client, pair("a"), pair("b"))
    await RedisPairQueue(client, config, "dead").take(2)
    await client.xtrim(CHAT.pairs, maxlen=1, approximate=False)
    lost = 0
    taken: list[Any] = []

    async def reclaimed() -> bool:
        nonlocal lost
        for name in ("x", "y"):
            entries, gone = await RedisPairQueue(client, config, name).reclaim()
            taken.extend(entries)
            lost += gone.get("chat", 0)
        return bool(taken)

    await eventually(reclaimed)
    assert lost == 1
    assert [entry.deliveries for entry in taken] == [2]


async def test_scorers_gone_for_good_are_forgotten(valid_yaml, client):
    config = parse_config(valid_yaml + "scorer: {reclaim_after: 10ms}\n")
    await add(client, pair("a"))
    gone = RedisPairQueue(client, config, "gone")
    (entry,) = await gone.take(1)
    done = await InstantScorer().score([entry.data], {})
    await gone.finish(entry, decode_scored(done.results[0].scored), done.results[0])

    async def forgotten() -> bool:
        await RedisPairQueue(client, config, "here").reclaim()
        return all(c["name"] != b"gone" for c in await client.xinfo_consumers(CHAT.pairs, SCORER_GROUP))

    await eventually(forgotten)


async def test_the_noise_floor_is_shared_counted_once_and_the_baselines(config, client):
    await add(client, noise_pair("n"), noise_pair("n"), noise_pair("m"), noise_pair("c", side=Side.CANDIDATE))
    queue = RedisPairQueue(client, config, "a")
    for entry in await queue.take(8):
        (result,) = (await InstantScorer().score([entry.data], {})).results
        scored = decode_scored(result.scored)
        backend = "onprem" if scored.pair_id == "c" else "cloud"
        scored = replace(scored, baseline=replace(scored.baseline, backend=backend))
        floor = {"pairs": 1, "agreement_sum": 0.75, "trips": {"numbers": 1}}
        await queue.finish(entry, scored, PairResult(result.scored, floor=floor))
    floors = await RedisPairQueue(client, config, "b").floors()
    assert floors == {"chat": {"pairs": 2, "agreement_sum": 1.5, "trips": {"numbers": 2}}}


async def test_results_are_bounded_by_retention(valid_yaml, client):
    config = parse_config(valid_yaml + SETTINGS + "retention: {results: 100}\n")
    await add(client, *(pair(str(i)) for i in range(500)))
    async with working(config, client, "a"):
        await eventually(lambda: _all_scored(client, 500))
    assert await client.xlen(CHAT.results) < 250


async def _all_scored(client: Any, count: int) -> bool:
    groups = await client.xinfo_groups(CHAT.pairs)
    return any(int(group["entries-read"] or 0) == count and int(group["pending"]) == 0 for group in groups)


async def test_the_queue_is_shown(config, client):
    await add(client, *(pair(str(i)) for i in range(7)))
    queue = RedisPairQueue(client, config, "a")
    await queue.take(2)
    assert (await queue.queued())["chat"] == 5


async def test_an_outage_of_redis_loses_nothing_and_counts_nothing_twice(config, tmp_path):
    port = free_ports(1)[0]
    server = start_redis(tmp_path / "redis", port, "--appendfsync", "always")
    client = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0", socket_timeout=1)
    try:
        await add(client, *(pair(f"{i:02}") for i in range(30)))
        scorer, stop = InstantScorer(), asyncio.Event()
        worker = ScoreLoop(config, client, scorer, consumer="a", registry=CollectorRegistry())
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run(stop))
            await eventually(lambda: bool(scorer.batches))
            scorer.gate.clear()
            await asyncio.to_thread(server.kill)
            scorer.gate.set()
            await eventually(lambda: worker.readiness().startswith("redis: "))
            server = await asyncio.to_thread(start_redis, tmp_path / "redis", port, "--appendfsync", "always")
            await eventually(lambda: counted(client, 30))
            await eventually(lambda: worker.readiness() == "")
            await eventually(lambda: _nothing_pending(client))
            stop.set()
        assert await names(client) == [f"{i:02}" for i in range(30)]
    finally:
        await client.aclose()
        server.stop()


async def test_redis_come_back_empty_is_read_again_without_a_restart(config, client):
    async with working(config, client, "a") as registry:
        await add(client, pair("before"))
        await eventually(lambda: counted(client, 1))
        await client.flushall()
        await add(client, pair("after"))
        await eventually(lambda: counted(client, 1))
        assert registry.get_sample_value("glidepath_scorer_outages_total", {"of": "redis"}) is None
    assert await names(client) == ["after"]


async def test_a_long_queue_does_not_delay_what_else_runs_in_the_process(valid_yaml, client):
    """What the steer loop would feel; the scoring is real, in a process of its own."""
    config = parse_config(valid_yaml)
    await add(client, *(pair(str(i), LONG * 5 + f"{i}", LONG * 5 + f"and {i}") for i in range(60)))
    registry, stop = CollectorRegistry(), asyncio.Event()
    worker = ScoreLoop(config, client, consumer="a", registry=registry)
    lags: list[float] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await eventually(lambda: counted(client, 1), within=60)
        loop = asyncio.get_running_loop()
        while await client.xlen(CHAT.results) < 60 and len(lags) < 1000:
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
    assert b"glidepath: scorer.embedder.model: 'no-such' is no model here" in said
    assert b"Traceback" not in said
