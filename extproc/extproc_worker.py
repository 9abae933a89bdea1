"""One extproc process. It creates its services and loops, and runs them.

When the process stops, it first lets open exchanges and copies end, and writes the remaining records to Redis.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import grpc
from redis.exceptions import RedisError

from extproc import listening_sockets
from extproc.answer_check import SOON_S, AnswerChecker
from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.clients_that_left import ClientsThatLeft
from extproc.copy_budget import Budgets, RedisSpendingCounters
from extproc.copy_sender import Tee
from extproc.grpc_services import AccessLogService, ProcessService, handlers
from extproc.inventory_observer import InventoryObserver
from extproc.inventory_writer import WRITE_EVERY_S, InventoryWriter
from extproc.pair_encoding import PairEncoder
from extproc.prometheus import ExtprocCollector, MetricSources
from extproc.redaction import Redactor
from extproc.redis_retention import StreamTrimmer
from extproc.redis_writer import RedisWriter
from extproc.served_requests import ServedRequests
from extproc.token_counting import TokenCounters
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import build_workloads
from extproc.write_buffer import BufferLimits, WriteBuffer
from glidepath import redis_keys, redisio
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import GlidepathError, error_text_with_type, ungrouped
from glidepath.health import health_app, serve_app
from glidepath.logs import get_logger
from glidepath.metric_families import ProcessRegistry
from glidepath.stop_signals import on_stop_signals
from glidepath.telemetry.load_telemetry import SignalsCollector, load_signals
from glidepath.timed_wait import wait_until_set

_log = get_logger(__name__)
ARRIVED_TTL_S = 86_400
SYNC_S = 1.0  # between two synchronisations of the budgets
TRIM_S = 10.0
ERROR_FLUSH_DELAY_S = 0.05  # from a failure to its flush; guards see errors only after a flush
FINAL_FLUSH_S = 1.0
CLOSE_SIGNALS_S = 2.0  # time to send the remaining telemetry to the OpenTelemetry collector
ACCESS_LOG_FLUSH_S = 0.3  # enough for the last access log entries, which Envoy sends four times a second


@dataclass(frozen=True, slots=True)
class WorkerAddresses:
    """The addresses on which one worker listens: ``address`` for Envoy, ``metrics`` for /metrics and /healthz."""

    index: int
    address: str
    metrics: str

    @classmethod
    def of(cls, config: Config, index: int) -> WorkerAddresses:
        return cls(index, config.extproc.addresses[index], config.extproc.metrics_addresses[index])


def source_name(index: int) -> str:
    """Return a name for worker ``index`` that is different after every start.

    Redis recognises a repeated flush by this name and the flush's sequence number. Each start numbers its flushes from
    1, so two starts must not share a name.
    """
    return f"{socket.gethostname()}/{index}/{uuid.uuid4().hex[:12]}"


class ExtprocWorker:
    """One extproc worker. ``run`` serves until ``stop`` is called."""

    def __init__(self, config: Config, addresses: WorkerAddresses) -> None:
        self._config, self._addresses = config, addresses
        self._stop = asyncio.Event()
        self._serving = False
        extproc = config.extproc
        self.memory = BodyMemory(extproc.max_memory)
        self._error_seen = asyncio.Event()
        self.counters = TrafficCounters(on_failure=self._error_seen.set)
        self._left = ClientsThatLeft(self.counters.record)
        self.budgets = Budgets(config)
        self.workloads = build_workloads(config)
        self.inventory = InventoryObserver.of(config)
        self._inventory_writer: InventoryWriter | None = None
        self._access_log = AccessLogService(self.workloads, self.counters, inventory=self.inventory, left=self._left)
        self.redactor = Redactor(config.redaction)
        self._signals = load_signals(config, "extproc")

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Serve until ``stop`` is called, then finish open work.

        Raises UnreachableError if an address cannot be bound.
        """
        with ungrouped(GlidepathError):
            await self._run()

    async def _run(self) -> None:
        async with AsyncExitStack() as stack:
            client = redisio.connect(self._config.redis)
            stack.push_async_callback(client.aclose)
            self._access_log.served = ServedRequests.on_redis(self._config, client)
            stack.push_async_callback(asyncio.to_thread, self._signals.close, CLOSE_SIGNALS_S)
            encoder = PairEncoder(self.redactor, self._config.extproc.max_body)
            stack.callback(encoder.close)
            source = source_name(self._addresses.index)
            writer = RedisWriter(client, self._config.retention, source)
            extproc = self._config.extproc
            limits = BufferLimits(extproc.buffer, extproc.buffer_bytes)
            buffer = WriteBuffer(writer, encoder, self.counters, limits, source)
            tokens = TokenCounters.of(self._config)
            checker = AnswerChecker(self.counters, extproc.max_body, tokens=tokens, soon_s=SOON_S)
            stack.callback(checker.close)
            tee = Tee.open(self._config.envoy.shadow_listen, extproc.max_body, self.memory)
            stack.push_async_callback(tee.close)
            if self.inventory is not None and self._config.inventory is not None:
                stack.callback(self.inventory.close)
                self._inventory_writer = InventoryWriter(client, self._config.inventory, self.inventory, source)
            async with asyncio.TaskGroup() as tasks:
                traces = self._signals.traces
                capturer = Capturer(self.counters, self.budgets, tee, buffer, tasks, checker, traces, self._left)
                loops = [
                    tasks.create_task(buffer.run()),
                    tasks.create_task(self._flush_outcomes(buffer)),
                    tasks.create_task(self._trim_streams(StreamTrimmer(client, self._config.retention))),
                    tasks.create_task(self._sync_budgets(RedisSpendingCounters(client))),
                    tasks.create_task(self._report_entries(client, source)),
                    tasks.create_task(self._remember_served()),
                    tasks.create_task(self._write_inventory()),
                    tasks.create_task(self._send_metrics()),
                ]
                await self._serve(capturer, buffer)
                await self._drain(capturer, buffer, loops)

    async def _serve(self, capturer: Capturer, buffer: WriteBuffer) -> None:
        extproc = self._config.extproc
        limits = extproc.max_body, extproc.max_streams
        process = ProcessService(self.workloads, capturer, self.memory, *limits, self.inventory)
        access_log = self._access_log
        registry = ProcessRegistry()
        registry.register(
            ExtprocCollector(
                MetricSources(
                    self._config,
                    process,
                    access_log,
                    capturer,
                    self.counters,
                    buffer,
                    self.memory,
                    self.redactor,
                    self.inventory,
                )
            )
        )
        registry.register(SignalsCollector(self._signals))
        listening_sockets.prepare_address(self._addresses.address)
        health = await serve_app(
            health_app(registry, self._not_ready_reason), self._addresses.metrics, "extproc.metrics"
        )
        server = grpc.aio.server(options=listening_sockets.OPTIONS)
        server.add_generic_rpc_handlers(handlers(process, access_log))
        try:
            listening_sockets.bind(server, self._addresses.address)
            await server.start()
            listening_sockets.open_to_group(self._addresses.address)
            self._serving = True
            _log.info("worker_started", address=self._addresses.address, metrics=self._addresses.metrics)
            await self._stop.wait()
            self._serving = False
            await self._stop_serving(server, process)
        finally:
            await server.stop(0)
            await health.cleanup()
            listening_sockets.remove(self._addresses.address)

    async def _stop_serving(self, server: grpc.aio.Server, process: ProcessService) -> None:
        """Accept no new streams, and wait at most ``extproc.drain`` seconds until the open exchanges have ended.

        ``server.stop(drain)`` alone would always wait for the full time, because Envoy keeps its access log streams
        open.
        """
        stopping = asyncio.ensure_future(server.stop(self._config.extproc.drain))
        await asyncio.wait([stopping], timeout=min(ACCESS_LOG_FLUSH_S, self._config.extproc.drain))
        while process.open and not stopping.done():  # noqa: ASYNC110 - an event would slow down the read loop
            await asyncio.sleep(0.01)
        await server.stop(0)
        await stopping

    def _not_ready_reason(self) -> str:
        """Return why the worker is not ready, or "" if it is ready.

        It is ready even while Redis is unreachable, because writes are buffered.
        """
        return "" if self._serving else "not serving"

    async def _flush_outcomes(self, buffer: WriteBuffer) -> None:
        while True:
            if await wait_until_set(self._error_seen, self._config.extproc.flush):
                await asyncio.sleep(
                    min(ERROR_FLUSH_DELAY_S, self._config.extproc.flush)
                )  # so that one flush contains all errors of a burst
            self._error_seen.clear()
            self._left.pass_on_old()
            self._flush(buffer)

    def _flush(self, buffer: WriteBuffer) -> None:
        buffer.put_outcomes(self.counters.flush(unix_ms()))

    async def _trim_streams(self, trimmer: StreamTrimmer) -> None:
        while not redisio.being_cancelled():
            await asyncio.sleep(TRIM_S)
            try:
                await trimmer.trim(list(self.workloads), unix_ms())
            except (RedisError, OSError) as error:
                _log.debug("streams_not_trimmed", reason=error_text_with_type(error))

    async def _sync_budgets(self, counters: RedisSpendingCounters) -> None:
        while not redisio.being_cancelled():
            try:
                await self.budgets.sync(counters, time.time())
            except (RedisError, OSError) as error:
                _log.debug("budgets_not_synchronised", reason=error_text_with_type(error))
            await asyncio.sleep(SYNC_S)

    async def _remember_served(self) -> None:
        while not redisio.being_cancelled():
            await asyncio.sleep(self._config.extproc.flush)
            await self._access_log.served.write(unix_ms())

    async def _write_inventory(self) -> None:
        while self._inventory_writer is not None and not redisio.being_cancelled():
            await self._inventory_writer.write(unix_ms())
            await asyncio.sleep(WRITE_EVERY_S)

    async def _send_metrics(self) -> None:
        """If an OpenTelemetry collector is configured, send it the durations of all requests at regular intervals."""
        every = self._signals.metrics_every_s
        if not every:
            return
        from extproc.otel_durations import DurationMetric

        metric = DurationMetric(self._config, time.time_ns())
        while not redisio.being_cancelled():
            await asyncio.sleep(every)
            self._signals.put_metrics(lambda: metric.data(self.counters.latencies, time.time_ns()))

    async def _report_entries(self, client: redisio.RedisClient, source: str) -> None:
        """Write the number of received access log entries to Redis. The leader compares it with Envoy's own count."""
        reported = 0
        while not redisio.being_cancelled():
            entries = self._access_log.entries
            if entries != reported:
                try:
                    by_node = self._access_log.entries_by_node
                    fields = {f"{source} {node}": str(count) for node, count in by_node.items()}
                    await client.hset(redis_keys.ARRIVED_ENTRIES, source, str(entries))
                    await client.hset(redis_keys.ARRIVED_BY_ENVOY, mapping=fields)
                    for key in (redis_keys.ARRIVED_ENTRIES, redis_keys.ARRIVED_BY_ENVOY):
                        await client.expire(key, ARRIVED_TTL_S)
                    reported = entries
                except (RedisError, OSError) as error:
                    _log.debug("log_entries_not_reported", reason=error_text_with_type(error))
            await asyncio.sleep(SYNC_S)

    async def _drain(self, capturer: Capturer, buffer: WriteBuffer, loops: list[asyncio.Task[None]]) -> None:
        """Wait until the copies in flight have ended, then until all pairs and outcomes are written.

        Each of the two waits takes at most ``extproc.drain`` seconds. Pairs that are still unwritten after the second
        wait are counted as lost.
        """
        writing, *others = loops
        bound = self._config.extproc.drain
        if capturer.running:
            await asyncio.wait(capturer.running, timeout=bound)
        ending = [*others, *capturer.running]
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)  # the pairs that these tasks lose must be counted before the last flush
        capturer.checker.check_small()
        self._left.pass_on_all()
        self._flush(buffer)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._access_log.served.write(unix_ms()), FINAL_FLUSH_S)
        if self._inventory_writer is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._inventory_writer.write(unix_ms()), FINAL_FLUSH_S)
        buffer.close()
        await asyncio.wait([writing], timeout=bound)
        writing.cancel()
        await asyncio.wait([writing])
        lost = buffer.abandon()
        if lost and not buffer.outage:
            self._flush(buffer)
            with suppress(TimeoutError, RedisError, OSError):
                await asyncio.wait_for(buffer.run(), FINAL_FLUSH_S)
        _log.info("worker_stopped", lost_pairs=lost)


def stop_on_signals(first: Callable[[], None]) -> None:
    """Call ``first`` at the first SIGTERM or SIGINT. End the process at once at a later one."""
    on_stop_signals(asyncio.get_running_loop(), first, lambda: os._exit(1))


async def run_worker(config: Config, index: int) -> None:
    """Run one worker until a signal asks it to stop."""
    worker = ExtprocWorker(config, WorkerAddresses.of(config, index))
    stop_on_signals(worker.stop)
    await worker.run()
