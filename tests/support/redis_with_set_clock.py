"""A Redis whose clock a test can set.

Redis runs under libfaketime. If libfaketime is not installed, only the steering store and the writers of the test see
the time that is set.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glidepath.redis_keys import lease_key
from glidepath.redisio import RedisClient
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.choose_redis_server import redis_binary
from glidepath_ops.local.redis_and_envoy import redis_answers, spawn_redis
from scorer.steering.leader.redis_store import RedisSteeringStore

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@dataclass(slots=True)
class FakedClock:
    """The clock of a Redis process that runs under libfaketime. ``offset`` is the file that libfaketime reads."""

    offset: Path

    async def set(self, redis: RedisClient, by_ms: int) -> None:
        self.offset.write_text(f"{by_ms / 1000:+.3f}s\n")

    def store(self, redis: RedisClient) -> RedisSteeringStore:
        return RedisSteeringStore(redis, cluster=False, log_retention=100)

    async def add(self, redis: RedisClient, stream: str, fields: Mapping[str, Any]) -> None:
        await redis.xadd(stream, dict(fields))


@dataclass(slots=True)
class ReplacedClock:
    """A replaced clock for a Redis without libfaketime: the store shifts Redis' TIME, and the writers choose the ids.

    As with a real clock, the ids of a stream never go back, and a clock that is set forward ends the leader's lease.
    """

    ahead_ms: int = 0
    last_ids: dict[str, int] = field(default_factory=dict)

    async def set(self, redis: RedisClient, by_ms: int) -> None:
        self.ahead_ms = by_ms
        if by_ms > 0:
            await redis.delete(lease_key(""))

    def store(self, redis: RedisClient) -> RedisSteeringStore:
        return _ShiftedStore(redis, self)

    async def add(self, redis: RedisClient, stream: str, fields: Mapping[str, Any]) -> None:
        shown = round(time.time() * 1000) + self.ahead_ms
        self.last_ids[stream] = at_ms = max(self.last_ids.get(stream, 0), shown)
        await redis.xadd(stream, dict(fields), id=f"{at_ms}-*")


class _ShiftedStore(RedisSteeringStore):
    def __init__(self, redis: RedisClient, clock: ReplacedClock) -> None:
        super().__init__(redis, cluster=False, log_retention=100)
        self._clock = clock

    async def clocks_ms(self, workloads: Sequence[str]) -> Mapping[str, int]:
        true = await super().clocks_ms(workloads)
        return {name: at_ms + self._clock.ahead_ms for name, at_ms in true.items()}


@contextmanager
def faked_redis(folder: Path) -> Iterator[tuple[str, FakedClock]]:
    """Run a Redis under libfaketime. Yield its URL and its clock."""
    offset, wrapper, port = folder / "offset", folder / "redis-with-faked-clock", free_ports(1)[0]
    offset.write_text("+0s\n")
    settings = f"LD_PRELOAD={LIBRARY} FAKETIME_TIMESTAMP_FILE={shlex.quote(str(offset))} FAKETIME_NO_CACHE=1"
    command = f"{settings} FAKETIME_DONT_FAKE_MONOTONIC=1 exec {shlex.quote(redis_binary())}"
    wrapper.write_text(f'#!/bin/sh\n{command} "$@"\n')
    wrapper.chmod(0o700)
    with spawn_redis(folder / "data", port, binary=str(wrapper)) as child:
        child.wait_until(lambda: redis_answers(port))
        yield f"redis://127.0.0.1:{port}/0", FakedClock(offset)
