"""What the commands that look and steer share: Redis, the status, the log, a command and what became of it."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from redis.exceptions import RedisError

from glidepath.config import Config, load_config
from glidepath.config.loader import locate
from glidepath.errors import ConfigError, UnreachableError, error_text
from glidepath.keys import WorkloadKeys
from glidepath.records import Command, Decision, WorkloadStatus, from_json, to_json
from glidepath.redisio import RedisClient, check, connect, without_password

T = TypeVar("T")
Work = Callable[[Config, RedisClient], Awaitable[T]]


def with_redis(path: Path, work: Work[T]) -> T:
    """Run ``work`` with the configuration and a Redis that answers. Raises ConfigError, UnreachableError."""
    config = load_config(path)
    if config.redis.url is None:
        raise ConfigError(
            f"{path}: redis.url: is not set; `glidepath up` prints the configuration of the Redis that it starts"
        )
    return asyncio.run(_run(config, work, locate(path, "redis", "url")))


async def _run(config: Config, work: Work[T], where: str) -> T:
    client = connect(config.redis)
    try:
        await check(client, config.redis, where)
        return await work(config, client)
    except (RedisError, OSError) as error:
        place = without_password(config.redis.url or "")
        reason = error_text(error)
        raise UnreachableError(f"{where}: {place}: {reason}") from error
    finally:
        await client.aclose()


async def read_status(client: RedisClient, workload: str) -> WorkloadStatus | None:
    """None while no scorer has steered this workload."""
    raw = await client.get(WorkloadKeys(workload).status)
    return None if raw is None else from_json(WorkloadStatus, raw)


async def read_log(client: RedisClient, workload: str, count: int) -> list[Decision]:
    """The last ``count`` decisions, oldest first."""
    entries = await client.xrevrange(WorkloadKeys(workload).log, count=count)
    return [_decision(entry) for entry in reversed(entries)]


def _decision(entry: tuple[bytes, dict[bytes, bytes]]) -> Decision:
    return replace(from_json(Decision, entry[1][b"d"]), id=entry[0].decode())


async def send(client: RedisClient, workload: str, command: Command) -> str:
    """Put the command into its stream; returns its id there."""
    keys = WorkloadKeys(workload)
    entry = await client.xadd(keys.commands, {"c": to_json(command)}, maxlen=10_000, approximate=True)
    return str(entry.decode())


async def outcome(client: RedisClient, workload: str, command_id: str, timeout: float) -> Decision | None:
    """The decision that answers the command; None when no scorer acted within ``timeout`` seconds."""
    # Ids of both streams are Redis's own clock, so the answer's is the later one.
    before = f"{int(command_id.partition('-')[0]) - 1}-0"
    return await _await(client, workload, before, timeout, lambda d: d.details.get("command_id") == command_id)


async def next_event(client: RedisClient, workload: str, after: str, event: str, timeout: float) -> Decision | None:
    """The first decision of that kind after the one with id ``after``."""
    return await _await(client, workload, after, timeout, lambda d: d.event == event)


async def _await(
    client: RedisClient, workload: str, cursor: str, timeout: float, wanted: Callable[[Decision], bool]
) -> Decision | None:
    deadline = time.monotonic() + timeout
    log = WorkloadKeys(workload).log
    while (left := deadline - time.monotonic()) > 0:
        answer = await client.xread({log: cursor}, count=100, block=max(min(round(left * 1000), 1000), 1)) or []
        for entry in answer[0][1] if answer else ():
            decision = _decision(entry)
            cursor = decision.id
            if wanted(decision):
                return decision
    return None


def actor(name: Callable[[], str] = getpass.getuser) -> str:
    """Who asks: USER@HOST."""
    try:
        user = name()
    except (KeyError, OSError):  # a container's user often has a number and no name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
