"""Reading the counts of several processes, and the noise floor, from a real Redis."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath import redis_keys
from glidepath.call_classes import CallClass
from glidepath.config import parse_config
from glidepath.inventory.period_tallies import HOUR_MS, HOURS, PeriodTallies
from glidepath.inventory.stored_periods import encoded, fingerprint_key, periods_between, write_groups
from glidepath.inventory.tally import GroupKey, Source
from glidepath_ops.inventory.answer_variation import VariationBasis
from glidepath_ops.inventory.read_inventory import ReadTraffic, read_from_redis
from tests.conftest import VALID

CHAT = GroupKey(Source.LOG, "/v1/chat/completions", CallClass.INFERENCE, "", "none")
NOW = 1_796_000_000_000
KEEP_S = 35 * 86_400


async def store(client: Any, source: str, requests: int, at_ms: int, times: int = 1) -> None:
    """Count requests as a process does, and write them ``times`` times."""
    tallies = PeriodTallies(10)
    for tally in tallies.tallies(CHAT, at_ms):
        tally.requests += requests
    for groups, keys in tallies.take_changed():
        for _ in range(times):
            await write_groups(client, groups.period, encoded(source, groups, keys), KEEP_S, at_ms)


async def read(client: Any, since_ms: int) -> ReadTraffic:
    return await read_from_redis(parse_config(VALID), client, since_ms, NOW, lambda _: None)


async def test_processes_add_up_and_a_repeated_write_counts_once(redis_client: Any) -> None:
    await store(redis_client, "one", 3, NOW, times=2)
    await store(redis_client, "two", 4, NOW - HOUR_MS)
    found = await read(redis_client, NOW - 2 * HOUR_MS)
    assert found.traffic.requests == 7
    assert found.from_ms <= NOW - HOUR_MS < found.to_ms == NOW
    assert (await read(redis_client, NOW - 30 * 24 * HOUR_MS)).traffic.requests == 7  # by days


async def test_older_hours_are_left_out(redis_client: Any) -> None:
    await store(redis_client, "one", 3, NOW - 10 * HOUR_MS)
    assert (await read(redis_client, NOW - 5 * HOUR_MS)).traffic.requests == 0


async def test_what_is_stored_expires(redis_client: Any) -> None:
    await store(redis_client, "one", 3, NOW)
    async for key in redis_client.scan_iter(f"{redis_keys.PREFIX}:inventory:*"):
        assert 0 < await redis_client.ttl(key) <= KEEP_S + 2 * 86_400


async def test_damaged_groups_are_noted_and_the_others_count(redis_client: Any) -> None:
    await store(redis_client, "one", 3, NOW)
    await redis_client.hset(redis_keys.inventory_period("hour", HOURS.number(NOW)), "two.1:x", b"damage")
    found = await read(redis_client, NOW - HOUR_MS)
    assert found.traffic.requests == 3
    assert found.notes == ("1 groups in Redis cannot be read: a newer Glidepath wrote them",)


@pytest.mark.parametrize(("pairs", "known"), [(200, True), (5, False)])
async def test_the_noise_floor_of_a_workload_is_read(redis_client: Any, pairs: int, known: bool) -> None:
    config = parse_config(VALID)
    key = redis_keys.WorkloadKeys("chat").noise("cloud", config.scorer.embedder.model)
    await redis_client.hset(key, mapping={"pairs": pairs, "agreement_sum": 0.9 * pairs})
    found = (await read(redis_client, NOW - HOUR_MS)).variations
    assert (found["chat"].basis is VariationBasis.NOISE_FLOOR if known else found == {}) is True


async def test_the_first_process_makes_the_key_of_the_fingerprints(redis_client: Any) -> None:
    key = await fingerprint_key(redis_client)
    assert len(key) == 32
    assert await fingerprint_key(redis_client) == key


def test_hours_are_read_while_they_are_kept_and_days_after_that() -> None:
    assert len(periods_between(NOW - 6 * HOUR_MS, NOW)) == 7
    assert {one.level.name for one in periods_between(NOW - 6 * HOUR_MS, NOW)} == {"hour"}
    assert {one.level.name for one in periods_between(NOW - 72 * HOUR_MS, NOW)} == {"day"}
