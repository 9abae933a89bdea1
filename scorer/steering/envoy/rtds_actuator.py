"""Steer Envoys by RTDS: the leader serves Envoy's runtime over gRPC xDS, and an Envoy's ACK is its confirmation.

This is for fleets without open admin ports. Each Envoy opens one stream, gets the whole layer, and answers each version
with an ACK, or with a NACK and an error message. Only the leader listens, so no stale value can be served. When the
leader's term ends, the streams end too; Envoys keep their values and reconnect until the next leader listens (ADR
0052).
Source: Envoy xDS protocol, "state of the world", ``envoy.service.runtime.v3.RuntimeDiscoveryService``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf.struct_pb2 import Struct

from glidepath import envoy_names, grpc_keepalive
from glidepath.errors import error_text
from scorer.steering.envoy.actuator import ListenError, MayWrite
from scorer.steering.envoy.admin_actuator import AdminActuator
from scorer.steering.envoy.runtime_values import RuntimeEntries

TYPE_URL = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
SERVICE = "envoy.service.runtime.v3.RuntimeDiscoveryService"
FORGET_S = 60.0  # a disconnected Envoy stays in the fleet, as not confirmed, for this long
NACK_PAUSE_S = 1.0  # the pause after a NACK before the layer is sent again; it is doubled after each NACK
MAX_PAUSE_S = 30.0
BIND_PAUSE_S, BIND_PATIENCE_S = 0.2, 10.0  # after the second time, the term ends

_OPTIONS = (("grpc.so_reuseport", 0), *grpc_keepalive.SERVER_OPTIONS)

log = structlog.get_logger()


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


@dataclass(slots=True)
class EnvoyStream:
    """One Envoy's stream.

    ``acked``: the last layer that the Envoy acknowledged. ``sent``: the layers that it has not answered yet.
    ``pending``: the next layer to send.
    """

    name: str
    acked: dict[str, str] = field(default_factory=dict)
    sent: dict[str, dict[str, str]] = field(default_factory=dict)  # nonce → layer
    pending: dict[str, str] | None = None
    connected: bool = True
    gone_at: float = 0.0
    version: int = 0
    nacks: int = 0
    not_before: float = 0.0
    problem: str = ""
    unknown_weights: bool = False  # the Envoy connected with a version, so it has values from a former leader
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class RtdsActuator:
    """The ``Actuator`` that uses RTDS. Its ``run`` listens on ``listen`` (HOST:PORT or unix:/path).

    ``admin``: the actuator for the admin interfaces of the same Envoys, if they are configured. A manual override at an
    admin interface takes precedence over the pushed layer. It is adopted, and then removed from the admin layer (ADR
    0119).
    """

    def __init__(
        self,
        listen: str,
        may_write: MayWrite,
        patience_s: float = BIND_PATIENCE_S,
        admin: AdminActuator | None = None,
    ) -> None:
        self._admin = admin
        self._listen, self._may_write, self._patience_s = listen, may_write, patience_s
        self._streams: dict[str, EnvoyStream] = {}

    async def run(self) -> None:
        """Serve the Envoys until cancelled.

        Raises ListenError if the address stays in use. With ``admin``, the error is raised in an ExceptionGroup.
        """
        if self._admin is None:
            await self._serve()
            return
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._admin.run())
            await self._serve()
            reading.cancel()

    async def _serve(self) -> None:
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

    async def _bind(self, server: grpc.aio.Server) -> None:
        """Bind the server to its address. Raises ListenError if the address stays in use for ``patience_s`` seconds.

        A former leader on this host, which hangs or is ending, may still use the address.
        """
        until = time.monotonic() + self._patience_s
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
        if first.type_url not in ("", TYPE_URL) or envoy_names.RTDS_LAYER not in first.resource_names:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"serves only the runtime layer {envoy_names.RTDS_LAYER}"
            )
        stream = self._join(first.node.id or context.peer())
        stream.unknown_weights = bool(first.version_info)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send(stream, context))
                while (request := await context.read()) is not grpc.aio.EOF:
                    self._handle_answer(stream, request)
                sending.cancel()
        finally:
            stream.connected, stream.gone_at = False, time.monotonic()
            stream.settled.set()

    def _join(self, name: str) -> EnvoyStream:
        """Register a new stream of the Envoy ``name``.

        Nothing has been acknowledged on a new stream, so the whole layer is sent, even to an Envoy that has only
        reconnected.
        """
        unique, number = name, 1
        while (known := self._streams.get(unique)) is not None and known.connected:
            number += 1
            unique = f"{name}#{number}"
        stream = self._streams[unique] = EnvoyStream(unique)
        stream.settled.set()
        return stream

    async def _send(self, stream: EnvoyStream, context: Any) -> None:
        while True:
            await stream.wake.wait()
            stream.wake.clear()
            if stream.pending is None or not self._may_write():
                continue
            layer, stream.pending = stream.pending, None
            stream.version += 1
            nonce = str(stream.version)
            stream.sent[nonce] = layer
            await context.write(_response(layer, nonce))

    def _handle_answer(self, stream: EnvoyStream, request: DiscoveryRequest) -> None:
        layer = stream.sent.pop(request.response_nonce, None)
        if layer is None:
            return
        if request.HasField("error_detail"):
            stream.nacks += 1
            stream.problem = f"refused the runtime layer: {request.error_detail.message[:300]}"
            stream.not_before = time.monotonic() + min(NACK_PAUSE_S * 2 ** (stream.nacks - 1), MAX_PAUSE_S)
            log.error("rtds_layer_refused", envoy=stream.name, reason=stream.problem)
        else:
            stream.nacks, stream.problem, stream.acked = 0, "", layer
        if not stream.sent and stream.pending is None:
            stream.settled.set()

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        now = time.monotonic()
        for name, stream in list(self._streams.items()):
            if not stream.connected and now - stream.gone_at > FORGET_S:
                del self._streams[name]
        return {name: self._reading(stream) for name, stream in self._streams.items()}

    @staticmethod
    def _reading(stream: EnvoyStream) -> RuntimeEntries | None:
        """Return the layer that the Envoy has acknowledged.

        Return None if the Envoy is disconnected, or if it has not answered every layer that was sent or queued.
        """
        return stream.acked if stream.connected and not stream.sent and stream.pending is None else None

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        if self._admin is not None:
            self._admin.submit(writes)
        now = time.monotonic()
        for name, values in writes.items():
            stream = self._streams.get(name)
            if stream is None or not stream.connected or now < stream.not_before:
                continue
            base = stream.pending if stream.pending is not None else stream.acked
            stream.pending = {k: v for k, v in {**base, **values}.items() if v}
            stream.settled.clear()
            stream.wake.set()

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for stream in list(self._streams.values()):
                    await stream.settled.wait()
                if self._admin is not None:
                    await self._admin.settle(timeout)

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset(name for name, stream in self._streams.items() if stream.connected and stream.unknown_weights)

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return self._admin.readings() if self._admin is not None else {}

    def problems(self) -> Mapping[str, str]:
        return {
            **(self._admin.problems() if self._admin is not None else {}),
            **self._stream_problems(),
        }

    def _stream_problems(self) -> Mapping[str, str]:
        return {
            name: stream.problem or "not connected"
            for name, stream in self._streams.items()
            if stream.problem or not stream.connected
        }


def _response(layer: RuntimeEntries, version: str) -> DiscoveryResponse:
    struct = Struct()
    struct.update(layer_of(layer))
    response = DiscoveryResponse(version_info=version, type_url=TYPE_URL, nonce=version)
    response.resources.add().Pack(Runtime(name=envoy_names.RTDS_LAYER, layer=struct))
    return response
