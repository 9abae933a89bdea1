"""An RTDS server with one layer that never changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from envoy.service.runtime.v3.rtds_pb2 import Runtime

from glidepath import envoy_names
from tests.support.envoy_with_backends import EnvoySetup

_SERVICE = "envoy.service.runtime.v3.RuntimeDiscoveryService"


@asynccontextmanager
async def rtds_server(values: Mapping[str, int]) -> AsyncIterator[str]:
    """Serve ``values`` as the layer, and yield HOST:PORT of the server."""
    runtime = Runtime(name=envoy_names.RTDS_LAYER)
    runtime.layer.update(dict(values))
    response = DiscoveryResponse(
        version_info="1", nonce="1", type_url=f"type.googleapis.com/{Runtime.DESCRIPTOR.full_name}"
    )
    response.resources.add().Pack(runtime)

    async def stream(requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if not request.response_nonce:
                yield response

    handler = grpc.stream_stream_rpc_method_handler(
        stream,
        request_deserializer=DiscoveryRequest.FromString,
        response_serializer=DiscoveryResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"StreamRuntime": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def served_by(
    setup: EnvoySetup, side: str, headers: Mapping[str, str] | None = None, timeout: float = 10
) -> bool:
    """Send requests until ``side`` answers, and return True. Raises TimeoutError after ``timeout`` seconds.

    Envoy gets the pushed layer shortly after its start, so the first requests may go to the other side.
    """
    async with asyncio.timeout(timeout):
        while json.loads((await setup.post(headers=headers)).body)["model"] != side:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    return True
