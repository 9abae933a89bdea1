"""A whole worker with real gRPC streams and a real Redis."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis.asyncio
from aiohttp import web
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from extproc.extproc_worker import ExtprocWorker, WorkerAddresses, source_name
from glidepath import redis_keys
from glidepath.config import Config
from glidepath.errors import UnreachableError
from glidepath.outcome_summaries import Outcomes
from glidepath.pairs import Pair
from glidepath.protobuf_codec import decode_outcomes, decode_pair
from glidepath.redis_keys import WorkloadKeys
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from tests.support.extproc_rpc import LogStream, exchange, log_entry, running_worker, stream, worker_config
from tests.support.waiting import eventually

KEYS = WorkloadKeys("chat")


async def pairs_in(url: str) -> list[Pair]:
    client: Any = redis.asyncio.from_url(url)
    async with client:
        return [decode_pair(entry[b"p"]) for _, entry in await client.xrange(KEYS.pairs)]


async def outcomes_in(url: str) -> list[Outcomes]:
    client: Any = redis.asyncio.from_url(url)
    async with client:
        return [decode_outcomes(entry[b"o"]) for _, entry in await client.xrange(KEYS.outcomes)]


async def coverage_in(url: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in await outcomes_in(url):
        total.update(one.coverage)
    return total


async def wait_for_coverage(url: str, **expected: int) -> None:
    async def reached() -> bool:
        coverage = await coverage_in(url)
        return all(coverage[name] >= number for name, number in expected.items())

    await eventually(reached)


async def shadow_listener(config: Config) -> web.AppRunner:
    """Start a server that answers copies like Envoy's shadow listener."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"who": request.headers["x-glidepath-target"]})

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    host, _, port = config.envoy.shadow_listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    return runner


async def metrics(config: Config) -> dict[str, float]:
    url = f"http://{config.extproc.metrics}/metrics"
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


async def shows(config: Config, metric: str, value: float) -> bool:
    return (await metrics(config))[metric] == value


async def test_an_exchange_becomes_a_pair_in_redis(tmp_path: Path, redis_url: str) -> None:
    config = worker_config(tmp_path, redis_url)
    runner = await shadow_listener(config)
    async with running_worker(config) as (_, channel):
        assert await stream(channel, exchange(answer=(b'{"a"', b":1}"))) is grpc.StatusCode.OK
        await wait_for_coverage(redis_url, captured=1, paired=1)
        (pair,) = await pairs_in(redis_url)
        assert (pair.id, pair.first.body, pair.second.body) == ("id-1", b'{"a":1}', b'{"who": "onprem"}')
        shown = await metrics(config)
        assert shown["glidepath_extproc_exchanges_total"] == 1
        assert shown['glidepath_extproc_coverage_total{reason="paired",workload="chat"}'] == 1
        assert shown["glidepath_extproc_memory_bytes"] == 0
    await runner.cleanup()


async def test_the_stream_ends_with_the_exchange_not_with_the_half_close(tmp_path: Path, redis_url: str) -> None:
    async with running_worker(worker_config(tmp_path, redis_url)) as (_, channel):
        assert await stream(channel, exchange(), half_close=False) is grpc.StatusCode.OK


async def test_aborted_unmatched_and_illegal_streams_end_with_status_ok(tmp_path: Path, redis_url: str) -> None:
    config = worker_config(tmp_path, redis_url)
    async with running_worker(config) as (_, channel):
        ok = grpc.StatusCode.OK
        assert await stream(channel, exchange(answer=(b"{",), end=False), half_close=True) is ok
        assert await stream(channel, [], half_close=True) is ok
        assert await stream(channel, exchange(), workload="somebody-elses") is ok
        assert await stream(channel, exchange(), workload=None) is ok
        twice = exchange("id-2")
        assert await stream(channel, [twice[0], *twice]) is ok
        await wait_for_coverage(redis_url, captured=2, aborted=1)
        shown = await metrics(config)
        assert shown["glidepath_extproc_illegal_events_total"] == 1
        assert shown["glidepath_extproc_unmatched_exchanges_total"] == 3
        assert shown["glidepath_extproc_streams"] == 0


