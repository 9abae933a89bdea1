"""Every pair is counted once, even if the queue grows faster than it is scored, or retention trims it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from glidepath.config import Config, parse_config
from glidepath.protobuf_codec import decode_outcomes, encode_pair
from glidepath.redis_keys import SCORER_GROUP
from scorer.scoring.worker.pair_queue import RedisPairQueue
from tests.support.answer_pairs import pair
from tests.support.memory_pair_queue import InstantScorer
from tests.support.score_loop_on_redis import (
    CHAT,
    has_pending,
    has_results,
    nothing_pending,
    pending,
    results,
    running_loop,
)
from tests.support.waiting import eventually

TRIMMED = "glidepath_scorer_pairs_trimmed_total"


@pytest.fixture
def config(valid_yaml: str) -> Config:
    return parse_config(valid_yaml + "scorer: {reclaim_after: 500ms, batch: 8}\n")


async def test_stale_pairs_of_a_long_queue_are_written_off_and_reported(config, redis_client):
    newest = 1_700_000_000_000
    for i in range(40):  # a second apart; the last 21 are within the bound of 20 s
        at = newest - (39 - i) * 1000
        await redis_client.xadd(CHAT.pairs, {"p": encode_pair(pair(f"{i:02}"))}, id=f"{at}-0")
    settings = config.model_copy(update={"scorer": config.scorer.model_copy(update={"max_backlog": 20.0})})
    scorer = InstantScorer()
    async with running_loop(settings, redis_client, "a", scorer) as registry:
        await eventually(lambda: has_results(redis_client, 40))
    assert sorted(n for batch in scorer.batches for n in batch) == [f"{i:02}" for i in range(19, 40)]
    backlog = [s.pair_id for s in await results(redis_client) if s.unscored_reason == "backlog"]
    assert backlog == [f"{i:02}" for i in range(19)]
    labels = {"workload": "chat", "reason": "backlog"}
    assert registry.get_sample_value("glidepath_scorer_pairs_unscored_total", labels) == 19


async def test_pairs_of_an_earlier_step_are_not_scored_once_they_are_late(config, redis_client):
    newest = 1_700_000_000_000
    for name, behind in (("before", 12_000), ("since", 8_000), ("last", 0)):
        await redis_client.xadd(CHAT.pairs, {"p": encode_pair(pair(name))}, id=f"{newest - behind}-0")
    await redis_client.set(CHAT.status, f'{{"since_ms": {newest - 10_000}}}')
    scorer = InstantScorer()
    async with running_loop(config, redis_client, "a", scorer):
        await eventually(lambda: has_results(redis_client, 3))
    assert sorted(n for batch in scorer.batches for n in batch) == ["last", "since"]


async def reported(redis_client: Any) -> int:
    """Return the number of trimmed pairs that the status will show."""
    entries = await redis_client.xrange(CHAT.outcomes)
    return sum(decode_outcomes(fields[b"o"]).coverage.get("trimmed", 0) for _, fields in entries)


async def fill(redis_client: Any, first: int, count: int, kept: int) -> None:
    for i in range(first, first + count):
        await redis_client.xadd(CHAT.pairs, {"p": encode_pair(pair(f"{i:03}"))}, maxlen=kept, approximate=False)


async def test_pairs_trimmed_before_the_first_scorer_started_are_reported_once(config, redis_client):
    await fill(redis_client, 0, 50, kept=20)
    async with running_loop(config, redis_client, "a") as registry:
        await eventually(lambda: has_results(redis_client, 20))
        await eventually(lambda: _has_reported(redis_client, 30))
        await eventually(lambda: registry.get_sample_value(TRIMMED, {"workload": "chat"}) == 30)
    async with running_loop(config, redis_client, "b") as registry:  # the next scorer reports nothing a second time
        await fill(redis_client, 50, 5, kept=20)
        await eventually(lambda: has_results(redis_client, 25))
        await _assert_nothing_more_to_report(redis_client, config)
        assert await reported(redis_client) == 30
        assert registry.get_sample_value(TRIMMED, {"workload": "chat"}) is None


async def _has_claimed(redis_client: Any, pairs: int) -> bool:
    return await has_pending(redis_client) and await pending(redis_client) == pairs


async def _has_reported(redis_client: Any, pairs: int) -> bool:
    return await reported(redis_client) == pairs


async def _assert_nothing_more_to_report(redis_client: Any, config: Config) -> None:
    assert await RedisPairQueue(redis_client, config, "other").report_trimmed() == {}


async def test_unclaimed_pairs_trimmed_while_a_scorer_is_stuck_are_reported_without_the_claimed_pairs(
    config, redis_client
):
    scorer = InstantScorer()
    scorer.may_score.clear()
    await fill(redis_client, 0, 10, kept=10)
    async with running_loop(config, redis_client, "a", scorer):
        await eventually(lambda: _has_claimed(redis_client, 1))
        held = await pending(redis_client)
        await fill(redis_client, 10, 100, kept=10)  # 110 pairs: `held` are claimed, the last 10 remain in the stream
        await eventually(lambda: _has_reported(redis_client, 100 - held))
        scorer.may_score.set()
        await eventually(lambda: has_results(redis_client, 10 + held))
        await _assert_nothing_more_to_report(redis_client, config)
    assert await reported(redis_client) == 100 - held


async def test_a_group_whose_counts_are_missing_starts_counting_at_zero(config, redis_client):
    await fill(redis_client, 0, 30, kept=10)
    await redis_client.xgroup_create(CHAT.pairs, SCORER_GROUP, "0")
    async with running_loop(config, redis_client, "a"):
        await eventually(lambda: has_results(redis_client, 10))
        await eventually(lambda: nothing_pending(redis_client))
        await _assert_nothing_more_to_report(redis_client, config)
        assert await reported(redis_client) == 0


async def test_scorers_that_count_at_the_same_time_report_once(config, redis_client):
    await fill(redis_client, 0, 30, kept=10)
    queues = [RedisPairQueue(redis_client, config, name) for name in "abc"]
    for queue in queues:
        await queue._create_groups()
    found = await asyncio.gather(*(queue.report_trimmed() for queue in queues))
    assert sorted(found, key=len) == [{}, {}, {"chat": 20}]
    assert await reported(redis_client) == 20
