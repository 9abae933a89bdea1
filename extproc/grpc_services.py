"""The two gRPC services of extproc: the ext_proc service and the access log service.

Their read loops wait only for the next message. If they also waited for Redis or for the tee, gRPC's flow control
would delay the client's own request.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from extproc.access_log_tag_values import pinned_request, served_by, stripped_request
from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.captured_exchange import CapturedExchange
from extproc.clients_that_left import ClientsThatLeft, LoggedRequest
from extproc.exchange import Exchange
from extproc.exchange_events import Closed, Milestone
from extproc.ext_proc_messages import feed, wanted_headers
from extproc.extproc_errors import IllegalEventError
from extproc.inventory_observer import InventoryObserver, WatchedExchange
from extproc.outcome_classification import LocalReply, classify
from extproc.served_requests import ServedRequests
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.outcome_summaries import NO_DIGEST, Coverage

_NO_MILESTONE = Milestone.NONE
PROCESS = "envoy.service.ext_proc.v3.ExternalProcessor"
MOST_DIGITS = 20  # of a time in nanoseconds
MAX_NODES, MAX_NODE_ID = 64, 256  # the entries of further Envoys are counted only in the total
ACCESS_LOG = "envoy.service.accesslog.v3.AccessLogService"


class ProcessService:
    """The ext_proc service. Each gRPC stream carries one exchange."""

    def __init__(
        self,
        workloads: Mapping[str, WorkloadInfo],
        capturer: Capturer,
        memory: BodyMemory,
        max_body: int,
        max_streams: int,
        inventory: InventoryObserver | None = None,
    ) -> None:
        self._workloads, self._capturer, self._memory = workloads, capturer, memory
        self._inventory = inventory
        self._max_body, self._max_streams = max_body, max_streams
        sticky = (workload.sticky_header for workload in workloads.values() if workload.sticky_header)
        opting_out = (rule.header for workload in workloads.values() for rule in workload.settings.shadow.opt_out)
        self._wanted = wanted_headers(frozenset((*sticky, *opting_out)))
        self.open = 0
        self.exchanges = 0
        self.illegal_events = 0
        self.unmatched = 0

    async def process(self, _: Any, context: grpc.aio.ServicerContext) -> None:
        """Read the messages of one exchange until it ends. Then return at once, so that Envoy can close the stream."""
        self.exchanges += 1
        if self.open >= self._max_streams:
            await self._reject(context)
            return
        self.open += 1
        exchange = Exchange(self._max_body, self._memory)
        route = self._route(context)
        captured: CapturedExchange | None = None
        watched = None if self._inventory is None else self._inventory.watch(route.name)
        try:
            while exchange.ending is None:
                message = await context.read()
                if message is grpc.aio.EOF:
                    break
                captured = self._step(route, exchange, captured, message, watched)
        finally:
            self.open -= 1
            self._close(exchange, captured, watched)

    def _step(
        self,
        route: _Route,
        exchange: Exchange,
        captured: CapturedExchange | None,
        message: ProcessingRequest,
        watched: WatchedExchange | None = None,
    ) -> CapturedExchange | None:
        without_headers = exchange.request is None
        try:
            milestone = feed(exchange, message, self._wanted, time.monotonic())
        except IllegalEventError:
            self.illegal_events += 1
            return captured
        if watched is not None:
            if without_headers and exchange.request is not None:
                path = exchange.request.headers.get(":path", "")
                watched.headers(message.request_headers.headers.headers, path)
            if milestone is Milestone.FINISHED:
                watched.finish(exchange)
        if captured is None and route.workload is not None and (exchange.request is not None or exchange.shed):
            captured = self._capturer.begin(route.workload, exchange, route.own_id, route.served, route.started_ns)
        if captured is not None and milestone is not _NO_MILESTONE:
            self._capturer.advance(captured, milestone)
        if exchange.ending is None and (exchange.cut or (captured is not None and captured.opted_out)):
            self._stop_at_bound(exchange, captured, watched)
        return captured

    def _stop_at_bound(
        self, exchange: Exchange, captured: CapturedExchange | None, watched: WatchedExchange | None
    ) -> None:
        """End the exchange, so that Envoy closes the stream and copies nothing more of it."""
        exchange.stop(time.monotonic())
        if watched is not None:
            watched.finish(exchange)
        if captured is not None:
            self._capturer.advance(captured, Milestone.FINISHED)

    def _close(self, exchange: Exchange, captured: CapturedExchange | None, watched: WatchedExchange | None) -> None:
        """End the exchange of a gRPC stream that has ended, unless the exchange has already ended."""
        if exchange.ending is None and exchange.feed(Closed(), time.monotonic()) is Milestone.FINISHED:
            if watched is not None:
                watched.finish(exchange)
            if captured:
                self._capturer.advance(captured, Milestone.FINISHED)
        if captured is None:
            self.unmatched += watched is None
            exchange.release()

    async def _reject(self, context: grpc.aio.ServicerContext) -> None:
        """Count an exchange as SHED_STREAMS and capture nothing of it: ``max_streams`` streams are already open."""
        workload = self._route(context).workload
        message = await context.read()
        if message is not grpc.aio.EOF and message.HasField("request_headers") and workload is not None:
            self._capturer.counters.count(workload.name, Coverage.SHED_STREAMS)

    def _route(self, context: grpc.aio.ServicerContext) -> _Route:
        # Read once for each stream, because each call of this method creates new objects for all metadata.
        metadata = dict(context.invocation_metadata() or ())
        return _Route(
            self._workloads.get(metadata.get(envoy_names.HEADER_WORKLOAD, "")),
            metadata.get(envoy_names.HEADER_REQUEST_ID, ""),
            metadata.get(envoy_names.HEADER_SERVED, "") or NO_DIGEST,
            _nanoseconds(metadata.get(envoy_names.HEADER_STARTED, "")),
        )


class _Route(NamedTuple):
    """The facts in the metadata of a stream.

    ``workload``: the workload that Envoy names, or None if it is not configured.
    ``own_id``: Envoy's own id of the request.
    ``served``: the served digest (glidepath/served_digest.py) of the route.
    ``started_ns``: when Envoy received the request, in Unix nanoseconds; 0 if unknown.
    """

    workload: WorkloadInfo | None
    own_id: str
    served: str
    started_ns: int

    @property
    def name(self) -> str:
        return self.workload.name if self.workload else ""


def _nanoseconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0


class AccessLogService:
    """The access log service.

    Each Envoy worker keeps one gRPC stream open. Each access log entry on it describes one finished request.
    """

    def __init__(
        self,
        workloads: Mapping[str, WorkloadInfo],
        counters: TrafficCounters,
        served: ServedRequests | None = None,
        inventory: InventoryObserver | None = None,
        left: ClientsThatLeft | None = None,
    ) -> None:
        self._workloads, self._counters, self._inventory = workloads, counters, inventory
        self._left = left if left is not None else ClientsThatLeft(counters.record)
        self.served = served if served is not None else ServedRequests({})
        self.entries = 0
        self.entries_by_node: dict[str, int] = {}  # node id of an Envoy → the entries received from it
        self.ignored = 0
        self.pinned: Counter[tuple[str, str]] = Counter()  # by workload and reason
        self.stripped: Counter[tuple[str, str]] = Counter()  # by workload and backend

    async def stream_access_logs(self, _: Any, context: grpc.aio.ServicerContext) -> StreamAccessLogsResponse:
        shadow, node = False, ""
        while (message := await context.read()) is not grpc.aio.EOF:
            if message.HasField("identifier"):  # only in the first message of a stream
                shadow = message.identifier.log_name == envoy_names.SHADOW_LOG
                node = message.identifier.node.id[:MAX_NODE_ID]
            self._take(message, shadow)
            self._count(node, len(message.http_logs.log_entry))
        return StreamAccessLogsResponse()

    def _count(self, node: str, entries: int) -> None:
        known = self.entries_by_node
        if node in known or len(known) < MAX_NODES:
            known[node] = known.get(node, 0) + entries

    def _take(self, message: StreamAccessLogsMessage, shadow: bool) -> None:
        for entry in message.http_logs.log_entry:
            self.entries += 1
            if self._inventory is not None and not shadow:
                self._inventory.logged(entry)
            outcome = classify(entry, self._workloads, shadow)
            pinned = pinned_request(entry, self._workloads)
            if (stripped := stripped_request(entry, self._workloads)) is not None:
                self.stripped[stripped] += 1
            if pinned is not None:
                self.pinned[pinned] += 1
                self._counters.count_pinned(*pinned)
            elif outcome is None:
                self.ignored += 1
            elif isinstance(outcome, LocalReply):
                self._counters.record_local_reply(outcome)
            else:
                provable = 200 <= entry.response.response_code.value < 500
                self.served.note(outcome, entry.request.request_id)
                logged_id, sent_bytes = entry.request.request_id, entry.request.request_body_bytes
                request_id = logged_id if provable else ""
                started = entry.common_properties.start_time
                started_ns = started.seconds * 10**9 + started.nanos
                self._left.take(LoggedRequest(outcome, logged_id, request_id, served_by(entry), sent_bytes, started_ns))


def handlers(process: ProcessService, access_log: AccessLogService) -> tuple[grpc.GenericRpcHandler, ...]:
    """Return one grpc.aio handler for each of the two services."""
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
