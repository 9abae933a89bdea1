"""The RTDS address may still be in use by a former leader that hangs; the new leader waits and keeps running."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from glidepath.config import parse_config
from scorer.steering.envoy.actuator import ListenError, MemoryActuator
from scorer.steering.envoy.rtds_actuator import RtdsActuator
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.empty_steering_store import EmptySteeringStore
from tests.support.http2_pings import answered_pings
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.waiting import eventually


@pytest.fixture
def hanging_leader() -> Any:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


def address(taken: socket.socket) -> str:
    return f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.slow
async def test_the_actuator_listens_as_soon_as_the_address_is_free(hanging_leader: socket.socket) -> None:
    listen = address(hanging_leader)
    serving = asyncio.create_task(RtdsActuator(listen, lambda: True).run())
    done, _ = await asyncio.wait({serving}, timeout=0.3)
    assert not done
    hanging_leader.close()
    async with asyncio.timeout(60), grpc.aio.insecure_channel(listen) as channel:
        await channel.channel_ready()
    serving.cancel()
    await asyncio.wait({serving})


async def test_an_address_that_stays_in_use_raises_a_one_line_error(hanging_leader: socket.socket) -> None:
    with pytest.raises(ListenError, match=r"envoy\.rtds_listen: cannot listen on 127\.0\.0\.1:\d+"):
        await RtdsActuator(address(hanging_leader), lambda: True, bind_timeout_s=0).run()


async def test_a_connection_without_data_stays_open_at_any_rate_of_pings(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/rtds.sock"
    serving = asyncio.create_task(RtdsActuator(listen, lambda: True).run())
    async with asyncio.timeout(60), grpc.aio.insecure_channel(listen) as channel:
        await channel.channel_ready()
    answered = await answered_pings(listen, 20)
    serving.cancel()
    await asyncio.wait({serving})
    assert answered == 20


class AlwaysFreeLease:
    """A leader's lease that can always be acquired."""

    owner, duration, fence = "me", 0.04, 0

    def __init__(self) -> None:
        self.holds = False

    def held(self) -> bool:
        return self.holds

    async def acquire(self) -> bool:
        self.fence += 1
        self.holds = True
        return True

    async def renew(self) -> bool:
        return True

    def drop(self) -> None:
        self.holds = False

    async def release(self) -> None:
        self.drop()

    def next_try_s(self) -> float:
        return 0.01


class CannotListen(MemoryActuator):
    async def run(self) -> None:
        raise ListenError("envoy.rtds_listen: cannot listen on 127.0.0.1:1: taken")


async def test_a_leader_that_cannot_listen_releases_the_lease_reports_it_and_retries(valid_yaml: str) -> None:
    lease, stop, refusals = AlwaysFreeLease(), asyncio.Event(), 3
    readiness: list[str] = []

    def actuator(_: Any) -> MemoryActuator:
        if lease.fence > 1:
            readiness.append(loop.readiness())
        return CannotListen() if lease.fence <= refusals else MemoryActuator()

    metrics = SteerMetrics(CollectorRegistry())
    loop = SteerLoop(parse_config(valid_yaml), EmptySteeringStore(), lease, actuator, ScriptedEvidenceKind(), metrics)  # type: ignore[arg-type]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(loop.run(stop))
        await eventually(lambda: lease.fence > refusals and lease.held() and bool(loop.workloads.states))
        assert not running.done()
        stop.set()
    assert "envoy.rtds_listen: cannot listen on 127.0.0.1:1: taken" in readiness
    assert not any("Redis" in text for text in readiness)
