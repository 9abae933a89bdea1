"""One extproc process: wires the parts, runs them, and ends in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import grpc
import structlog
from prometheus_client import CollectorRegistry
from redis.exceptions import RedisError

from extproc import listening_sockets
from extproc.bounded_body import Memory
from extproc.capture import Capturer
from extproc.copy_budget import Budgets, RedisCounters
from extproc.counters import Ledger
from extproc.grpc_services import AccessLogService, ProcessService, handlers
from extproc.pair_encoding import PairPreparer
from extproc.prometheus import ExtprocCollector, Parts
from extproc.redaction import Redactor
from extproc.redis_writer import RedisStore
from extproc.tee import Tee
from extproc.workloads import build_lanes
from extproc.write_buffer import Bounds, BufferedSink
from glidepath import redisio
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import GlidepathError, first_of
from glidepath.health import health_app, serve_app
from glidepath.timed_wait import wait_until_set

_log = structlog.get_logger(__name__)
SYNC_S = 1.0  # budgets
TRIM_S = 10.0
HURRY_S = 0.05  # a candidate's first error is flushed this soon: a guard looks once a flush
LAST_WORDS_S = 1.0
LAST_LOG_S = 0.3  # Envoy sends its access log four times a second


@dataclass(frozen=True, slots=True)
class Place:
    """Where one worker listens."""

    index: int
    address: str
    metrics: str

    @classmethod
    def of(cls, config: Config, index: int) -> Place:
        """Worker i has the i-th address and the metrics port + i."""
        return cls(index, config.extproc.addresses[index], offset_port(config.extproc.metrics, index))


def offset_port(address: str, index: int) -> str:
    if address.startswith("unix:"):
        return f"{address}.{index}" if index else address
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + index}"


def source_name(index: int) -> str:
    """Unique for every life of every worker: numbers of flushes begin at 1 again."""
    return f"{socket.gethostname()}/{index}/{uuid.uuid4().hex[:12]}"


class Worker:
    """``run`` serves until ``stop`` is called or SIGTERM comes; a second signal ends it at once."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config, self._place = config, place
        self._stop = asyncio.Event()
        self._serving = False
        extproc = config.extproc
        self.memory = Memory(extproc.max_memory)
        self._hurry = asyncio.Event()
        self.ledger = Ledger(on_candidate_error=self._hurry.set)
        self.budgets = Budgets(config)
        self.lanes = build_lanes(config)
        self.redactor = Redactor(config.redaction)

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Raises UnreachableError where it cannot listen."""
        problem: GlidepathError | None = None
        try:
            await self._run()
        except* GlidepathError as group:
            problem = first_of(group)
        if problem is not None:
            raise problem

    async def _run(self) -> None:
        async with AsyncExitStack() as stack:
            client = redisio.connect(self._config.redis)
            stack.push_async_callback(client.aclose)
            preparer = PairPreparer(self.redactor, self._config.extproc.max_body)
            stack.callback(preparer.close)
            store = RedisStore(client, self._config.retention)
            extproc = self._config.extproc
            bounds = Bounds(extproc.buffer, extproc.buffer_bytes)
            sink = BufferedSink(store, preparer, self.ledger, bounds, source_name(self._place.index))
            tee = Tee.open(self._config.envoy.shadow_listen, extproc.max_body, self.memory)
            stack.push_async_callback(tee.close)
            async with asyncio.TaskGroup() as tasks:
                capturer = Capturer(self.ledger, self.budgets, tee, sink, tasks)
                loops = [
                    tasks.create_task(sink.run()),
                    tasks.create_task(self._flush_often(sink)),
                    tasks.create_task(self._trim_often(store)),
                    tasks.create_task(self._sync_often(RedisCounters(client))),
                ]
                await self._serve(capturer, sink)
                await self._drain(capturer, sink, loops)

    async def _serve(self, capturer: Capturer, sink: BufferedSink) -> None:
        extproc = self._config.extproc
        process = ProcessService(self.lanes, capturer, self.memory, extproc.max_body, extproc.max_streams)
        access_log = AccessLogService(self.lanes, self.ledger)
        registry = CollectorRegistry()
        registry.register(
            ExtprocCollector(Parts(process, access_log, capturer, self.ledger, sink, self.memory, self.redactor))
        )
        listening_sockets.prepare_address(self._place.address)
        health = await serve_app(health_app(registry, self._reason), self._place.metrics, "extproc.metrics")
        server = grpc.aio.server(options=listening_sockets.OPTIONS)
        server.add_generic_rpc_handlers(handlers(process, access_log))
        try:
            listening_sockets.bind(server, self._place.address)
            await server.start()
            listening_sockets.open_to_group(self._place.address)
            self._serving = True
            _log.info("serving", address=self._place.address, metrics=self._place.metrics)
            await self._stop.wait()
            self._serving = False
            await self._stop_serving(server, process)
        finally:
            await server.stop(0)
            await health.cleanup()
            listening_sockets.remove(self._place.address)

    async def _stop_serving(self, server: grpc.aio.Server, process: ProcessService) -> None:
        """No new stream from now on; open exchanges may end within the bound.

        gRPC by itself would wait for the whole bound: Envoy keeps its connections and its access log streams open.
        """
        stopping = asyncio.ensure_future(server.stop(self._config.extproc.drain))
        await asyncio.wait([stopping], timeout=min(LAST_LOG_S, self._config.extproc.drain))
        while process.open and not stopping.done():  # noqa: ASYNC110 - the read loop must not pay for an event
            await asyncio.sleep(0.01)
        await server.stop(0)
        await stopping

    def _reason(self) -> str:
        """Redis being away makes us no less ready: we buffer, and another process would do no better."""
        return "" if self._serving else "not serving"

    async def _flush_often(self, sink: BufferedSink) -> None:
        while True:
            if await wait_until_set(self._hurry, self._config.extproc.flush):
                await asyncio.sleep(min(HURRY_S, self._config.extproc.flush))  # one flush holds a burst of errors
            self._hurry.clear()
            self._flush(sink)

    def _flush(self, sink: BufferedSink) -> None:
        sink.put_outcomes(self.ledger.flush(unix_ms()))

    async def _trim_often(self, store: RedisStore) -> None:
        while not redisio.being_cancelled():
            await asyncio.sleep(TRIM_S)
            try:
                await store.trim(list(self.lanes), unix_ms())
            except (RedisError, OSError) as error:
                _log.debug("could not trim", reason=type(error).__name__)

    async def _sync_often(self, counters: RedisCounters) -> None:
        while not redisio.being_cancelled():
            try:
                await self.budgets.sync(counters, time.time())
            except (RedisError, OSError) as error:
                _log.debug("could not synchronise budgets", reason=type(error).__name__)
            await asyncio.sleep(SYNC_S)

    async def _drain(self, capturer: Capturer, sink: BufferedSink, loops: list[asyncio.Task[None]]) -> None:
        """Copies under way, then what is unwritten, each with the bound; the rest is counted and said."""
        writer, *others = loops
        bound = self._config.extproc.drain
        if capturer.running:
            await asyncio.wait(capturer.running, timeout=bound)
        ending = [*others, *capturer.running]
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)  # so that what they leave is counted before the last flush
        self._flush(sink)
        sink.close()
        await asyncio.wait([writer], timeout=bound)
        writer.cancel()
        await asyncio.wait([writer])
        lost = sink.abandon()
        if lost and not sink.away:
            self._flush(sink)
            with suppress(TimeoutError, RedisError, OSError):
                await asyncio.wait_for(sink.run(), LAST_WORDS_S)
        _log.info("stopped", lost_pairs=lost)


def on_signals(first: Callable[[], None]) -> None:
    """The first SIGTERM or SIGINT calls ``first``; the second ends the process there and then."""
    loop = asyncio.get_running_loop()

    def again() -> None:
        os._exit(1)

    def once() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, again)
        first()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, once)


async def run_worker(config: Config, index: int) -> None:
    """A whole worker with its signals."""
    worker = Worker(config, Place.of(config, index))
    on_signals(worker.stop)
    await worker.run()
