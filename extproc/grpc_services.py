"""The two gRPC services: ext_proc's Process and the access log's StreamAccessLogs.

Their read loops never wait for anything but the next message: side-stream flow control would otherwise let a slow
Redis or a slow tee push back on the client's own request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import grpc
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from extproc.access_log import classify
from extproc.bounded_body import Memory
from extproc.capture import Captured, Capturer
from extproc.counters import Ledger
from extproc.envoy_messages import feed, read, wanted_headers
from extproc.exceptions import IllegalEventError
from extproc.exchange import Closed, Exchange, RequestHeaders, Signal
from extproc.workloads import Lane
from glidepath import keys
from glidepath.domain import Coverage

_NOTHING = Signal.NOTHING
PROCESS = "envoy.service.ext_proc.v3.ExternalProcessor"
ACCESS_LOG = "envoy.service.accesslog.v3.AccessLogService"


class ProcessService:
    """One exchange a stream."""

    def __init__(
        self, lanes: Mapping[str, Lane], capturer: Capturer, memory: Memory, max_body: int, max_streams: int
    ) -> None:
        self._lanes, self._capturer, self._memory = lanes, capturer, memory
        self._max_body, self._max_streams = max_body, max_streams
        self._wanted = wanted_headers(frozenset(lane.sticky_header for lane in lanes.values() if lane.sticky_header))
        self._by_route: dict[str, Lane | None] = {}
        self.open = 0
        self.exchanges = 0
        self.illegal = 0
        self.strangers = 0

    async def process(self, _: Any, context: grpc.aio.ServicerContext) -> None:
        """Reads until the exchange is over and returns at once: Envoy then need not hold the stream open."""
        self.exchanges += 1
        if self.open >= self._max_streams:
            await self._shed(context)
            return
        self.open += 1
        exchange = Exchange(self._max_body, self._memory)
        captured: Captured | None = None
        try:
            while exchange.ending is None:
                message = await context.read()
                if message is grpc.aio.EOF:
                    break
                captured = self._step(exchange, captured, message)
        finally:
            self.open -= 1
            self._close(exchange, captured)

    def _step(self, exchange: Exchange, captured: Captured | None, message: ProcessingRequest) -> Captured | None:
        try:
            signal = feed(exchange, message, self._wanted, time.monotonic())
        except IllegalEventError:
            self.illegal += 1
            return captured
        if captured is None and exchange.request is not None:
            lane = self._lane(exchange.request.route)
            captured = self._capturer.begin(lane, exchange) if lane else None
        if captured is not None and signal is not _NOTHING:
            self._capturer.advance(captured, signal)
        return captured

    def _close(self, exchange: Exchange, captured: Captured | None) -> None:
        """The stream has ended, whoever ended it."""
        if exchange.ending is None and exchange.feed(Closed(), time.monotonic()) is Signal.FINISHED and captured:
            self._capturer.advance(captured, Signal.FINISHED)
        if captured is None:
            self.strangers += 1
            exchange.release()

    async def _shed(self, context: grpc.aio.ServicerContext) -> None:
        message = await context.read()
        if message is grpc.aio.EOF:
            return
        try:
            event = read(message, self._wanted)
        except IllegalEventError:
            return
        lane = self._lane(event.route) if isinstance(event, RequestHeaders) else None
        if lane is not None:
            self._capturer.ledger.count(lane.name, Coverage.SHED_STREAMS)

    def _lane(self, route: str) -> Lane | None:
        """By the route's name; remembered, as there are few and each request names one."""
        try:
            return self._by_route[route]
        except KeyError:
            lane = self._lanes.get(keys.workload_of_route(route) or "")
            if len(self._by_route) < 10_000:
                self._by_route[route] = lane
            return lane


class AccessLogService:
    """A long stream for each of Envoy's workers; every entry is one finished request."""

    def __init__(self, lanes: Mapping[str, Lane], ledger: Ledger) -> None:
        self._lanes, self._ledger = lanes, ledger
        self.entries = 0
        self.ignored = 0

    async def stream_access_logs(self, _: Any, context: grpc.aio.ServicerContext) -> StreamAccessLogsResponse:
        shadow = False
        while (message := await context.read()) is not grpc.aio.EOF:
            if message.HasField("identifier"):  # with the first message of a stream only
                shadow = message.identifier.log_name == keys.SHADOW_LOG
            self._take(message, shadow)
        return StreamAccessLogsResponse()

    def _take(self, message: StreamAccessLogsMessage, shadow: bool) -> None:
        for entry in message.http_logs.log_entry:
            self.entries += 1
            outcome = classify(entry, self._lanes, shadow)
            if outcome is None:
                self.ignored += 1
            else:
                self._ledger.record(outcome)


def handlers(process: ProcessService, access_log: AccessLogService) -> tuple[grpc.GenericRpcHandler, ...]:
    """What a grpc.aio server is given."""
    exchange = grpc.stream_stream_rpc_method_handler(
        process.process,
        request_deserializer=ProcessingRequest.FromString,
        response_serializer=ProcessingResponse.SerializeToString,
    )
    log = grpc.stream_unary_rpc_method_handler(
        access_log.stream_access_logs,
        request_deserializer=StreamAccessLogsMessage.FromString,
        response_serializer=StreamAccessLogsResponse.SerializeToString,
    )
    return (
        grpc.method_handlers_generic_handler(PROCESS, {"Process": exchange}),
        grpc.method_handlers_generic_handler(ACCESS_LOG, {"StreamAccessLogs": log}),
    )
