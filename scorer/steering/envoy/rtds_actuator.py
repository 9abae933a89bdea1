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
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from glidepath import envoy_names
from glidepath.logs import get_logger
from scorer.steering.envoy.actuator import CountersReading, LeaseReading, MayWrite
from scorer.steering.envoy.admin_actuator import AdminActuator
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import (
    BIND_TIMEOUT_S,
    LayerService,
    RtdsServer,
    free_name,
    response_of,
    send_and_read,
)
from scorer.steering.envoy.runtime_values import RuntimeEntries

FORGET_S = 60.0  # a disconnected Envoy stays in the fleet, as not confirmed, for this long
NACK_PAUSE_S = 1.0  # the pause after a NACK before the layer is sent again; it is doubled after each NACK
MAX_PAUSE_S = 30.0

log = get_logger()


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

    lasts = False  # Envoys must be free to connect to the next leader

    def __init__(
        self,
        listen: str,
        may_write: MayWrite,
        bind_timeout_s: float = BIND_TIMEOUT_S,
        admin: AdminActuator | None = None,
        leases: LeaseService | None = None,
    ) -> None:
        self._admin, self._leases = admin, leases
        self._may_write = may_write
        services: list[LayerService] = [self, *([leases] if leases is not None else [])]
        self._server = RtdsServer(listen, may_write, services, bind_timeout_s)
        self._streams: dict[str, EnvoyStream] = {}

    async def run(self) -> None:
        """Serve the Envoys until cancelled.

        Raises ListenError if the address stays in use. With ``admin``, the error is raised in an ExceptionGroup.
        """
        if self._admin is None:
            await self._server.run()
            return
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._admin.run())
            await self._server.run()
            reading.cancel()

    def serves(self, layer: str) -> bool:
        return layer == envoy_names.RTDS_LAYER

    async def serve(self, layer: str, first: DiscoveryRequest, context: Any) -> None:
        """Serve one stream of an Envoy, until the Envoy ends it."""
        stream = self._join(first.node.id or context.peer())
        stream.unknown_weights = bool(first.version_info)
        try:
            await send_and_read(context, self._send(stream, context), partial(self._handle_answer, stream))
        finally:
            stream.connected, stream.gone_at = False, time.monotonic()
            stream.settled.set()

    def _join(self, name: str) -> EnvoyStream:
        """Register a new stream of the Envoy ``name``.

        Nothing has been acknowledged on a new stream, so the whole layer is sent, even to an Envoy that has only
        reconnected.
        """

        def taken(unique: str) -> bool:
            known = self._streams.get(unique)
            return known is not None and known.connected

        unique = free_name(name, taken)
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
            await context.write(response_of(envoy_names.RTDS_LAYER, layer, nonce))

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

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        self.submit(writes)

    def count(self, path: str) -> None:
        if self._admin is not None:
            self._admin.count(path)

    def counters(self) -> Mapping[str, CountersReading]:
        return self._admin.counters() if self._admin is not None else {}

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for stream in list(self._streams.values()):
                    await stream.settled.wait()
                if self._admin is not None:
                    await self._admin.settle(timeout)

    def end_term(self) -> None:
        return None  # it ends as a whole

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset(name for name, stream in self._streams.items() if stream.connected and stream.unknown_weights)

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return self._admin.readings() if self._admin is not None else {}

    def leases(self) -> Mapping[str, LeaseReading]:
        seen = self._admin.leases() if self._admin is not None else {}
        return seen or (self._leases.readings() if self._leases is not None else {})

    def renew_leases(self, withheld: Collection[str]) -> None:
        if self._leases is not None:
            self._leases.renew(withheld)

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
