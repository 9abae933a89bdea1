"""Clients that send requests to a complete Glidepath, for tests that break a part of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath_ops.demo.client_load import Clients, Profile
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

RATE = 50
SLOW_MS = 1000  # far above the duration of a request (3 ms), and a third of the shortest time that a part is frozen


@dataclass(slots=True)
class Traffic:
    """Clients of a running system. ``finish`` stops them and checks that every request was answered in time."""

    system: System
    clients: Clients
    stop: asyncio.Event
    running: asyncio.Task[None]

    @property
    def sent(self) -> int:
        return self.clients.stats.requests

    async def more(self, count: int) -> None:
        """Wait until ``count`` more requests have been sent."""
        target = self.sent + count
        await eventually(lambda: self.sent >= target)

    async def finish(self) -> int:
        """Stop the clients, check their answers, and return the number of requests."""
        self.stop.set()
        await self.running
        stats = self.clients.stats
        assert stats.error_kinds == {}
        assert stats.answered == stats.requests
        assert stats.skipped == 0
        slow = [ms for ms in stats.recent_ms if ms > SLOW_MS]
        assert len(slow) <= len(stats.recent_ms) // 100, f"slow answers: {slow}"
        return stats.requests


@asynccontextmanager
async def traffic(folder: Path, *, scorer: bool = False, **workload: Mapping[str, Any]) -> AsyncIterator[Traffic]:
    """Run a system with clients. Yield the traffic after 50 requests, once at least 20 pairs are in Redis."""
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(folder, cloud.url, onprem.url, **workload)
        async with running_system(config, folder, scorer=scorer) as system, asyncio.TaskGroup() as group:
            clients = Clients(system.url, Profile(rate=RATE, prompts=["Who?"], stream_share=0), random.Random(1))
            stop = asyncio.Event()
            under_way = Traffic(system, clients, stop, group.create_task(clients.run(stop)))
            try:
                await under_way.more(50)
                await eventually(lambda: has_pairs(system, 20))
                yield under_way
            finally:
                stop.set()


async def has_pairs(system: System, count: int) -> bool:
    return int(await system.redis.xlen(system.keys.pairs)) >= count


async def assert_each_pair_once(system: System) -> int:
    ids = [pair.id for pair in await system.pairs()]
    assert len(ids) == len(set(ids))
    return len(ids)


async def distinct_pairs(system: System) -> int:
    """Return the number of different pairs. If an acknowledgement is lost, a pair is stored twice but scored once."""
    return len({pair.id for pair in await system.pairs()})
