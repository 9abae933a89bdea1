"""Trimming the streams of a real Redis by age and bytes."""

from __future__ import annotations

from typing import Any

from extproc.redis_retention import StreamTrimmer
from extproc.redis_writer import RedisWriter
from glidepath.clock import unix_ms
from glidepath.config.retention import RetentionSection
from glidepath.redis_keys import WorkloadKeys
from tests.support.in_memory_extproc import encoded_pair

KEYS = WorkloadKeys("chat")


async def test_pairs_are_removed_that_are_old_by_redis_clock_and_by_this_hosts(redis_client: Any) -> None:
    now_ms = unix_ms()
    writer = RedisWriter(redis_client, RetentionSection(age="1h"), "one")
    trimmer, hour_ms = StreamTrimmer(redis_client, RetentionSection(age="1h")), 3600 * 1000
    for number in range(1000):
        await redis_client.xadd(KEYS.pairs, {"p": b"old"}, id=f"{now_ms - 2 * hour_ms}-{number}")
    await trimmer.trim(["chat"], now_ms - 2 * hour_ms)  # old by Redis' clock only
    assert await redis_client.xlen(KEYS.pairs) == 1000
    await trimmer.trim(["chat"], now_ms)
    assert await redis_client.xlen(KEYS.pairs) < 100
    await redis_client.delete(KEYS.pairs)
    for turn in range(20):
        await writer.write([encoded_pair(seq=50 * turn + n + 1) for n in range(50)], [])
    await trimmer.trim(["chat"], now_ms + 2 * hour_ms)  # old by this host's clock only
    assert await redis_client.xlen(KEYS.pairs) == 1000


async def test_pairs_expire_even_if_nobody_trims_them_any_more(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(age="1h"), "one")
    await writer.write([encoded_pair(seq=1)], [])
    await redis_client.pexpire(KEYS.pairs, 5_000)
    await writer.write([encoded_pair(seq=2)], [])
    assert 3_590_000 < await redis_client.pttl(KEYS.pairs) <= 3_600_000


async def test_the_bytes_of_pairs_are_limited(redis_client: Any) -> None:
    limit = 2**20
    writer = RedisWriter(redis_client, RetentionSection(bytes=f"{limit}B"), "one")
    trimmer = StreamTrimmer(redis_client, RetentionSection(bytes=f"{limit}B"))
    for turn in range(20):
        await writer.write([encoded_pair(size=20_000, seq=10 * turn + n + 1) for n in range(10)], [])
    assert (await trimmer.trim(["chat"], unix_ms()))["chat"] > limit
    assert await redis_client.memory_usage(KEYS.pairs, samples=0) <= limit * 1.1
    assert await redis_client.xlen(KEYS.pairs) > 10