async def test_the_streams_of_a_killed_envoy_are_released(tmp_path: Path, redis_url: str) -> None:
    config = worker_config(tmp_path, redis_url)
    async with running_worker(config) as (worker, _):
        async with grpc.aio.insecure_channel(config.extproc.addresses[0]) as envoy:
            call = asyncio.ensure_future(stream(envoy, exchange(answer=(b"{",), end=False)))
            await eventually(lambda: worker.memory.held >= len(b'{"q":1}{'))  # until the last message
        with pytest.raises((asyncio.CancelledError, asyncio.InvalidStateError)):  # gRPC's client may still be writing
            await call
        await eventually(lambda: worker.memory.held == 0)
        await wait_for_coverage(redis_url, captured=1, aborted=1)


async def test_an_exchange_of_which_envoy_leaves_out_the_rest_is_counted_and_releases_its_bodies(
    tmp_path: Path, redis_url: str
) -> None:
    rest_is_missing = ProcessingRequest()
    async with running_worker(worker_config(tmp_path, redis_url)) as (worker, channel):
        for messages in ([*exchange("id-1", end=False), rest_is_missing], [rest_is_missing]):
            assert await stream(channel, messages, half_close=False) is grpc.StatusCode.OK
        await wait_for_coverage(redis_url, captured=2, shed_memory=2)
        assert worker.memory.held == 0


async def test_streams_above_max_streams_are_ended_and_counted(tmp_path: Path, redis_url: str) -> None:
    async with running_worker(worker_config(tmp_path, redis_url, extproc=", max_streams: 2")) as (worker, channel):
        held = [asyncio.ensure_future(stream(channel, exchange(f"id-{n}", end=False))) for n in range(2)]
        await eventually(lambda: worker.memory.held >= 2 * len(b'{"q":1}{"a":1}'))
        assert await stream(channel, exchange("id-3")[:1]) is grpc.StatusCode.OK
        await wait_for_coverage(redis_url, captured=2, shed_streams=1)
        for call in held:
            call.cancel()
        await asyncio.wait(held)


async def test_a_body_beyond_the_bound_ends_its_stream_and_is_counted(tmp_path: Path, redis_url: str) -> None:
    config = worker_config(tmp_path, redis_url, extproc=", max_body: 1KiB")
    async with running_worker(config) as (worker, channel):
        big = [b"x" * 6 * 2**20]  # more than gRPC's own limit of 4 MiB a message
        assert await stream(channel, exchange(answer=big, end=False)) is grpc.StatusCode.OK  # extproc ends it
        assert worker.memory.peak < 10_000
        await wait_for_coverage(redis_url, captured=1, cut=1)
        await eventually(lambda: worker.memory.held == 0)


async def test_access_log_entries_become_outcomes(tmp_path: Path, redis_url: str) -> None:
    async with running_worker(worker_config(tmp_path, redis_url)) as (_, channel):
        log = LogStream.open(channel)
        await log.send(log_entry(), log_entry("onprem", 503, chosen="onprem-or-cloud"))
        await log.send(log_entry("cloud", chosen="onprem-or-cloud"), log_entry())

        async def all_counted() -> bool:
            return sum(side.requests for one in await outcomes_in(redis_url) for side in one.sides) == 4

        await eventually(all_counted)
        sides = [side for one in await outcomes_in(redis_url) for side in one.sides]
        assert sum(side.errors for side in sides) == 2
        assert sum(side.failovers for side in sides) == 1
        assert sum(side.latency_ms.total for side in sides) == 2


async def test_the_entries_of_each_envoy_are_reported_by_its_node_id(tmp_path: Path, redis_url: str) -> None:
    async with running_worker(worker_config(tmp_path, redis_url)) as (_, channel):
        for node, entries in (("north", 2), ("south", 1)):
            log = LogStream.open(channel, node=node)
            await log.send(*[log_entry() for _ in range(entries)])

        client: Any = redis.asyncio.from_url(redis_url)

        async def reported() -> bool:
            found = await client.hgetall(redis_keys.ARRIVED_BY_ENVOY)
            return {field.split()[1]: count for field, count in found.items()} == {b"north": b"2", b"south": b"1"}

        async with client:
            await eventually(reported)


