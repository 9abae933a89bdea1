"""Writing pairs and outcomes to a real Redis."""

from __future__ import annotations

from typing import Any

from extproc.redis_writer import RedisWriter
from glidepath.config.retention import RetentionSection
from glidepath.pairs_and_outcomes import Origin, Outcomes, Side, SideOutcomes
from glidepath.protobuf_codec import decode_outcomes
from glidepath.redis_keys import WorkloadKeys
from tests.support.extproc_twins import encoded_pair

KEYS = WorkloadKeys("chat")


def outcomes(seq: int, source: str = "one") -> Outcomes:
    return Outcomes("chat", source, seq, 1, 2, (SideOutcomes(Side.BASELINE, Origin.LIVE, requests=seq),), {"paired": 1})


async def test_pairs_and_outcomes_are_streams_with_one_field(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection())
    assert await writer.write([encoded_pair()], [outcomes(1)]) == ([True], [True])
    ((_, pair),) = await redis_client.xrange(KEYS.pairs)
    ((_, outcome),) = await redis_client.xrange(KEYS.outcomes)
    assert pair == {b"p": encoded_pair().data}
    assert decode_outcomes(outcome[b"o"]) == outcomes(1)


async def test_a_repeated_flush_counts_once_and_each_source_has_its_own_numbers(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection())
    for one in (outcomes(1), outcomes(1), outcomes(2), outcomes(1), outcomes(1, "two")):
        await writer.write([], [one])
    written = [decode_outcomes(entry[b"o"]) for _, entry in await redis_client.xrange(KEYS.outcomes)]
    assert [(o.source, o.seq) for o in written] == [("one", 1), ("one", 2), ("two", 1)]
    assert 0 < await redis_client.ttl(KEYS.written("one")) <= 86_400


async def test_a_key_of_another_type_is_reported_as_not_written(redis_client: Any) -> None:
    await redis_client.set(KEYS.pairs, "a person was here")
    kept = await RedisWriter(redis_client, RetentionSection()).write([encoded_pair()], [outcomes(1)])
    assert kept == ([False], [True])


async def test_the_number_of_pairs_is_limited(redis_client: Any) -> None:
    writer = RedisWriter(redis_client, RetentionSection(pairs=200))
    for _ in range(20):
        await writer.write([encoded_pair() for _ in range(50)], [])
    assert 200 <= await redis_client.xlen(KEYS.pairs) < 400  # Redis trims whole nodes of about a hundred
