"""An RTDS server whose weights a test changes while Envoys are connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from envoy.service.runtime.v3.rtds_pb2 import Runtime

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config

_SERVICE = "envoy.service.runtime.v3.RuntimeDiscoveryService"


def weights(config: Config, percent: float, workload: str = "chat") -> dict[str, int]:
    """Return the runtime values that give the candidate ``percent`` of a workload."""
    points = round(percent * 100)
    return {
        runtime_keys.weight_key(workload, config.candidate_cluster(workload)): points,
        runtime_keys.weight_key(workload, config.baseline_cluster(workload)): runtime_keys.FULL_WEIGHT - points,
    }


class Shares:
    """The runtime values of one configuration. Every change is pushed to all connected Envoys."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._values: dict[str, int] = {}
        self._version = 0
        self._acknowledged = 0
        self._changed = asyncio.Condition()

    async def set(self, percent: float, workload: str = "chat") -> None:
        """Give the candidate ``percent`` of a workload, and wait until an Envoy has acknowledged it."""
        await self._push(weights(self._config, percent, workload))

    async def capture(self, percent: int, workload: str = "chat") -> None:
        """Capture ``percent`` of a workload's requests, and wait until an Envoy has acknowledged it."""
        await self._push({runtime_keys.shadow_key(workload): percent})

    async def _push(self, values: Mapping[str, int]) -> None:
        async with self._changed, asyncio.timeout(30):
            self._values.update(values)
            self._version += 1
            self._changed.notify_all()
            wanted = self._version
            await self._changed.wait_for(lambda: self._acknowledged >= wanted)

    async def stream(self, requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        """Serve one Envoy: the values now, then every change."""
        reader = asyncio.create_task(self._read(requests))
        sent = -1
        try:
            while not reader.done():
                sent = await self._newer_than(sent, reader)
                yield self._response()
        finally:
            reader.cancel()

    async def _newer_than(self, sent: int, reader: asyncio.Task[None]) -> int:
        """Wait for a version after ``sent``, or for the end of the stream. Return the version to send."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._version != sent or reader.done())
            return self._version

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        try:
            async for request in requests:
                if request.version_info:
                    async with self._changed:
                        self._acknowledged = max(self._acknowledged, int(request.version_info))
                        self._changed.notify_all()
        finally:
            async with self._changed:
                self._changed.notify_all()

    def _response(self) -> DiscoveryResponse:
        runtime = Runtime(name=envoy_names.RTDS_LAYER)
        runtime.layer.update(self._values)
        version = str(self._version)
        kind = f"type.googleapis.com/{Runtime.DESCRIPTOR.full_name}"
        response = DiscoveryResponse(version_info=version, nonce=version, type_url=kind)
        response.resources.add().Pack(runtime)
        return response


@asynccontextmanager
async def serving(shares: Shares, address: str) -> AsyncIterator[None]:
    """Serve ``shares`` at ``address`` (HOST:PORT) until the block ends."""
    handler = grpc.stream_stream_rpc_method_handler(
        shares.stream,
        request_deserializer=DiscoveryRequest.FromString,
        response_serializer=DiscoveryResponse.SerializeToString,
    )
    server = grpc.aio.server(options=[("grpc.http2.min_ping_interval_without_data_ms", 500)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"StreamRuntime": handler}),))
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)
