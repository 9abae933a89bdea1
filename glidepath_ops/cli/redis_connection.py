"""Loads the configuration, connects to Redis, and runs a command's work with both."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from redis.exceptions import RedisError

from glidepath.config import Config, load_config
from glidepath.config.loader import locate
from glidepath.errors import ConfigError, UnreachableError, error_text
from glidepath.redisio import RedisClient, check, connect, without_password
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.local.addresses_of_running_up import with_running_up
from glidepath_ops.local.data_folder import DEFAULT_FOLDER

T = TypeVar("T")
READING = "reading from Redis"
# Errors of standard output, which ``work`` may write: redis-py raises a RedisError for its own connections.
_OUTPUT_ERRORS = frozenset({errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
Work = Callable[[Config, RedisClient], Awaitable[T]]


def with_redis(path: Path, work: Work[T], waiting: str | None = READING) -> T:
    """Call ``work`` with the configuration at ``path`` and a connected Redis client, and return the result of ``work``.

    If the configuration names no Redis, use the Redis of the ``glidepath up`` that runs with this configuration.
    ``waiting``: the text of a progress bar, shown if this takes over two seconds; None if ``work`` shows its own
    progress. Raises ConfigError if there is no Redis, and UnreachableError if Redis does not answer or fails during the
    work.
    """
    config = with_running_up(load_config(path), path)
    if config.redis.url is None:
        raise ConfigError(
            f"{path}: redis.url: is not set, and no `glidepath up` runs with this file and the data folder "
            f"{DEFAULT_FOLDER}; start `glidepath up`, set redis.url, "
            f"or name the file glidepath.yaml in the data folder of your `up`"
        )
    with nullcontext() if waiting is None else delayed_progress_bar(waiting, None):
        return asyncio.run(_run(config, work, locate(path, "redis", "url")))


async def _run(config: Config, work: Work[T], where: str) -> T:
    client = connect(config.redis)
    try:
        await check(client, config.redis, where)
        return await work(config, client)
    except (RedisError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS:
            raise
        url = without_password(config.redis.url or "")
        raise UnreachableError(f"{where}: {url}: {error_text(error)}") from error
    finally:
        await client.aclose()
