"""The RTDS actuator: the leader serves Envoy's runtime over gRPC xDS; an Envoy's acknowledgement is its confirmation.

For a fleet without open admin ports: each Envoy opens one stream, gets the whole layer, and answers each version with
an ACK, or a NACK that says what it did not like. Only the leader listens, so that no stale value can be served: when
its term ends the streams end too, Envoy keeps what it has and connects again until the next leader is there.
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

from glidepath import keys
from glidepath.errors import error_text
from scorer.steering.envoy.actuator import ListenError, MayWrite
from scorer.steering.envoy.admin import AdminActuator
from scorer.steering.envoy.reconcile import Values

TYPE_URL = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
SERVICE = "envoy.service.runtime.v3.RuntimeDiscoveryService"
FORGET_S = 60.0  # an Envoy that went away counts as not confirmed for so long
NACK_PAUSE_S = 1.0  # the same layer is not offered again sooner after a refusal; doubled each time
MAX_PAUSE_S = 30.0
BIND_PAUSE_S, BIND_PATIENCE_S = 0.2, 10.0  # then another scorer, perhaps on another host, may lead

# Envoy's HTTP/2 keepalive finds a paused leader; gRPC's server would by default take such pings for abuse.
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
    ("grpc.http2.max_ping_strikes", 0),
)

log = structlog.get_logger()


def layer_of(values: Values) -> dict[str, Any]:
    """Dotted keys as the nested structure that a runtime layer is."""
    root: dict[str, Any] = {}
    for key, value in values.items():
        *path, leaf = key.split(".")
        place = root
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = _typed(value)
    return root


def _typed(value: str) -> Any:
    """A number or a FractionalPercent as such; a layer's value is not text to be parsed."""
    try:
        return json.loads(value)
    except ValueError:
        return value


@dataclass(slots=True)
class Node:
    """One Envoy's stream: what it has acknowledged, what it was sent, what it is to get."""

    name: str
    acked: dict[str, str] = field(default_factory=dict)
    sent: dict[str, dict[str, str]] = field(default_factory=dict)  # nonce → layer
    wanted: dict[str, str] | None = None
    connected: bool = True
    gone_at: float = 0.0
    version: int = 0
    nacks: int = 0
    not_before: float = 0.0
    problem: str = ""
    carrying: bool = False  # it came with a version: some leader before us told it something
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class RtdsActuator:
    """``Actuator`` over RTDS; ``run`` listens on ``listen`` (HOST:PORT or unix:/path).

    ``admin``: the admin interfaces of the same Envoys, as far as they are known. A person's curl there stands above
    what is pushed; it is read, and lifted once it is taken in.
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
        self._nodes: dict[str, Node] = {}

    async def run(self) -> None:
        """Serve until cancelled. Raises ListenError (in a group, with ``admin``) when the address stays taken."""
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
            self._stream,
            request_deserializer=DiscoveryRequest.FromString,
            response_serializer=DiscoveryResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"StreamRuntime": handler}),))
        try:
            await self._bind(server)
            await server.start()
            await server.wait_for_termination()
        finally:
            # None, not 0: once wait_for_termination is cancelled, grpcio's stop with a grace ends no stream, and Envoys
            # would hang on those of a term that is over while the next one of this process waits for them.
            await server.stop(grace=None)

    async def _bind(self, server: grpc.aio.Server) -> None:
        """A former leader on this host that is frozen, or about to end, still has the address: wait for it to go."""
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

    async def _stream(self, _: Any, context: Any) -> None:
        first = await context.read()
        if first is grpc.aio.EOF or not self._may_write():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this scorer does not steer")
        if first.type_url not in ("", TYPE_URL) or keys.RTDS_LAYER not in first.resource_names:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"serves only the runtime layer {keys.RTDS_LAYER}")
        node = self._join(first.node.id or context.peer())
        node.carrying = bool(first.version_info)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send(node, context))
                while (request := await context.read()) is not grpc.aio.EOF:
                    self._answered(node, request)
                sending.cancel()
        finally:
            node.connected, node.gone_at = False, time.monotonic()
            node.settled.set()

    def _join(self, name: str) -> Node:
        """A new stream begins with an empty reading: whatever this Envoy has, it gets the layer again."""
        unique, number = name, 1
        while (known := self._nodes.get(unique)) is not None and known.connected:
            number += 1
            unique = f"{name}#{number}"
        node = self._nodes[unique] = Node(unique)
        node.settled.set()
        return node

    async def _send(self, node: Node, context: Any) -> None:
        while True:
            await node.wake.wait()
            node.wake.clear()
            if node.wanted is None or not self._may_write():
                continue
            layer, node.wanted = node.wanted, None
            node.version += 1
            nonce = str(node.version)
            node.sent[nonce] = layer
            await context.write(_response(layer, nonce))

    def _answered(self, node: Node, request: DiscoveryRequest) -> None:
        layer = node.sent.pop(request.response_nonce, None)
        if layer is None:
            return
        if request.HasField("error_detail"):
            node.nacks += 1
            node.problem = f"refused the runtime layer: {request.error_detail.message[:300]}"
            node.not_before = time.monotonic() + min(NACK_PAUSE_S * 2 ** (node.nacks - 1), MAX_PAUSE_S)
            log.error("rtds_nack", envoy=node.name, reason=node.problem)
        else:
            node.nacks, node.problem, node.acked = 0, "", layer
        if not node.sent and node.wanted is None:
            node.settled.set()

    def readings(self) -> Mapping[str, Values | None]:
        now = time.monotonic()
        for name, node in list(self._nodes.items()):
            if not node.connected and now - node.gone_at > FORGET_S:
                del self._nodes[name]
        return {name: self._reading(node) for name, node in self._nodes.items()}

    @staticmethod
    def _reading(node: Node) -> Values | None:
        """What is acknowledged; unknown while an answer is awaited."""
        return node.acked if node.connected and not node.sent and node.wanted is None else None

    def submit(self, writes: Mapping[str, Values]) -> None:
        if self._admin is not None:
            self._admin.submit(writes)
        now = time.monotonic()
        for name, values in writes.items():
            node = self._nodes.get(name)
            if node is None or not node.connected or now < node.not_before:
                continue
            base = node.wanted if node.wanted is not None else node.acked
            node.wanted = {k: v for k, v in {**base, **values}.items() if v}
            node.settled.clear()
            node.wake.set()

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for node in list(self._nodes.values()):
                    await node.settled.wait()
                if self._admin is not None:
                    await self._admin.settle(timeout)

    def carrying(self) -> frozenset[str]:
        return frozenset(name for name, node in self._nodes.items() if node.connected and node.carrying)

    def overrides(self) -> Mapping[str, Values | None]:
        return self._admin.readings() if self._admin is not None else {}

    def problems(self) -> Mapping[str, str]:
        return {
            **(self._admin.problems() if self._admin is not None else {}),
            **self._node_problems(),
        }

    def _node_problems(self) -> Mapping[str, str]:
        return {
            name: node.problem or "not connected"
            for name, node in self._nodes.items()
            if node.problem or not node.connected
        }


def _response(layer: Values, version: str) -> DiscoveryResponse:
    struct = Struct()
    struct.update(layer_of(layer))
    response = DiscoveryResponse(version_info=version, type_url=TYPE_URL, nonce=version)
    response.resources.add().Pack(Runtime(name=keys.RTDS_LAYER, layer=struct))
    return response
