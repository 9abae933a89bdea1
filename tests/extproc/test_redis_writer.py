"""Writing pairs and outcomes to a real Redis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from extproc.redis_writer import RedisWriter
from glidepath.config.retention import RetentionSection
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.protobuf_codec import decode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin, Side
from tests.support.in_memory_extproc import encoded_pair

KEYS = WorkloadKeys("chat")


def outcomes(seq: int, source: str = "one") -> Outcomes:
    return Outcomes("chat", source, seq, 1, 2, (SideOutcomes(Side.BASELINE, Origin.LIVE, requests=seq),), {"paired": 1})


async def test_pairs_and_outcomes_are_streams_with_one_field(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(), "one")
    assert await writer.write([encoded_pair()], [outcomes(1)]) == ([True], [True])
    ((_, pair),) = await redis_client.xrange(KEYS.pairs)
    ((_, outcome),) = await redis_client.xrange(KEYS.outcomes)
    assert pair == {b"p": encoded_pair().data}
    assert decode_outcomes(outcome[b"o"]) == outcomes(1)


async def test_a_repeated_flush_counts_once_and_each_source_has_its_own_numbers(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(), "one")
    for one in (outcomes(1), outcomes(1), outcomes(2), outcomes(1), outcomes(1, "two")):
        await writer.write([], [one])
    written = [decode_outcomes(entry[b"o"]) for _, entry in await redis_client.xrange(KEYS.outcomes)]
    assert [(o.source, o.seq) for o in written] == [("one", 1), ("one", 2), ("two", 1)]
    assert 0 < await redis_client.ttl(KEYS.written("one")) <= 86_400


async def test_a_key_of_another_type_is_reported_as_not_written(redis_client: Any) -> None:
    await redis_client.set(KEYS.pairs, "a person was here")
    kept = await RedisWriter(redis_client, RetentionSection(), "one").write([encoded_pair()], [outcomes(1)])
    assert kept == ([False], [True])


async def test_a_repeated_pair_is_stored_once_and_each_source_has_its_own_numbers(redis_client: Any) -> None:
    writer, other = (RedisWriter(redis_client, RetentionSection(), source) for source in ("one", "two"))
    pairs = [encoded_pair(number, seq=number) for number in (1, 2, 3)]
    for some in (pairs[:2], pairs[:2], pairs):  # the reply to the first write is lost, and a pair has come since
        assert await writer.write(some, []) == ([True] * len(some), [])
    assert await other.write(pairs[:1], []) == ([True], [])
    stored = [entry[b"p"] for _, entry in await redis_client.xrange(KEYS.pairs)]
    assert stored == [pair.data for pair in (*pairs, pairs[0])]
    assert 0 < await redis_client.ttl(KEYS.written_pairs("one")) <= 86_400


async def test_a_full_redis_refuses_pairs_and_stores_them_once_when_it_has_room(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(), "one")
    pairs = [encoded_pair(number, size=10_000, seq=number) for number in (1, 2)]
    assert await writer.write(pairs[:1], []) == ([True], [])
    await redis_client.config_set("maxmemory", "1mb")
    try:
        assert await writer.write(pairs, []) == ([True, False], [])
    finally:
        await redis_client.config_set("maxmemory", "0")
    assert await writer.write(pairs[1:], []) == ([True], [])
    assert await redis_client.xlen(KEYS.pairs) == 2


async def test_what_redis_refuses_for_one_workload_does_not_concern_another(redis_client: Any) -> None:
    await redis_client.set(KEYS.pairs, "a person was here")
    writer = RedisWriter(redis_client, RetentionSection(), "one")
    pairs = [encoded_pair(seq=1), replace(encoded_pair(seq=2), workload="mail"), encoded_pair(seq=3)]
    assert await writer.write(pairs, []) == ([False, True, False], [])
    assert await redis_client.xlen(WorkloadKeys("mail").pairs) == 1


async def test_the_number_of_pairs_is_limited(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(pairs=200), "one")
    for turn in range(20):
        await writer.write([encoded_pair(seq=50 * turn + n + 1) for n in range(50)], [])
    assert 200 <= await redis_client.xlen(KEYS.pairs) < 400  # Redis trims whole nodes of about a hundred
