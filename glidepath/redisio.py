"""One way to Redis for every part: a client from the configuration, and a check that it is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis.asyncio as redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from glidepath.config.parts import RedisSection, Secret
from glidepath.errors import ConfigError, UnreachableError

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


def connect(section: RedisSection, *, timeout: float = 5.0) -> RedisClient:
    """A client (plain or cluster); connects on first use. Bytes in, bytes out."""
    url = section.url or "redis://127.0.0.1:6379/0"
    password = read_secret(section.password) if section.password else None
    options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": min(timeout, 2.0)}
    if password is not None:
        options["password"] = password
    if section.cluster:
        return RedisCluster.from_url(url, **options)
    return redis.from_url(url, health_check_interval=10, **options)


async def check(client: RedisClient, section: RedisSection) -> None:
    """Raise UnreachableError, naming the URL, unless a Redis that we may use answers."""
    place = f"redis.url: {without_password(section.url or '')}"
    try:
        info = await client.info("server")
    except (RedisError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreachableError(f"{place}: no Redis that can be used there: {reason}") from error
    if "redis_version" not in (info if "redis_version" in info else next(iter(info.values()), {})):
        raise UnreachableError(f"{place}: what answers there is not a Redis")
