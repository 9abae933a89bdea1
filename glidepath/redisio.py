"""One way to Redis for every part: a client from the configuration, and a check that it is one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis.asyncio as redis
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from glidepath.config.connections import RedisSection
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError, UnreachableError, error_text

# redis-py's two clients share their commands but no useful base class.
RedisClient = Any


def read_secret(secret: Secret) -> str:
    """The value of a secret, without the newline that files end with. Raises ConfigError naming the source."""
    if secret.env is not None:
        value = os.environ.get(secret.env)
        if value is None:
            raise ConfigError(f"the environment variable {secret.env}, which the configuration names, is not set")
        return value
    try:
        return Path(str(secret.file)).read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{secret.file}: the secret cannot be read: {error.strerror}") from error


def without_password(url: str) -> str:
    """The URL as it may be shown and logged."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{parts.hostname}:{parts.port or 6379}"))


class _Cluster(RedisCluster):
    """redis-py's client, of which a cluster that is away raises a RedisError, as a plain Redis that is away does.

    Its own RedisClusterException ("cannot be connected", "slot is not covered") is no RedisError: whoever waits for
    Redis to come back would not know it.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        with _as_redis_error():
            return await super().execute_command(*args, **options)

    async def initialize(self, *args: Any, **options: Any) -> RedisCluster:
        with _as_redis_error():
            return await super().initialize(*args, **options)

    def pipeline(self, transaction: Any | None = None, shard_hint: Any | None = None) -> ClusterPipeline:
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # ClusterPipeline's own, too: a gap in its types


class _Pipeline(ClusterPipeline):
    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        with _as_redis_error():
            answers: list[Any] = await super().execute(raise_on_error, allow_redirections)
            return answers


@contextmanager
def _as_redis_error() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        raise RedisConnectionError(f"Redis Cluster: {error}") from error


def connect(section: RedisSection, *, timeout: float = 5.0) -> RedisClient:
    """A client (plain or cluster); connects on first use. Bytes in, bytes out."""
    url = section.url or "redis://127.0.0.1:6379/0"
    password = read_secret(section.password) if section.password else None
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": min(timeout, 2.0)}
    if password is not None:
        options["password"] = password
    if section.cluster:
        return _Cluster.from_url(url, **options)
    return redis.from_url(url, health_check_interval=10, **options)


def being_cancelled() -> bool:
    """Whether the current task was told to end: a loop that calls Redis asks before each round.

    A cancellation that meets redis-py (8.1) in the midst of a reply can be lost; the task still knows of it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def check(client: RedisClient, section: RedisSection, where: str = "redis.url") -> None:
    """Raise UnreachableError, naming the URL and ``where`` it stands, unless a Redis that we may use answers."""
    place = f"{where}: {without_password(section.url or '')}"
    try:
        info = await client.info("server")
    except (RedisError, OSError, ValueError) as error:
        reason = error_text(error)
        raise UnreachableError(f"{place}: no Redis that can be used there: {reason}") from error
    if "redis_version" not in (info if "redis_version" in info else next(iter(info.values()), {})):
        raise UnreachableError(f"{place}: what answers there is not a Redis")
