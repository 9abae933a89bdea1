"""Writing to the real Redis, and keeping it within its bounds."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
import structlog

from extproc.pair_encoding import PairPreparer, Prepared, RawPair
from extproc.redaction import Redactor
from extproc.redis_writer import RedisStore
from glidepath.clock import unix_ms
from glidepath.config.processes import RedactionSection, RetentionSection
from glidepath.domain import Answer, Origin, Outcomes, Pair, PairKind, Side, SideOutcomes
from glidepath.keys import WorkloadKeys
from glidepath.wire import decode_outcomes, decode_pair

KEYS = WorkloadKeys("chat")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    made = redis.asyncio.from_url(redis_url)
    yield made
    await made.aclose()


def prepared(number: int = 1, size: int = 10) -> Prepared:
    return Prepared("chat", PairKind.CROSS, number.to_bytes(4, "big") * (size // 4))


def outcomes(seq: int, source: str = "one") -> Outcomes:
    return Outcomes("chat", source, seq, 1, 2, (SideOutcomes(Side.BASELINE, Origin.LIVE, requests=seq),), {"paired": 1})


async def test_pairs_and_outcomes_are_streams_with_one_field(client: Any) -> None:
    store = RedisStore(client, RetentionSection())
    assert await store.write([prepared()], [outcomes(1)]) == ([True], [True])
    ((_, pair),) = await client.xrange(KEYS.pairs)
    ((_, outcome),) = await client.xrange(KEYS.outcomes)
    assert pair == {b"p": prepared().data}
    assert decode_outcomes(outcome[b"o"]) == outcomes(1)


async def test_a_repeated_flush_counts_once_and_each_source_has_its_own_numbers(client: Any) -> None:
    store = RedisStore(client, RetentionSection())
    for one in (outcomes(1), outcomes(1), outcomes(2), outcomes(1), outcomes(1, "two")):
        await store.write([], [one])
    written = [decode_outcomes(entry[b"o"]) for _, entry in await client.xrange(KEYS.outcomes)]
    assert [(o.source, o.seq) for o in written] == [("one", 1), ("one", 2), ("two", 1)]
    assert 0 < await client.ttl(KEYS.written("one")) <= 86_400


async def test_a_key_of_another_kind_is_a_refusal_not_a_crash(client: Any) -> None:
    await client.set(KEYS.pairs, "a person was here")
    kept = await RedisStore(client, RetentionSection()).write([prepared()], [outcomes(1)])
    assert kept == ([False], [True])


async def test_the_number_of_pairs_is_bounded(client: Any) -> None:
    store = RedisStore(client, RetentionSection(pairs=200))
    for _ in range(20):
        await store.write([prepared() for _ in range(50)], [])
    assert 200 <= await client.xlen(KEYS.pairs) < 400  # Redis trims whole nodes of about a hundred


async def test_old_pairs_go(client: Any) -> None:
    now_ms = unix_ms()
    store = RedisStore(client, RetentionSection(age=3600))
    for _ in range(20):
        await store.write([prepared() for _ in range(50)], [])
    await store.trim(["chat"], now_ms)
    assert await client.xlen(KEYS.pairs) == 1000
    await store.trim(["chat"], now_ms + 2 * 3600 * 1000)
    assert await client.xlen(KEYS.pairs) < 100


async def test_the_bytes_of_pairs_are_bounded(client: Any) -> None:
    limit = 2**20
    store = RedisStore(client, RetentionSection(bytes=limit))
    for _ in range(20):
        await store.write([prepared(size=20_000) for _ in range(10)], [])
    assert (await store.trim(["chat"], unix_ms()))["chat"] > limit
    assert await client.memory_usage(KEYS.pairs, samples=0) <= limit * 1.1
    assert await client.xlen(KEYS.pairs) > 10


def pair(body: bytes) -> Pair:
    first = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, body=body, content_type="application/json")
    return Pair("id", "chat", PairKind.CROSS, 1, "POST", "/", b"ask ann@example.com", first, first)


def prepare(raw: RawPair, limit: int = 10**6) -> Pair:
    preparer = PairPreparer(Redactor(RedactionSection(builtin=("email",))), limit)
    try:
        return decode_pair(preparer.prepare_one(raw).data)
    finally:
        preparer.close()


def test_bodies_are_decoded_and_redacted_before_they_are_encoded() -> None:
    stored = prepare(RawPair(pair(gzip.compress(b"I am bob@example.com")), "", "gzip", "gzip"))
    assert stored.first.body == stored.second.body == b"I am [redacted]"
    assert stored.request_body == b"ask [redacted]"
    assert not stored.first.body_cut


def test_a_body_that_decodes_to_too_much_is_cut_and_one_that_does_not_decode_is_left_out() -> None:
    stored = prepare(RawPair(pair(gzip.compress(b"x" * 5000)), "", "gzip", "zstd"), limit=100)
    assert (len(stored.first.body), stored.first.body_cut) == (100, True)
    assert (stored.second.body, stored.second.body_cut) == (b"", True)
    assert "not zstd" in stored.second.error


async def test_a_pair_that_cannot_be_prepared_is_set_aside_alone_and_said_once_without_its_body() -> None:
    class Brittle(Redactor):
        def redact(self, body: bytes, content_type: str = "") -> bytes | None:
            if b"poison" in body:
                raise ValueError(body)
            return super().redact(body, content_type)

    preparer = PairPreparer(Brittle(RedactionSection()), 10**6)
    batch = [RawPair(pair(body)) for body in (b"fine", b"poison one", b"poison two", b"fine")]
    try:
        with structlog.testing.capture_logs() as logs:
            prepared = await preparer.prepare(batch)
    finally:
        preparer.close()
    assert [one is None for one in prepared] == [False, True, True, False]
    (line,) = logs
    assert (line["error"], line["workload"]) == ("ValueError", "chat")
    assert "poison" not in str(line)
