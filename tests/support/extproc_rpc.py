"""Run a real extproc worker, and send it the messages of Envoy over a real gRPC channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from envoy.service.accesslog.v3.als_pb2_grpc import AccessLogServiceStub
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from envoy.service.ext_proc.v3.external_processor_pb2_grpc import ExternalProcessorStub

from extproc.extproc_worker import ExtprocWorker, WorkerAddresses
from glidepath import envoy_names
from glidepath.config import Config, parse_config
from glidepath_ops.local.child_process import free_ports
from tests.support.in_memory_extproc import CHAT

FILTER = "envoy.filters.http.ext_proc"


def worker_config(folder: Path, redis_url: str, *, extproc: str = "", shadow: str = "{}") -> Config:
    """Return a configuration of one worker on a Unix socket in ``folder``. Nothing listens at the shadow listener."""
    metrics, shadow_port = free_ports(2)
    if "same_side" not in shadow:
        shadow = "{same_side: 0, " + shadow.removeprefix("{")
    return parse_config(f"""
envoy: {{shadow_listen: "127.0.0.1:{shadow_port}"}}
redis: {{url: "{redis_url}"}}
extproc: {{listen: "unix:{folder}/extproc.sock", metrics: "127.0.0.1:{metrics}", flush: 50ms, drain: 1s{extproc}}}
backends: {{cloud: {{url: "http://127.0.0.1:1"}}, onprem: {{url: "http://127.0.0.1:2"}}}}
workloads:
  chat: {{match: {{path: {CHAT}}}, baseline: cloud, candidate: onprem, shadow: {shadow}}}
""")


@asynccontextmanager
async def running_worker(config: Config) -> AsyncIterator[tuple[ExtprocWorker, grpc.aio.Channel]]:
    """Run a worker in this event loop. Yield the worker and a gRPC channel to it, and drain the worker at the end."""
    worker = ExtprocWorker(config, WorkerAddresses.of(config, 0))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(worker.run())
        async with grpc.aio.insecure_channel(config.extproc.addresses[0]) as channel:
            async with asyncio.timeout(60):
                await channel.channel_ready()
            try:
                yield worker, channel
            finally:
                worker.stop()
                await task


def exchange(
    request_id: str = "id-1",
    *,
    cluster: str = "cloud",
    body: bytes = b'{"q":1}',
    answer: Sequence[bytes] = (b'{"a":1}',),
    status: bytes = b"200",
    end: bool = True,
) -> list[ProcessingRequest]:
    """Return the messages of one exchange, as Envoy sends them."""
    ask = ProcessingRequest()
    for name, value in (
        (":method", b"POST"),
        (":path", CHAT.encode()),
        ("content-type", b"application/json"),
        ("x-request-id", request_id.encode()),
    ):
        ask.request_headers.headers.headers.add(key=name, raw_value=value)
    ask.attributes[FILTER].update({"xds.cluster_name": cluster})
    question = ProcessingRequest()
    question.request_body.body, question.request_body.end_of_stream = body, True
    answered = ProcessingRequest()
    answered.response_headers.headers.headers.add(key=":status", raw_value=status)
    answered.attributes[FILTER].update({"upstream.request_attempt_count": 1, "response.code_details": "via_upstream"})
    messages = [ask, question, answered]
    for piece in answer:
        chunk = ProcessingRequest()
        chunk.response_body.body = piece
        messages.append(chunk)
    if end:
        last = ProcessingRequest()
        last.response_body.end_of_stream = True
        messages.append(last)
    return messages


async def stream(
    channel: grpc.aio.Channel,
    messages: Sequence[ProcessingRequest],
    *,
    workload: str | None = "chat",
    half_close: bool = False,
) -> Any:
    """Send one exchange, wait until the server has ended the stream, and return the stream's status.

    ``workload`` is sent as the stream's initial metadata, as Envoy does. None: without this metadata.
    """
    metadata = None if workload is None else ((envoy_names.HEADER_WORKLOAD, workload),)
    call = ExternalProcessorStub(channel).Process(metadata=metadata)
    for message in messages:
        await call.write(message)
    if half_close:
        await call.done_writing()
    async with asyncio.timeout(60):
        assert await call.read() is grpc.aio.EOF
        return await call.code()


@dataclass(slots=True)
class LogStream:
    """One long access log stream, like that of a worker thread of Envoy."""

    call: Any
    node: str = ""
    first: bool = True

    @classmethod
    def open(cls, channel: grpc.aio.Channel, node: str = "") -> LogStream:
        return cls(AccessLogServiceStub(channel).StreamAccessLogs(), node)

    async def send(self, *entries: HTTPAccessLogEntry, log: str = envoy_names.LIVE_LOG) -> None:
        message = StreamAccessLogsMessage()
        if self.first:
            message.identifier.log_name, message.identifier.node.id = log, self.node
            self.first = False
        message.http_logs.log_entry.extend(entries)
        await self.call.write(message)


def log_entry(
    cluster: str = "cloud", status: int = 200, duration_ms: int = 20, chosen: str = "cloud"
) -> HTTPAccessLogEntry:
    """Return a live entry. ``cluster``: the cluster of the endpoint. ``chosen``: the cluster that the split chose."""
    entry = HTTPAccessLogEntry()
    entry.common_properties.upstream_cluster = cluster
    entry.common_properties.custom_tags[envoy_names.WORKLOAD_TAG] = "chat"
    entry.common_properties.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG] = chosen
    entry.common_properties.duration.FromMilliseconds(duration_ms)
    entry.common_properties.time_to_last_rx_byte.FromMilliseconds(1)
    entry.common_properties.time_to_last_upstream_rx_byte.FromMilliseconds(duration_ms)
    entry.common_properties.start_time.GetCurrentTime()
    entry.response.response_code.value = status
    return entry
