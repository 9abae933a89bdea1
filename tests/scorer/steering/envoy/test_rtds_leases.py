"""Leases of splits over a gRPC stream: those of each Envoy, their time to live, and the times without a lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse, Resource
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf.json_format import MessageToDict

from glidepath.config import Config, parse_config
from glidepath.envoy_names import LEASE_DRILL_LAYER
from glidepath.split_leases import LeaseLayer, lease_layers, parse_lease
from scorer.steering.envoy.actuator import LeaseReading
from scorer.steering.envoy.rtds_leases import STALLED_S, LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from tests.support.waiting import eventually

METHOD = "/envoy.service.runtime.v3.RuntimeDiscoveryService/StreamRuntime"
WORKLOAD = "{{match: {{path: /{0}}}, baseline: cloud, candidate: onprem, if_lost: {1}}}"
BOTH, ALL = ("chat", "batch"), ("batch", "chat")  # as configured, and in alphabetical order
LAYER = "glidepath-lease-10s"


def config() -> Config:
    named = {"chat": "baseline", "batch": "baseline", "other": "hold"}
    workloads = "\n".join(f"  {name}: {WORKLOAD.format(name, lost)}" for name, lost in named.items())
    backends = "backends: {cloud: {url: 'http://127.0.0.1:1'}, onprem: {url: 'http://127.0.0.1:2'}}"
    return parse_config(f"{backends}\nworkloads:\n{workloads}\n")


@dataclass
class FakeClock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Layer:
    """An Envoy's stream of one layer. ``leased``: the leases in the last message; ``ttl_s``: their time to live."""

    name: str
    leased: list[tuple[str, ...]] = field(default_factory=list)
    ttl_s: float | None = None

    async def run(self, listen: str) -> None:
        async with grpc.aio.insecure_channel(listen) as channel:
            call = channel.stream_stream(
                METHOD,
                request_serializer=DiscoveryRequest.SerializeToString,
                response_deserializer=DiscoveryResponse.FromString,
            )(wait_for_ready=True)
            first = DiscoveryRequest(resource_names=[self.name])
            first.node.id = "envoy"
            await call.write(first)
            while (response := await call.read()) is not grpc.aio.EOF:
                self._take(response)
                await call.write(
                    DiscoveryRequest(
                        resource_names=[self.name], response_nonce=response.nonce, version_info=response.version_info
                    )
                )

    def _take(self, response: DiscoveryResponse) -> None:
        runtime, resource = Runtime(), Resource()
        self.ttl_s = None
        packed = response.resources[0]
        if packed.Unpack(resource):
            self.ttl_s, packed = resource.ttl.ToMilliseconds() / 1000, resource.resource
        assert packed.Unpack(runtime)
        assert runtime.name == self.name
        leases = MessageToDict(runtime.layer).get("glidepath", {})
        assert all(value == {"lease": 100} for value in leases.values())
        self.leased.append(tuple(sorted(leases)))


@asynccontextmanager
async def serving(folder: Path, service: LeaseService, *layers: Layer) -> AsyncIterator[None]:
    listen = f"unix:{folder}/rtds.sock"
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(RtdsServer(listen, lambda: True, [service]).run())]
        tasks += [group.create_task(one.run(listen)) for one in layers]
        yield
        for task in tasks:
            task.cancel()


def test_workloads_with_the_same_time_share_a_layer_and_hold_has_none() -> None:
    assert lease_layers(config()) == (LeaseLayer(LAYER, 10, BOTH),)


@pytest.mark.slow
async def test_a_lease_is_sent_whole_again_and_again_with_its_time_to_live(tmp_path: Path) -> None:
    service, layer = LeaseService(config(), lambda: True), Layer(LAYER)
    async with serving(tmp_path, service, layer):
        await eventually(lambda: len(layer.leased) >= 3)
        assert set(layer.leased) == {ALL}
        assert layer.ttl_s == 10
        await eventually(lambda: service.readings()["chat"] == LeaseReading(envoys=1, held=1))


async def test_a_scorer_that_may_not_write_leases_nothing(tmp_path: Path) -> None:
    service, layer = LeaseService(config(), lambda: False), Layer(LAYER)
    async with serving(tmp_path, service, layer):
        await eventually(lambda: service.readings()["chat"].envoys == 1)
        assert not layer.leased
        assert service.readings()["chat"] == LeaseReading(envoys=1, held=0)


async def test_a_steer_loop_that_stands_still_leases_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    service, layer = LeaseService(config(), lambda: True, clock), Layer(LAYER)
    clock.now += STALLED_S
    async with serving(tmp_path, service, layer):
        await eventually(lambda: service.readings()["chat"].envoys == 1)
        assert not layer.leased


async def test_a_lease_counts_as_held_until_its_time_to_live_has_passed(tmp_path: Path) -> None:
    clock = FakeClock()
    service, layer = LeaseService(config(), lambda: clock.now < 101, clock), Layer(LAYER)
    async with serving(tmp_path, service, layer):
        await eventually(lambda: service.readings()["chat"].held == 1)
        clock.now += 9.9
        assert service.readings()["chat"].held == 1
        clock.now += 0.2
        assert service.readings()["chat"].held == 0


async def test_a_drilled_lease_moves_to_the_layer_for_drills_and_ends_there_alone(tmp_path: Path) -> None:
    clock = FakeClock()
    service, layer, drill = LeaseService(config(), lambda: True, clock), Layer(LAYER), Layer(LEASE_DRILL_LAYER)
    async with serving(tmp_path, service, layer, drill):
        await eventually(lambda: bool(layer.leased and drill.leased))
        assert (drill.leased[-1], drill.ttl_s) == ((), None)
        service.renew(["chat"])
        await eventually(lambda: layer.leased[-1] == ("batch",))
        assert (drill.leased[-1], drill.ttl_s) == (("chat",), 10)
        assert service.readings()["chat"].held == 1  # Envoy has it until its own clock ends it
        clock.now += 4
        service.renew(["chat"])
        await eventually(lambda: len(layer.leased) > 3)
        assert len(drill.leased) == 2  # never renewed
        clock.now += 6.1
        assert service.readings()["chat"].held == 0
        service.renew([])
        await eventually(lambda: layer.leased[-1] == ALL and drill.leased[-1] == ())
        await eventually(lambda: service.readings()["chat"].held == 1)


async def test_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    service = LeaseService(config(), lambda: True)
    with pytest.raises(ExceptionGroup) as refused:
        async with serving(tmp_path, service, Layer("glidepath-lease-7s")):
            await asyncio.sleep(10)
    assert "render Envoy's configuration again" in str(refused.value.exceptions[0])


@pytest.mark.parametrize(
    ("text", "in_force"),
    [("", False), ("0", False), ("100", True), ("0.0", False), ('{"numerator": 5}', True)],
)
def test_a_lease_is_in_force_above_0(text: str, in_force: bool) -> None:
    assert parse_lease(text) is in_force
