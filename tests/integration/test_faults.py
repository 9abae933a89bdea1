"""Parts of Glidepath frozen, killed and restarted under live traffic: clients never notice, and the counters add up."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath.demo.load import Clients, Profile
from tests.support.recorder import Recorder
from tests.support.system import System, running_system, system_config
from tests.support.waiting import eventually

RATE = 50
SLOW_MS = 400  # far above what a request takes (3 ms), far below any timeout of ours


@dataclass(slots=True)
class Traffic:
    """Clients at work on a system; ``finish`` stops them and checks that each was answered, and in time."""

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
        """The number of requests."""
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
    """A whole system whose clients have had 50 answers and whose pairs have begun to arrive."""
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


async def envoy_counter(system: System, name: str) -> int:
    async with system.http.get(f"{system.admin}/stats?filter={name}$") as response:
        return sum(int(line.rpartition(": ")[2]) for line in (await response.text()).splitlines())


async def live_requests(system: System) -> int:
    """Live requests in all flushes so far."""
    return sum(side.requests for flush in await system.outcomes() for side in flush.sides if side.origin == "live")


async def assert_each_pair_once(system: System) -> int:
    ids = [pair.id for pair in await system.pairs()]
    assert len(ids) == len(set(ids))
    return len(ids)


async def test_a_frozen_extproc_costs_clients_nothing_and_what_it_missed_is_counted(tmp_path: Path) -> None:
    async with traffic(tmp_path) as under_way:
        system, extproc = under_way.system, under_way.system.child("extproc")
        extproc.signal(signal.SIGSTOP)
        await under_way.more(3 * RATE)
        extproc.signal(signal.SIGCONT)
        await under_way.more(RATE)
        requests = await under_way.finish()

        async def all_accounted_for() -> bool:
            missed = await envoy_counter(system, "ext_proc.streams_closed")
            captured = (await system.coverage()).get("captured", 0)
            return captured + missed == requests == await live_requests(system)

        await eventually(all_accounted_for)
        await eventually(lambda: has_pairs(system, requests - 3 * RATE))
        await assert_each_pair_once(system)


async def test_a_killed_extproc_costs_clients_nothing_and_its_successor_goes_on(tmp_path: Path) -> None:
    async with traffic(tmp_path) as under_way:
        system = under_way.system
        system.child("extproc").kill()
        before = int(await system.redis.xlen(system.keys.pairs))
        await under_way.more(RATE)
        missed = await envoy_counter(system, "ext_proc.failure_mode_allowed")
        assert missed >= RATE // 2
        await system.restart("extproc")
        await eventually(lambda: has_pairs(system, before + RATE))
        requests = await under_way.finish()
        missed = await envoy_counter(system, "ext_proc.failure_mode_allowed")
        in_hand = 10  # of the killed process: captured or under way, and not yet written
        await eventually(lambda: has_pairs(system, requests - missed - in_hand))
        assert await assert_each_pair_once(system) <= requests - missed


async def test_while_redis_is_away_pairs_wait_and_none_is_lost_or_written_twice(tmp_path: Path) -> None:
    async with traffic(tmp_path) as under_way:
        system = under_way.system
        await asyncio.to_thread(system.child("redis").stop)
        await under_way.more(3 * RATE)
        await system.restart("redis")
        await under_way.more(RATE)
        requests = await under_way.finish()

        async def all_written() -> bool:
            coverage = await system.coverage()
            return coverage.get("paired") == coverage.get("captured") == requests == await live_requests(system)

        await eventually(all_written)
        assert await assert_each_pair_once(system) == requests
        assert not {"lost_buffer", "lost_shutdown"} & set(await system.coverage())


async def test_more_than_the_buffer_holds_is_counted_as_lost(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url)
        small = config.extproc.model_copy(update={"buffer": 10})
        config = type(config).model_validate(
            config.model_dump(mode="json", exclude_unset=True)
            | {"extproc": small.model_dump(mode="json", exclude_unset=True)}
        )
        async with running_system(config, tmp_path, scorer=False) as system:
            await asyncio.to_thread(system.child("redis").stop)
            clients, stop = (
                Clients(system.url, Profile(RATE, ["Who?"], stream_share=0), random.Random(2)),
                asyncio.Event(),
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(clients.run(stop))
                await eventually(lambda: clients.stats.requests >= RATE)
                stop.set()
            assert clients.stats.errors == 0
            await system.restart("redis")

            async def adds_up() -> bool:
                coverage = await system.coverage()
                lost, paired = coverage.get("lost_buffer", 0), coverage.get("paired", 0)
                return lost > 0 and lost + paired == clients.stats.requests

            await eventually(adds_up)
