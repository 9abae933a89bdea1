"""The errors of the cluster client if redis-py fails on a connection that another task has closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

from glidepath.config.connections import RedisSection
from glidepath.redisio import RedisClient, connect

# redis-py 8.1: Connection._send_packed_command uses self._writer, which a disconnect by another task has set to None.
CLOSED = AttributeError("'NoneType' object has no attribute 'writelines'")


@pytest.fixture
async def client() -> AsyncIterator[RedisClient]:
    client = connect(RedisSection(url="redis://127.0.0.1:1", cluster=True))
    yield client
    await client.aclose()


@pytest.mark.parametrize("error", [CLOSED, RedisClusterException("slot 1 is not covered")])
async def test_a_command_raises_a_redis_error(
    client: RedisClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(*args: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(RedisCluster, "execute_command", fail)
    with pytest.raises(RedisConnectionError, match="Redis Cluster: "):
        await client.xread({"a": "0"})


async def test_a_pipeline_raises_a_redis_error(client: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: Any, **options: Any) -> None:
        raise CLOSED

    monkeypatch.setattr(ClusterPipeline, "execute", fail)
    with pytest.raises(RedisConnectionError, match="closed during the command"):
        await client.pipeline().set("a", "b").execute()


async def test_a_new_connection_raises_a_redis_error(client: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: Any, **options: Any) -> None:
        raise CLOSED

    monkeypatch.setattr(ClusterNode, "execute_command", fail)
    with pytest.raises(RedisConnectionError):
        await client.initialize()
