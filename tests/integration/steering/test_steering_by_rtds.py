"""The RTDS actuator with real Envoys and a fleet of stream clients that acknowledge as Envoy does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf.json_format import MessageToDict

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config
from glidepath.config.connections import RedisSection
from glidepath.status_and_decisions import CommandKind
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy
from scorer.steering.envoy.rtds_actuator import RtdsActuator
from scorer.steering.envoy.rtds_server import layer_of
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.steering_client import CANDIDATE, SteeringClient, steering, steering_client
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]
CLIENTS = 16
METHOD = "/envoy.service.runtime.v3.RuntimeDiscoveryService/StreamRuntime"
YAML = """
envoy: {{actuator: rtds, rtds_listen: "127.0.0.1:{port}"}}
backends:
  cloud: {{url: "http://127.0.0.1:9001"}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    baseline: cloud
    candidate: onprem
    ramp: {{steps: [5, 25, 100]}}
"""


@dataclass
class StreamClient:
    """A client that behaves on an RTDS stream as Envoy does; with ``refuse`` it answers with a NACK."""

    name: str
    refuse: bool = False
    layers: list[dict[str, object]] = field(default_factory=list)

    @property
    def candidate(self) -> object:
        if not self.layers:
            return None
        weights = self.layers[-1]["glidepath"]["chat"]["weight"]  # type: ignore[index]
        return int(weights["onprem-or-cloud"])

    async def run(self, port: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_stream(
                METHOD,
                request_serializer=DiscoveryRequest.SerializeToString,
                response_deserializer=DiscoveryResponse.FromString,
            )(wait_for_ready=True)
            first = DiscoveryRequest(resource_names=[envoy_names.RTDS_LAYER])
            first.node.id = self.name
            await call.write(first)
            while (response := await call.read()) is not grpc.aio.EOF:
                await call.write(self._answer(response))

    def _answer(self, response: DiscoveryResponse) -> DiscoveryRequest:
        answer = DiscoveryRequest(resource_names=[envoy_names.RTDS_LAYER], response_nonce=response.nonce)
        if self.refuse:
            answer.error_detail.message = "refused by the test"
            return answer
        runtime = Runtime()
        response.resources[0].Unpack(runtime)
        self.layers.append(MessageToDict(runtime.layer))
        answer.version_info = response.version_info
        return answer


@asynccontextmanager
async def clients(port: int, *fleet: StreamClient) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(port)) for one in fleet]
        yield
        for task in tasks:
            task.cancel()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@contextmanager
def envoys_of(names: str, tmp_path: Path, port: int) -> Iterator[list[RunningEnvoy]]:
    """Run one Envoy per letter, each in a folder of that name."""
    with ExitStack() as stack:
        running = []
        for name in names:
            folder = tmp_path / name
            folder.mkdir()
            running.append(stack.enter_context(running_envoy(YAML.format(port=port), folder)))
        yield running


@pytest.fixture
def envoys(tmp_path: Path, port: int) -> Iterator[list[RunningEnvoy]]:
    with envoys_of("ab", tmp_path, port) as two:
        yield two


def rtds_config(envoy: RunningEnvoy, redis_url: str) -> Config:
    return envoy.config.model_copy(update={"redis": RedisSection(url=redis_url)})


async def test_a_fleet_of_20_envoys_confirms_a_step_and_a_rollback(tmp_path: Path, port: int, redis_url: str) -> None:
    fleet = [StreamClient(f"client-{i}") for i in range(CLIENTS)]
    n = CLIENTS + 4
    with envoys_of("abcd", tmp_path, port) as envoys:
        async with steering(rtds_config(envoys[0], redis_url)) as client, clients(port, *fleet):
            await _step_up_and_roll_back(client, envoys, fleet, n)


async def _step_up_and_roll_back(
    client: SteeringClient, envoys: list[RunningEnvoy], fleet: list[StreamClient], n: int
) -> None:
    await eventually(lambda: client.stands("shadow", 0, n))
    await client.order(CommandKind.PROMOTE)
    await eventually(lambda: client.stands("baking", 5, n))
    assert {c.candidate for c in fleet} == {500}
    for envoy in envoys:
        assert await client.has(envoy.admin, 500)
    await client.outcomes(3, 3)
    await eventually(lambda: client.stands("cooling_down", 0, n))
    assert {c.candidate for c in fleet} == {0}
    for envoy in envoys:
        assert await client.has(envoy.admin, 0)


async def test_a_restarted_envoy_is_served_again(envoys: list[RunningEnvoy], tmp_path: Path, redis_url: str) -> None:
    async with steering(rtds_config(envoys[0], redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 2))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 2))
        admin = envoys[0].admin
        envoys[0].child.kill()
        with start_envoy(tmp_path / "a" / "envoy.yaml", admin, tmp_path / "again.log", concurrency=1):
            await eventually(lambda: client.has(admin, 500))


async def test_an_envoy_that_refuses_the_layer_or_leaves_is_not_confirmed(
    envoys: list[RunningEnvoy], port: int, redis_url: str
) -> None:
    refusing, leaving = StreamClient("refusing", refuse=True), StreamClient("leaving")
    async with (
        steering(rtds_config(envoys[0], redis_url)) as client,
        clients(port, refusing),
        AsyncExitStack() as stack,
    ):
        await stack.enter_async_context(clients(port, leaving))
        await eventually(lambda: client.stands("shadow", 0, 3))
        await stack.aclose()
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 2))
        status = await client.status()
        assert status is not None
        assert status.envoys == 4


async def test_after_the_loss_of_redis_and_the_leader_the_envoys_weights_stay_until_a_command(
    envoys: list[RunningEnvoy], tmp_path: Path, port: int, redis_url: str
) -> None:
    config, file = rtds_config(envoys[0], redis_url), tmp_path / "client.yaml"
    file.write_text(f'{YAML.format(port=port)}redis: {{url: "{redis_url}"}}\n')
    command = [sys.executable, "-m", "tests.support.steering_process", str(file), "leader"]
    async with steering_client(config) as client:
        with Child("leader", command, tmp_path / "leader.log", cwd=ROOT) as leader:
            await eventually(lambda: client.stands("shadow", 0, 2))
            await client.order(CommandKind.PROMOTE)
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.stands("baking", 25, 2))
            leader.kill()
        await client.redis.flushall()
    async with steering(config, "another") as client:
        await eventually(lambda: client.stands("held", 0))
        held = await client.logged("hold")
        assert held is not None
        assert (held.actor, held.trigger) == ("glidepath", "state_lost")
        assert "glidepath resume chat" in held.reason
        for envoy in envoys:
            assert await client.has(envoy.admin, 2500)
        await client.order(CommandKind.PROMOTE, percent=25)
        await eventually(lambda: client.stands("held", 25, 2))
        await client.order(CommandKind.RESUME)
        await eventually(lambda: client.stands("baking", 25, 2))
        for envoy in envoys:
            assert await client.has(envoy.admin, 2500)


async def test_weights_set_at_a_known_admin_interface_are_adopted_on_all_envoys_and_removed_there(
    envoys: list[RunningEnvoy], redis_url: str
) -> None:
    first, second = (e.admin for e in envoys)
    async with steering(rtds_config(envoys[0], redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 2))
        await client.curl(first, candidate=9000, baseline=1000)
        await eventually(lambda: client.stands("held", 90, 2))
        await eventually(lambda: client.has(second, 9000))
        await eventually(lambda: client.admin_layer_is_empty(first))
        assert await client.has(first, 9000)
        await client.curl(first, candidate=0)
        await eventually(lambda: client.stands("held", 0, 2))
        await eventually(lambda: client.has(second, 0))
        await eventually(lambda: client.has(first, 0))
        adopted = [d for d in await client.log() if d.event == "adopt_weights"]
        assert [(d.to_percent, d.actor) for d in adopted] == [(90, "manual_override"), (0, "manual_override")]
        assert "glidepath resume chat" in adopted[0].reason


async def test_a_shadow_share_set_at_a_known_admin_interface_is_adopted_on_all_envoys_and_removed_there(
    envoys: list[RunningEnvoy], port: int, redis_url: str
) -> None:
    first, other = envoys[0].admin, StreamClient("other")
    async with steering(rtds_config(envoys[0], redis_url)) as client, clients(port, other):
        await eventually(lambda: client.stands("shadow", 0, 3))
        async with client.http.post(
            f"{first}/runtime_modify", params={runtime_keys.shadow_key("chat"): "10"}
        ) as answer:
            assert answer.status == 200
        await eventually(lambda: client.logged("adopt_shadow"))
        adopted = await client.logged("adopt_shadow")
        assert adopted is not None
        assert (adopted.actor, adopted.details["shadow_percent"]) == ("manual_override", 10)
        await eventually(lambda: client.admin_layer_is_empty(first))
        assert other.layers[-1]["glidepath"]["chat"]["shadow"] == 10  # type: ignore[index]
        status = await client.status()
        assert status is not None
        assert "a person set the shadow share to 10 %" in status.message


async def test_a_manual_autopilot_0_stops_the_ramp_and_manual_weights_do_not_hide_a_rollback(
    envoys: list[RunningEnvoy], redis_url: str
) -> None:
    first, second = (e.admin for e in envoys)
    async with steering(rtds_config(envoys[0], redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 2))
        await client.curl(first, autopilot="off", candidate=2000, baseline=8000)
        await eventually(lambda: client.logged("autopilot_off"))
        await eventually(lambda: client.stands("held", 20, 2))
        await client.order(CommandKind.ROLLBACK)
        await eventually(lambda: client.has(first, 0))
        await eventually(lambda: client.has(second, 0))


@pytest.mark.parametrize("by", ["a guard", "rollback", "abort"])
async def test_after_the_loss_of_redis_a_guard_and_a_command_can_still_roll_back(
    envoys: list[RunningEnvoy], redis_url: str, by: str
) -> None:
    """The new leader has no state and finds Envoys that serve 25 %."""
    config = rtds_config(envoys[0], redis_url)
    async with steering(config, "first") as client:
        await eventually(lambda: client.stands("shadow", 0, 2))
        await client.order(CommandKind.PROMOTE)
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 25, 2))
    async with steering_client(config) as client:
        await client.redis.flushall()
    async with steering(config, "second") as client:
        await eventually(lambda: client.stands("held", 0))
        status = await client.status()
        assert status is not None
        assert not status.share_known
        assert "the share is not known" in status.message
        assert await client.has(envoys[0].admin, 2500)
        if by == "a guard":
            await client.outcomes(4, 4)
        else:
            await client.order(CommandKind(by))
        await eventually(lambda: client.stands("aborted" if by == "abort" else "cooling_down", 0, 2))
        for envoy in envoys:
            assert await client.has(envoy.admin, 0)


async def test_the_end_of_a_term_ends_its_streams_so_that_envoys_reconnect(port: int) -> None:
    """Both terms run in one process, as after a Redis outage that lasted longer than the leader's lease."""
    actuator, client = RtdsActuator(f"127.0.0.1:{port}", may_write=lambda: True), StreamClient("one")
    serving, stream = asyncio.create_task(actuator.run()), asyncio.create_task(client.run(port))
    await eventually(lambda: "one" in actuator.readings())
    serving.cancel()
    done, _ = await asyncio.wait({stream}, timeout=60)
    stream.cancel()
    assert done
    assert isinstance(stream.exception(), grpc.aio.AioRpcError)


async def test_a_scorer_without_the_lease_refuses_streams(port: int) -> None:
    actuator = RtdsActuator(f"127.0.0.1:{port}", may_write=lambda: False)
    client = StreamClient("one")
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(actuator.run())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.run(port)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert actuator.readings() == {}
        serving.cancel()


def test_a_layer_is_nested_and_has_typed_values() -> None:
    values = {CANDIDATE: "500", "glidepath.chat.shadow": '{"numerator":5000,"denominator":"MILLION"}'}
    assert layer_of(values) == {
        "glidepath": {
            "chat": {"weight": {"onprem-or-cloud": 500}, "shadow": {"numerator": 5000, "denominator": "MILLION"}}
        }
    }
