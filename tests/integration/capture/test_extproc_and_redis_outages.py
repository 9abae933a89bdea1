"""extproc and Redis frozen, killed and restarted under live traffic: clients are served, and the counters add up."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from glidepath_ops.demo.client_load import Clients, Profile
from tests.support.client_traffic import RATE, assert_each_pair_once, distinct_pairs, has_pairs, traffic
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually


async def envoy_counter(system: System, name: str) -> int:
    async with system.http.get(f"{system.admin}/stats?filter={name}$") as response:
        return sum(int(line.rpartition(": ")[2]) for line in (await response.text()).splitlines())


async def live_requests(system: System) -> int:
    """Return the number of live requests in all flushes so far."""
    return sum(side.requests for flush in await system.outcomes() for side in flush.sides if side.origin == "live")


async def test_a_frozen_extproc_does_not_affect_clients_and_its_missed_requests_are_counted(tmp_path: Path) -> None:
    async with traffic(tmp_path) as under_way:
        system, extproc = under_way.system, under_way.system.child("extproc")
        extproc.signal(signal.SIGSTOP)
        await under_way.more(3 * RATE)
        extproc.signal(signal.SIGCONT)
        await under_way.more(RATE)
        requests = await under_way.finish()

        async def all_accounted_for() -> bool:
            missed = await envoy_counter(system, "ext_proc.streams_closed")
            coverage = await system.coverage()
            captured, aborted = coverage.get("captured", 0), coverage.get("aborted", 0)
            # A stream that Envoy dropped may still have reached extproc, in part (aborted) or whole. So a request is in
            # at least one of the two counts, and may be in both.
            all_seen = captured - aborted <= requests <= captured + missed
            all_kept = sum(coverage.values()) == 2 * captured  # every captured exchange is counted under one reason
            return all_seen and all_kept and requests == await live_requests(system)

        await eventually(all_accounted_for)
        assert await assert_each_pair_once(system) >= requests - 4 * RATE  # it was frozen for 3 seconds


async def test_a_killed_extproc_does_not_affect_clients_and_its_successor_continues(tmp_path: Path) -> None:
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
        unwritten = 10  # most exchanges of the killed process that were captured or in flight, and not yet written
        await eventually(lambda: has_pairs(system, requests - missed - unwritten))
        assert await assert_each_pair_once(system) <= requests - missed


async def test_during_an_outage_of_redis_pairs_are_buffered_and_none_is_lost(tmp_path: Path) -> None:
    async with traffic(tmp_path) as under_way:
        system = under_way.system
        await asyncio.to_thread(system.child("redis").stop)
        await under_way.more(10 * RATE)  # ten seconds
        await system.restart("redis")
        await under_way.more(RATE)
        requests = await under_way.finish()

        async def all_written() -> bool:
            coverage = await system.coverage()
            return coverage.get("paired") == coverage.get("captured") == requests == await live_requests(system)

        await eventually(all_written)
        assert await distinct_pairs(system) == requests
        assert not {"lost_buffer", "lost_shutdown"} & set(await system.coverage())


async def test_pairs_beyond_the_buffer_are_counted_as_lost(tmp_path: Path) -> None:
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
