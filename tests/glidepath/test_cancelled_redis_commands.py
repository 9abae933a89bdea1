"""A cancellation that arrives during a Redis command is raised, although redis-py may lose it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.exceptions import RedisError

from glidepath.config.connections import RedisSection
from glidepath.redisio import connect
from tests.support.lost_cancellation import SwallowsCancellation, ends_after_a_lost_cancellation

OWNERS: list[tuple[type, str, bool]] = [
    (redis.asyncio.Redis, "execute_command", False),
    (Pipeline, "execute", False),
    (RedisCluster, "execute_command", True),
    (ClusterPipeline, "execute", True),
]


def use(client: Any, method: str) -> Awaitable[Any]:
    return client.get("key") if method == "execute_command" else client.pipeline().execute()


@pytest.mark.parametrize(("owner", "method", "cluster"), OWNERS)
@pytest.mark.parametrize("error", [None, RedisError("gone")])
async def test_a_cancellation_that_redis_py_loses_is_raised(
    owner: type, method: str, cluster: bool, error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = SwallowsCancellation()

    async def loses(*_: Any, **__: Any) -> None:
        await call()
        if error is not None:
            raise error

    monkeypatch.setattr(owner, method, loses)
    client = connect(RedisSection(url="redis://127.0.0.1:1/0", cluster=cluster))

    async def endless() -> None:
        while True:
            await use(client, method)
            await asyncio.sleep(0)

    task = asyncio.create_task(endless())
    assert await ends_after_a_lost_cancellation(task, call)
    assert (task.cancelled(), call.calls) == (True, 1)


async def test_commands_of_a_clean_up_after_a_cancellation_are_executed(redis_url: str) -> None:
    client = connect(RedisSection(url=redis_url))
    waiting = asyncio.Event()

    async def leave() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            await client.set("first", 1)
            await client.set("second", 2)

    async with client:
        task = asyncio.create_task(leave())
        await waiting.wait()
        task.cancel()
        await asyncio.wait({task}, timeout=60)
        assert await client.mget("first", "second") == [b"1", b"2"]


async def test_an_error_of_redis_stays_that_error(redis_url: str) -> None:
    async with connect(RedisSection(url=redis_url)) as client:
        with pytest.raises(RedisError, match="unknown command"):
            await client.execute_command("NO_SUCH_COMMAND")


@pytest.mark.parametrize("command", ["get", "pipeline"])
async def test_no_cancellation_is_lost_at_a_real_redis(command: str, redis_url: str) -> None:
    rng = random.Random(1)
    client = connect(RedisSection(url=redis_url))
    commands: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: client.get("key"),
        "pipeline": lambda: client.pipeline().get("key").execute(),
    }

    async def endless() -> None:
        while True:
            await commands[command]()

    async with client:
        for _ in range(40):
            task = asyncio.create_task(endless())
            await asyncio.sleep(rng.uniform(0.001, 0.005))
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=60)
            if not done:
                task.cancel()
            assert done
