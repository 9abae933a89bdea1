"""Lease the splits of workloads to Envoys by RTDS, for a few seconds at a time (``glidepath.split_leases``).

Each Envoy has a stream for each layer of leases. The whole layer is sent repeatedly. Envoy drops the layer when its
time to live has passed since the last message. Nothing is sent while this scorer does not lead, or while its steer loop
is stalled. See ADR 0290.

A drill lets one lease expire while the others are renewed. The lease moves to the layer for drills, which has the same
time to live and is never renewed, and is then removed from its own layer. So it expires by Envoy's own clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config
from glidepath.logs import get_logger
from glidepath.split_leases import LeaseLayer, lease_layers
from scorer.steering.envoy.actuator import LeaseReading, MayWrite
from scorer.steering.envoy.rtds_server import free_name, response_of, send_and_read
from scorer.steering.envoy.runtime_values import RuntimeEntries

LEASED = "100"  # percent of the requests
STALLED_S, STALLED_TICKS = 5.0, 3  # the steer loop counts as stalled after the longer of the two without a tick
MOST_UNANSWERED = 16  # unanswered messages that are kept for a stream; an answer to an older one is ignored
FORGET_S = 60.0  # for this long, an Envoy whose streams have ended is still counted, as one without a lease

log = get_logger()


@dataclass(slots=True)
class LeaseStream:
    """One Envoy's stream of one layer.

    ``sent``: nonce → the leased workloads, for each message that the Envoy has not answered yet. ``held``: workload →
    when the Envoy last acknowledged its lease, in monotonic seconds; in the layer for drills, when it first did.
    """

    envoy: str
    layer: str
    connected: bool = True
    gone_at: float = 0.0
    version: int = 0
    sent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class LeaseService:
    """Serves the layers of all leases of a configuration, while ``may_write`` returns True."""

    def __init__(self, config: Config, may_write: MayWrite, clock: Callable[[], float] = time.monotonic) -> None:
        self._layers = {layer.name: layer for layer in lease_layers(config)}
        self._of_workload = {name: layer for layer in self._layers.values() for name in layer.workloads}
        self._may_write, self._clock = may_write, clock
        self._stalled_s = max(STALLED_S, STALLED_TICKS * config.scorer.tick)
        self._renewed_at = clock()
        self._withheld: frozenset[str] = frozenset()
        self._streams: dict[tuple[str, str], LeaseStream] = {}

    def serves(self, layer: str) -> bool:
        return layer in self._layers or (layer == envoy_names.LEASE_DRILL_LAYER and bool(self._layers))

    async def serve(self, layer: str, first: DiscoveryRequest, context: Any) -> None:
        stream = self._join(first.node.id or context.peer(), layer)
        try:
            await send_and_read(context, self._send(stream, context), partial(self._handle_answer, stream))
        finally:
            stream.connected, stream.gone_at = False, self._clock()

    def _join(self, envoy: str, layer: str) -> LeaseStream:
        """Register a new stream. A reconnected Envoy keeps its name. A second Envoy of the same name gets a number."""

        def taken(name: str) -> bool:
            known = self._streams.get((name, layer))
            return known is not None and known.connected

        unique = free_name(envoy, taken)
        stream = self._streams[unique, layer] = LeaseStream(unique, layer)
        return stream

    async def _send(self, stream: LeaseStream, context: Any) -> None:
        while True:
            stream.wake.clear()
            ttl_s = self._ttl(stream)
            if self._may_write() and self._clock() - self._renewed_at < self._stalled_s:
                leased = self._leased(stream)
                stream.version += 1
                nonce = str(stream.version)
                stream.sent[nonce] = leased
                while len(stream.sent) > MOST_UNANSWERED:
                    del stream.sent[next(iter(stream.sent))]
                await context.write(response_of(stream.layer, _entries(leased), nonce, ttl_s=ttl_s))
            pause_s = self._layers[stream.layer].renew_s if stream.layer in self._layers else None
            try:
                async with asyncio.timeout(pause_s):
                    await stream.wake.wait()
            except TimeoutError:
                continue

    def _ttl(self, stream: LeaseStream) -> float | None:
        """Return the time to live of the stream's layer, in seconds; None for an empty layer, which does not expire."""
        if stream.layer in self._layers:
            return self._layers[stream.layer].ttl_s
        return max((self._of_workload[name].ttl_s for name in self._withheld), default=None)

    def _leased(self, stream: LeaseStream) -> tuple[str, ...]:
        """Return the workloads whose lease is in the next message of the stream."""
        if stream.layer not in self._layers:
            return tuple(name for name in self._of_workload if name in self._withheld)
        layer = self._layers[stream.layer]
        return tuple(name for name in layer.workloads if not self._is_handed_over(name, stream.envoy))

    def _is_handed_over(self, name: str, envoy: str) -> bool:
        """Return whether to remove a workload's lease from its layer, because the Envoy has it in the layer for drills.

        If the Envoy has no stream for that layer, the lease is removed too, so it ends at once.
        """
        if name not in self._withheld:
            return False
        drill = self._streams.get((envoy, envoy_names.LEASE_DRILL_LAYER))
        return drill is None or not drill.connected or name in drill.held

    def _handle_answer(self, stream: LeaseStream, request: DiscoveryRequest) -> None:
        leased = stream.sent.pop(request.response_nonce, None)
        if leased is None:
            return
        if request.HasField("error_detail"):
            log.error("rtds_layer_refused", envoy=stream.envoy, reason=request.error_detail.message[:300])
            return
        now = self._clock()
        if stream.layer in self._layers:
            stream.held = dict.fromkeys(leased, now)
            return
        stream.held = {name: stream.held.get(name, now) for name in leased}
        for other in self._streams.values():  # the other layers may now omit the leases of this layer
            if other.envoy == stream.envoy and other is not stream:
                other.wake.set()

    def renew(self, withheld: Collection[str]) -> None:
        """Renew all leases except those of ``withheld``. The steer loop calls this at each tick."""
        self._renewed_at = self._clock()
        before, self._withheld = self._withheld, frozenset(withheld) & self._of_workload.keys()
        if self._withheld == before:
            return
        for stream in self._streams.values():
            # A lease that has ended must not come back in the layer for drills while another one is drilled.
            if stream.layer in self._layers or self._withheld - before or not self._withheld:
                stream.wake.set()

    def readings(self) -> Mapping[str, LeaseReading]:
        """Return, for each workload, how many Envoys are connected, and how many acknowledged its lease in time."""
        now = self._clock()
        for key, stream in list(self._streams.items()):
            if not stream.connected and now - stream.gone_at > FORGET_S:
                del self._streams[key]
        return {name: self._reading(name, layer, now) for name, layer in self._of_workload.items()}

    def _reading(self, name: str, layer: LeaseLayer, now: float) -> LeaseReading:
        envoys = {stream.envoy for stream in self._of_layer(layer.name)}
        both = (*self._of_layer(layer.name), *self._of_layer(envoy_names.LEASE_DRILL_LAYER))
        holding = {one.envoy for one in both if now - one.held.get(name, -layer.ttl_s) < layer.ttl_s}
        return LeaseReading(len(envoys), len(envoys & holding))

    def _of_layer(self, layer: str) -> Iterator[LeaseStream]:
        return (stream for stream in self._streams.values() if stream.layer == layer)


def _entries(workloads: Collection[str]) -> RuntimeEntries:
    return {runtime_keys.lease_key(name): LEASED for name in workloads}
