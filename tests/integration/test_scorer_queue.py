"""A queue that grows faster than it is scored, or that retention cuts: every pair is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from glidepath.config import Config, parse_config
from glidepath.keys import SCORER_GROUP
from glidepath.wire import decode_outcomes, encode_pair
from scorer.scoring.worker.pair_queue import RedisPairQueue
from tests.support.score_loop import CHAT, counted, in_hand, pending, results, working
from tests.support.scoring import InstantScorer, pair
from tests.support.waiting import eventually

TRIMMED = "glidepath_scorer_pairs_trimmed_total"


@pytest.fixture
def config(valid_yaml: str) -> Config:
    return parse_config(valid_yaml + "scorer: {reclaim_after: 500ms, batch: 8}\n")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    client = redis.asyncio.from_url(redis_url)
    yield client
    await client.aclose()


async def test_a_queue_that_grew_too_long_is_cut_to_its_end_and_every_pair_given_up_is_told(config, client):
    newest = 1_700_000_000_000
    for i in range(40):  # a second apart; the last 21 are within the bound of 20 s
        at = newest - (39 - i) * 1000
        await client.xadd(CHAT.pairs, {"p": encode_pair(pair(f"{i:02}"))}, id=f"{at}-0")
    settings = config.model_copy(update={"scorer": config.scorer.model_copy(update={"max_backlog": 20.0})})
    scorer = InstantScorer()
    async with working(settings, client, "a", scorer) as registry:
        await eventually(lambda: counted(client, 40))
    assert sorted(n for batch in scorer.batches for n in batch) == [f"{i:02}" for i in range(19, 40)]
    backlog = [s.pair_id for s in await results(client) if s.unscored_reason == "backlog"]
    assert backlog == [f"{i:02}" for i in range(19)]
    labels = {"workload": "chat", "reason": "backlog"}
    assert registry.get_sample_value("glidepath_scorer_pairs_unscored_total", labels) == 19


async def test_pairs_of_an_earlier_step_are_not_scored_once_they_are_late(config, client):
    newest = 1_700_000_000_000
    for name, behind in (("before", 12_000), ("since", 8_000), ("last", 0)):
        await client.xadd(CHAT.pairs, {"p": encode_pair(pair(name))}, id=f"{newest - behind}-0")
    await client.set(CHAT.status, f'{{"since_ms": {newest - 10_000}}}')
    scorer = InstantScorer()
    async with working(config, client, "a", scorer):
        await eventually(lambda: counted(client, 3))
    assert sorted(n for batch in scorer.batches for n in batch) == ["last", "since"]


async def told(client: Any) -> int:
    """What the status will show as trimmed."""
    entries = await client.xrange(CHAT.outcomes)
    return sum(decode_outcomes(fields[b"o"]).coverage.get("trimmed", 0) for _, fields in entries)


async def fill(client: Any, first: int, count: int, kept: int) -> None:
    for i in range(first, first + count):
        await client.xadd(CHAT.pairs, {"p": encode_pair(pair(f"{i:03}"))}, maxlen=kept, approximate=False)


async def test_pairs_that_retention_took_before_any_scorer_came_are_counted(config, client):
    await fill(client, 0, 50, kept=20)
    async with working(config, client, "a") as registry:
        await eventually(lambda: counted(client, 20))
        await eventually(lambda: _told(client, 30))
        await eventually(lambda: registry.get_sample_value(TRIMMED, {"workload": "chat"}) == 30)
    async with working(config, client, "b") as registry:  # whoever comes next tells nothing twice
        await fill(client, 50, 5, kept=20)
        await eventually(lambda: counted(client, 25))
        await _looked(client, config)
        assert await told(client) == 30
        assert registry.get_sample_value(TRIMMED, {"workload": "chat"}) is None


async def _holds(client: Any, pairs: int) -> bool:
    return await in_hand(client) and await pending(client) == pairs


async def _told(client: Any, pairs: int) -> bool:
    return await told(client) == pairs


async def _looked(client: Any, config: Config) -> None:
    assert await RedisPairQueue(client, config, "onlooker").trimmed() == {}


async def test_pairs_that_retention_takes_while_a_scorer_is_stuck_are_counted_and_those_in_hand_are_not(config, client):
    scorer = InstantScorer()
    scorer.gate.clear()
    await fill(client, 0, 10, kept=10)
    async with working(config, client, "a", scorer):
        await eventually(lambda: _holds(client, 1))
        held = await pending(client)
        await fill(client, 10, 100, kept=10)  # of the 110, the scorer has `held`, and the last 10 are there
        await eventually(lambda: _told(client, 100 - held))
        scorer.gate.set()
        await eventually(lambda: counted(client, 10 + held))
        await _looked(client, config)
    assert await told(client) == 100 - held


async def test_a_group_of_an_earlier_version_begins_its_count_at_nothing(config, client):
    await fill(client, 0, 30, kept=10)
    await client.xgroup_create(CHAT.pairs, SCORER_GROUP, "0")
    async with working(config, client, "a"):
        await eventually(lambda: counted(client, 10))
        await eventually(lambda: _nothing_pending(client))
        await _looked(client, config)
        assert await told(client) == 0


async def test_two_who_look_at_once_tell_it_once(config, client):
    await fill(client, 0, 30, kept=10)
    queues = [RedisPairQueue(client, config, name) for name in "abc"]
    for queue in queues:
        await queue._groups()
    found = await asyncio.gather(*(queue.trimmed() for queue in queues))
    assert sorted(found, key=len) == [{}, {}, {"chat": 20}]
    assert await told(client) == 20


async def _nothing_pending(client: Any) -> bool:
    return await pending(client) == 0
