"""A gRPC server in the test process that stores the messages of Envoy's ext_proc filter and access logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from envoy.service.ext_proc.v3 import external_processor_pb2, external_processor_pb2_grpc


@dataclass(slots=True)
class Collector:
    """The server: ``async with Collector(socket)``.

    - ``entries``: name of the log → its entries
    - ``streams``: the ext_proc messages of each stream; ``metadata``: the metadata of each stream
    - ``ends_streams``: whether to end a stream when the answer is complete, as extproc does
    - ``ended``: how many streams it has ended
    """

    socket: Path
    ends_streams: bool = False
    ended: int = 0
    entries: dict[str, list[Any]] = field(default_factory=dict)
    streams: list[list[Any]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    _server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Collector:
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        als_pb2_grpc.add_AccessLogServiceServicer_to_server(_Log(self), self._server)
        external_processor_pb2_grpc.add_ExternalProcessorServicer_to_server(_Processor(self), self._server)
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(None)


class _Log(als_pb2_grpc.AccessLogServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def StreamAccessLogs(self, messages: AsyncIterator[Any], context: Any) -> Any:
        name = ""
        async for message in messages:
            name = message.identifier.log_name or name
            self._collector.entries.setdefault(name, []).extend(message.http_logs.log_entry)
        return als_pb2.StreamAccessLogsResponse()


class _Processor(external_processor_pb2_grpc.ExternalProcessorServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Process(self, messages: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        stream: list[Any] = []
        self._collector.streams.append(stream)
        self._collector.metadata.append(dict(context.invocation_metadata()))
        async for message in messages:
            stream.append(message)
            if self._collector.ends_streams and message.response_body.end_of_stream:
                self._collector.ended += 1
                return
        return
        yield external_processor_pb2.ProcessingResponse()