async def test_stopping_waits_for_open_exchanges_within_the_drain_time_and_counts_them(
    tmp_path: Path, redis_url: str
) -> None:
    async with running_worker(worker_config(tmp_path, redis_url)) as (worker, channel):
        call = asyncio.ensure_future(stream(channel, exchange(answer=(b"{",), end=False)))
        await eventually(lambda: worker.memory.held > 0)
        worker.stop()
        await asyncio.wait([call])
    assert (await coverage_in(redis_url))["aborted"] == 1


@pytest.mark.process
async def test_an_outage_of_redis_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    url = f"redis://127.0.0.1:{port}/0"
    config = worker_config(tmp_path, url)
    runner = await shadow_listener(config)
    first = start_redis(tmp_path / "redis", port)
    async with running_worker(config) as (worker, channel):
        log = LogStream.open(channel)
        for n in range(5):
            await stream(channel, exchange(f"before-{n}"))
            await log.send(log_entry())
        await wait_for_coverage(url, paired=5)
        await asyncio.to_thread(first.stop)
        for n in range(20):
            await stream(channel, exchange(f"during-{n}"))
            await log.send(log_entry())
        await eventually(lambda: shows(config, "glidepath_extproc_redis_up", 0))
        assert (await metrics(config))["glidepath_extproc_buffer_pairs"] >= 1
        with start_redis(tmp_path / "redis", port):
            await stream(channel, exchange("after"))
            await wait_for_coverage(url, captured=26, paired=26)
            kept = [pair.id for pair in await pairs_in(url)]
            assert sorted(set(kept)) == sorted(
                [f"before-{n}" for n in range(5)] + [f"during-{n}" for n in range(20)] + ["after"]
            )
            total = Counter[str]()
            for one in await outcomes_in(url):
                total.update(one.coverage)
                total["requests"] += sum(side.requests for side in one.sides)
            assert (total["captured"], total["paired"], total["requests"]) == (26, 26, 25)
            assert total["lost_buffer"] == 0
            worker.stop()
    await runner.cleanup()


@pytest.mark.slow
async def test_stopping_during_an_outage_of_redis_takes_limited_time(tmp_path: Path) -> None:
    config = worker_config(tmp_path, f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    runner = await shadow_listener(config)
    async with running_worker(config) as (worker, channel):
        await stream(channel, exchange())
        await eventually(lambda: ("chat", "captured") in worker.counters.coverage_totals)
        await eventually(lambda: shows(config, "glidepath_extproc_buffer_pairs", 1))
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 5
    assert worker.counters.coverage_totals[("chat", "lost_shutdown")] == 1
    await runner.cleanup()


async def test_an_address_in_use_is_one_error_and_no_exception_group(tmp_path: Path, redis_url: str) -> None:
    config = worker_config(tmp_path, redis_url)
    async with running_worker(config):
        with pytest.raises(UnreachableError, match="another process listens"):
            await ExtprocWorker(config, WorkerAddresses.of(config, 0)).run()


def test_every_start_of_a_worker_has_its_own_source() -> None:
    assert source_name(0) != source_name(0)


@pytest.mark.slow
async def test_a_cancellation_lost_in_the_redis_client_still_ends_the_budget_loop(tmp_path: Path) -> None:
    asked = asyncio.Event()

    class SwallowsCancellation:
        async def add(self, key: str, requests: int, cost: float) -> tuple[int, float]:
            asked.set()
            with suppress(asyncio.CancelledError):  # as redis-py may
                await asyncio.Event().wait()
            return 0, 0.0

    config = worker_config(tmp_path, "redis://127.0.0.1:1/0", shadow="{budget: {requests: 1}}")
    worker = ExtprocWorker(config, WorkerAddresses.of(config, 0))
    task = asyncio.create_task(worker._sync_budgets(SwallowsCancellation()))  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        await asked.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
