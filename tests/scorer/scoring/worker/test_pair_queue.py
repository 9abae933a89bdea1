"""The queue of pairs in Redis if the configuration has no workload."""

from __future__ import annotations

from typing import Any

from glidepath.config import parse_config
from scorer.scoring.worker.pair_queue import RedisPairQueue


async def test_a_configuration_that_only_observes_has_no_pairs(redis_client: Any) -> None:
    queue = RedisPairQueue(redis_client, parse_config("inventory: {}"), "scorer-1")
    assert await queue.claim(10) == []
    assert await queue.reclaim() == ([], {})
    assert await queue.lengths() == {}
