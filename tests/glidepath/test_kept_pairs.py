"""Kept pairs in a real Redis: copies of stored pairs, limited in number, bytes and age."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config.retention import RetentionSection
from glidepath.kept_pairs import KeptCount, forget_pairs, keep_pairs, read_kept
from glidepath.redis_keys import WorkloadKeys

CHAT = WorkloadKeys("chat")


async def stored(client: Any, data: bytes) -> str:
    return str((await client.xadd(CHAT.pairs, {"p": data})).decode())


async def test_a_kept_pair_outlives_its_stream(redis_client: Any) -> None:
    entry = await stored(redis_client, b"body")
    assert await keep_pairs(redis_client, "chat", RetentionSection(), [("a", entry)]) == KeptCount(0, 1)
    await redis_client.delete(CHAT.pairs)
    assert await read_kept(redis_client, "chat", "a") == b"body"
    assert await keep_pairs(redis_client, "chat", RetentionSection(), [("a", entry)]) == KeptCount(0, 1)


@pytest.mark.parametrize("entry", ["1-1", ""])
async def test_a_pair_that_is_gone_is_counted(redis_client: Any, entry: str) -> None:
    assert await keep_pairs(redis_client, "chat", RetentionSection(), [("a", entry)]) == KeptCount(1, 0)
    assert await read_kept(redis_client, "chat", "a") is None


async def test_the_oldest_go_when_there_are_too_many(redis_client: Any) -> None:
    retention = RetentionSection(kept=3)
    for number in range(5):
        entry = await stored(redis_client, b"x%d" % number)
        await keep_pairs(redis_client, "chat", retention, [(f"p{number}", entry)])
    kept = [await read_kept(redis_client, "chat", f"p{n}") for n in range(5)]
    assert kept == [None, None, b"x2", b"x3", b"x4"]


async def test_the_oldest_go_when_they_have_too_many_bytes(redis_client: Any) -> None:
    retention = RetentionSection(kept_bytes="64KiB")
    for number in range(3):
        entry = await stored(redis_client, b"x" * 30_000)
        await keep_pairs(redis_client, "chat", retention, [(f"p{number}", entry)])
    assert await redis_client.hlen(CHAT.kept) == await redis_client.zcard(CHAT.kept_times) == 2


async def test_expired_pairs_go_with_the_next_call(redis_client: Any) -> None:
    entry = await stored(redis_client, b"x")
    await keep_pairs(redis_client, "chat", RetentionSection(), [("a", entry), ("b", entry)])
    await redis_client.zadd(CHAT.kept_times, {"a": 1})
    assert await keep_pairs(redis_client, "chat", RetentionSection(kept_age="1h")) == KeptCount(0, 1)
    assert await read_kept(redis_client, "chat", "a") is None


async def test_kept_pairs_expire_even_if_nobody_removes_them_any_more(redis_client: Any) -> None:
    await keep_pairs(redis_client, "chat", RetentionSection(), [("a", await stored(redis_client, b"x"))])
    await keep_pairs(redis_client, "chat", RetentionSection(kept_age="1h"))
    for key in (CHAT.kept, CHAT.kept_times):
        assert 3_590_000 < await redis_client.pttl(key) <= 3_600_000


async def test_zero_keeps_none(redis_client: Any) -> None:
    entry = await stored(redis_client, b"x")
    assert (await keep_pairs(redis_client, "chat", RetentionSection(kept=0), [("a", entry)])).kept == 0
    assert await redis_client.exists(CHAT.kept, CHAT.kept_times) == 0


async def test_forgetting_removes_pairs_and_labels_of_this_workload_only(redis_client: Any) -> None:
    entry = await stored(redis_client, b"x")
    await keep_pairs(redis_client, "chat", RetentionSection(), [("a", entry)])
    await redis_client.hset(CHAT.labels, "a", "{}")
    await redis_client.hset(WorkloadKeys("other").kept, "a", b"y")
    assert await forget_pairs(redis_client, "chat") == 1
    assert await redis_client.exists(CHAT.kept, CHAT.kept_times, CHAT.labels, CHAT.label_times) == 0
    assert await read_kept(redis_client, "other", "a") == b"y"
