"""An OTLP receiver like that of a collector, by HTTP and by gRPC, with OpenTelemetry's own protobufs.

It stores the messages. ``delay_s`` makes it slow, and ``refuses`` makes it answer 400 (HTTP only).
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from glidepath_ops.local.child_process import free_ports

_REQUESTS = {
    "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "/v1/logs": (logs_service_pb2.ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}


def attributes(item: Any) -> dict[str, Any]:
    """Return the attributes of a span, a log record or a data point as plain values."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in item.attributes}


@dataclass(slots=True)
class Receiver:
    url: str = ""
    delay_s: float = 0.0
    refuses: bool = False
    requests: int = 0
    spans: list[Any] = field(default_factory=list)
    logs: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, path: str, message: Any) -> None:
        _, outer, scope, inner = _REQUESTS[path]
        into = {"/v1/traces": self.spans, "/v1/logs": self.logs, "/v1/metrics": self.metrics}[path]
        for one in getattr(message, outer):
            self.services.add(attributes(one.resource)["service.name"])
            for part in getattr(one, scope):
                into.extend(getattr(part, inner))


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(receiver.delay_s)
            receiver.requests += 1
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if not receiver.refuses:
                receiver.take(self.path, _REQUESTS[self.path][0].FromString(body))
            self.send_response(400 if receiver.refuses else 200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def grpc_receiver() -> Iterator[Receiver]:
    receiver, port = Receiver(), free_ports(1)[0]

    def service(base: type, path: str, answer: Any) -> Any:
        def export(_: Any, request: Any, context: Any) -> Any:
            receiver.requests += 1
            receiver.take(path, request)
            return answer

        return type("Service", (base,), {"Export": export})()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
        service(
            trace_service_pb2_grpc.TraceServiceServicer, "/v1/traces", trace_service_pb2.ExportTraceServiceResponse()
        ),
        server,
    )
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
        service(logs_service_pb2_grpc.LogsServiceServicer, "/v1/logs", logs_service_pb2.ExportLogsServiceResponse()),
        server,
    )
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
        service(
            metrics_service_pb2_grpc.MetricsServiceServicer,
            "/v1/metrics",
            metrics_service_pb2.ExportMetricsServiceResponse(),
        ),
        server,
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    receiver.url = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        server.stop(0).wait(5)
