"""Serve runtime layers to Envoys by RTDS: one gRPC server for the weights and for the leases of splits.

Only the leader listens, so no stale value can be served. When the leader's term ends, the streams end too; Envoys keep
their values and reconnect until the next leader listens (ADR 0052).
Source: Envoy xDS protocol, "state of the world", ``envoy.service.runtime.v3.RuntimeDiscoveryService``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse, Resource
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from glidepath import grpc_keepalive
from glidepath.errors import error_text
from glidepath.logs import get_logger
from scorer.steering.envoy.actuator import ListenError, MayWrite
from scorer.steering.envoy.runtime_values import RuntimeEntries

TYPE_URL = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
SERVICE = "envoy.service.runtime.v3.RuntimeDiscoveryService"
BIND_PAUSE_S, BIND_TIMEOUT_S = 0.2, 10.0  # between two attempts; until ``run`` ends with an error

log = get_logger()

_OPTIONS = (("grpc.so_reuseport", 0), *grpc_keepalive.SERVER_OPTIONS)


def free_name(wanted: str, taken: Callable[[str], bool]) -> str:
    """Return ``wanted``, with a number appended if another Envoy of this name is connected (``taken``)."""
    unique, number = wanted, 1
    while taken(unique):
        number += 1
        unique = f"{wanted}#{number}"
    return unique


async def send_and_read(
    context: Any, send: Coroutine[Any, Any, None], handle: Callable[[DiscoveryRequest], None]
) -> None:
    """Run ``send``, and pass each message of the Envoy to ``handle``, until the Envoy ends the stream."""
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(send)
        while (request := await context.read()) is not grpc.aio.EOF:
            handle(request)
        sending.cancel()


class LayerService(Protocol):
    """Serves the streams of some runtime layers."""

    def serves(self, layer: str) -> bool:
        """Return whether the streams of this layer are served here."""

    async def serve(self, layer: str, first: DiscoveryRequest, context: Any) -> None:
        """Serve one stream of an Envoy, whose first message is ``first``, until the Envoy ends it."""


class RtdsServer:
    """A gRPC server on ``listen`` (HOST:PORT or unix:/path), which gives each stream to the service of its layer."""

    def __init__(
        self,
        listen: str,
        may_write: MayWrite,
        services: Sequence[LayerService],
        bind_timeout_s: float = BIND_TIMEOUT_S,
    ) -> None:
        self._listen, self._may_write, self._bind_timeout_s = listen, may_write, bind_timeout_s
        self._services = services

    async def run(self) -> None:
        """Serve until cancelled. Raises ListenError if the address stays in use for ``bind_timeout_s`` seconds."""
        server = grpc.aio.server(options=_OPTIONS)
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve_stream,
            request_deserializer=DiscoveryRequest.FromString,
            response_serializer=DiscoveryResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamRuntime": handler}),))
        try:
            await self._bind(server)
            await server.start()
            await server.wait_for_termination()
        finally:
            # None and not 0: after wait_for_termination is cancelled, grpcio's stop with a grace period ends no stream.
            # Envoys would then keep the streams of the finished term, while this process's next term waits for them.
            await server.stop(grace=None)

    async def run_despite_errors(self) -> None:
        """Serve until cancelled. While the address is in use, log this and try again."""
        while True:
            try:
                await self.run()
            except ListenError as error:
                reason = str(error)
                log.warning("leases_not_served", reason=reason, effect="Envoys without a lease serve the baseline")
                await asyncio.sleep(BIND_PAUSE_S)

    async def _bind(self, server: grpc.aio.Server) -> None:
        """Bind the server to its address. A former leader on this host, which hangs or is ending, may still use it."""
        until = time.monotonic() + self._bind_timeout_s
        while True:
            try:
                server.add_insecure_port(self._listen)
            except RuntimeError as error:
                if time.monotonic() >= until:
                    reason = error_text(error)
                    raise ListenError(f"envoy.rtds_listen: cannot listen on {self._listen}: {reason}") from error
            else:
                return
            await asyncio.sleep(BIND_PAUSE_S)

    async def _serve_stream(self, _: Any, context: Any) -> None:
        first = await context.read()
        if first is grpc.aio.EOF or not self._may_write():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this scorer is not the leader")
        if first.type_url in ("", TYPE_URL):
            for layer in first.resource_names:
                for service in self._services:
                    if service.serves(layer):
                        await service.serve(layer, first, context)
                        return
        asked = ", ".join(first.resource_names)[:100]
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT, f"serves no runtime layer {asked!r}; render Envoy's configuration again"
        )


def layer_of(values: RuntimeEntries) -> dict[str, Any]:
    """Return runtime entries as a runtime layer, in which dotted keys become nested objects."""
    root: dict[str, Any] = {}
    for key, value in values.items():
        *path, leaf = key.split(".")
        place = root
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = _typed(value)
    return root


def _typed(value: str) -> Any:
    """Return the value of a runtime entry as a number or an object if its text is JSON, else the text itself.

    Envoy does not parse numbers from text. An object is a FractionalPercent.
    """
    try:
        return json.loads(value)
    except ValueError:
        return value


def response_of(name: str, layer: RuntimeEntries, version: str, *, ttl_s: float | None = None) -> DiscoveryResponse:
    """Return the message with the runtime layer ``name``. Envoy drops it ``ttl_s`` seconds later (None: never)."""
    struct = Struct()
    struct.update(layer_of(layer))
    runtime = Runtime(name=name, layer=struct)
    response = DiscoveryResponse(version_info=version, type_url=TYPE_URL, nonce=version)
    if ttl_s is None:
        response.resources.add().Pack(runtime)
        return response
    ttl = Duration()
    ttl.FromMilliseconds(round(ttl_s * 1000))
    resource = Resource(name=name, version=version, ttl=ttl)
    resource.resource.Pack(runtime)
    response.resources.add().Pack(resource)
    return response
