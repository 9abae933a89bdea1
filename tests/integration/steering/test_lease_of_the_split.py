"""The lease of a split with a real Envoy: it holds while a scorer renews it, and ends by Envoy's own clock."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from glidepath import runtime_keys
from glidepath.status_and_decisions import CommandKind
from glidepath_ops.local.child_process import Child, free_ports
from tests.integration.steering.test_change_of_leader import leads, scorer, settings
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.steering_client import SteeringClient, steering_client
from tests.support.waiting import eventually

LOST_AFTER_S, GRACE_S = 3, 5
LEASE = runtime_keys.lease_key("chat")


@dataclass(slots=True)
class NamedBackend:
    """A backend that answers with its name, or breaks off each answer after its headers."""

    name: str
    breaks: bool = False

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        return TestServer(app)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not self.breaks:
            return web.Response(text=self.name)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        if request.transport is not None:
            request.transport.abort()
        return response


@dataclass(frozen=True, slots=True)
class Lab:
    """A real Envoy, two backends that answer with their name, and the scorers' configuration file."""

    envoy: RunningEnvoy
    file: Path
    client: SteeringClient
    onprem: NamedBackend

    async def served_by(self) -> str:
        """Return the name of the backend that answers a request, or the error that the client sees instead."""
        try:
            async with self.client.http.post(f"{self.envoy.live}/v1/chat/completions", json={}) as response:
                return await response.text() if response.status == 200 else str(response.status)
        except aiohttp.ClientError as error:
            return type(error).__name__

    async def serves(self, name: str) -> bool:
        return await self.served_by() == name

    async def ramp_up(self) -> None:
        """Give the candidate all requests."""
        await eventually(lambda: self.client.stands("shadow", 0, 1))
        await self.client.order(CommandKind.PROMOTE)
        await eventually(lambda: self.client.stands("validating", 100, 1))
        await eventually(lambda: self.serves("onprem"))

    async def leases_held(self, leader: str = "first") -> int:
        status = await self.client.status()
        return status.leases_held if status is not None and status.leader == leader else 0


@asynccontextmanager
async def lab(folder: Path, redis_url: str, *, actuator: str = "admin", **workload: Any) -> AsyncIterator[Lab]:
    lost: dict[str, Any] = {"if_lost": "baseline", "lost_after": f"{LOST_AFTER_S}s"}
    chat = {
        "match": {"path": "/v1/chat/completions"},
        "baseline": "cloud",
        "candidate": "onprem",
        "sticky": {"random": True},
        "ramp": {"steps": [100]},
        "gates": {"sameness": None},
        **(workload or lost),
    }
    candidate = NamedBackend("onprem")
    async with NamedBackend("cloud").server() as cloud, candidate.server() as onprem:
        servers = {"cloud": cloud, "onprem": onprem}
        backends = {name: {"url": str(one.make_url("")).rstrip("/")} for name, one in servers.items()}
        common = {"backends": backends, "workloads": {"chat": chat}, "scorer": {"lease": "0.5s"}}
        rtds = {"actuator": actuator, "rtds_listen": f"127.0.0.1:{free_ports(1)[0]}"}
        with running_envoy(yaml.safe_dump({**common, "envoy": rtds}), folder) as envoy:
            file = folder / "glidepath.yaml"
            steered = {**common, "envoy": {**rtds, "admin": envoy.admin}, "redis": {"url": redis_url}}
            file.write_text(yaml.safe_dump(steered))
            async with steering_client(settings(file)) as client:
                yield Lab(envoy, file, client, candidate)


@contextmanager
def running(one: Lab, owner: str = "first") -> Iterator[Child]:
    with scorer(one.file, owner) as child:
        yield child


@pytest.mark.parametrize("actuator", ["admin", "rtds"])
async def test_the_lease_holds_while_it_is_renewed_and_ends_when_all_scorers_are_killed(
    tmp_path: Path, redis_url: str, actuator: str
) -> None:
    async with lab(tmp_path, redis_url, actuator=actuator) as one:
        assert await one.served_by() == "cloud"  # Envoy began without a scorer
        with running(one) as first:
            await one.ramp_up()
            seen, until = Counter[str](), time.monotonic() + LOST_AFTER_S + 1
            while time.monotonic() < until:
                seen[await one.served_by()] += 1
            assert set(seen) == {"onprem"}
            assert await one.leases_held() == 1
            first.kill()
            await eventually(lambda: one.serves("cloud"), within=LOST_AFTER_S + GRACE_S)
            assert await one.client.has(one.envoy.admin, 10_000)  # the weights stay
        with running(one, "second"):  # and back, without any command
            await eventually(lambda: one.serves("onprem"))


async def test_with_hold_the_split_stays_without_a_scorer(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url, if_lost="hold") as one:
        with running(one) as first:
            await one.ramp_up()
            first.kill()
            until = time.monotonic() + LOST_AFTER_S
            while time.monotonic() < until:
                assert await one.served_by() == "onprem"


async def test_curl_is_above_the_lease(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url) as one:
        with running(one) as first:
            await one.ramp_up()
            one.envoy.modify({LEASE: 0})
            await eventually(lambda: one.serves("cloud"))
            one.envoy.modify({LEASE: 100})

            async def shows_it() -> bool:
                status = await one.client.status()
                return status is not None and status.lease_set_at == (one.envoy.admin,)

            await eventually(shows_it)
            first.kill()
        until = time.monotonic() + LOST_AFTER_S
        while time.monotonic() < until:
            assert await one.served_by() == "onprem"
        one.envoy.modify({LEASE: ""})
        await eventually(lambda: one.serves("cloud"))


async def test_a_change_of_leader_loses_no_lease(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url) as one:
        with running(one) as first:
            await one.ramp_up()
            connections = len(await one.client.redis.client_list())

            async def stands_by() -> bool:
                return len(await one.client.redis.client_list()) > connections

            with running(one, "second"):
                await eventually(stands_by)
                first.kill()
                killed = time.monotonic()
                while time.monotonic() < killed + LOST_AFTER_S + 1 or not await leads(one.client, "second"):
                    assert await one.served_by() == "onprem"
                    assert time.monotonic() < killed + 60
                assert await one.leases_held("second") == 1


async def test_a_drill_lets_the_lease_end_and_leases_again(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url) as one:
        with running(one):
            await one.ramp_up()
            await eventually(lambda: one.leases_held())
            await one.client.order(CommandKind.DRILL, lost=True, force=True)
            await eventually(lambda: one.serves("cloud"), within=LOST_AFTER_S + GRACE_S)
            assert await one.client.has(one.envoy.admin, 10_000)

            async def finished() -> bool:
                return await one.client.logged("drill_finished") is not None

            await eventually(finished)
            await eventually(lambda: one.serves("onprem"))
            done = await one.client.logged("drill_finished")
            assert done is not None
            assert done.details["passed"], done.reason
            assert done.details["confirmed_after_ms"] <= (LOST_AFTER_S + GRACE_S) * 1000
            assert done.details["lost_after_ms"] == LOST_AFTER_S * 1000


async def test_a_drill_without_a_lease_is_refused(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url, if_lost="hold") as one:
        with running(one):
            await one.ramp_up()
            await one.client.order(CommandKind.DRILL, lost=True, force=True)

            async def refused() -> bool:
                decision = await one.client.logged("refused")
                return decision is not None and "if_lost: hold" in decision.reason

            await eventually(refused)


async def test_a_restarted_envoy_without_a_scorer_serves_the_baseline(tmp_path: Path, redis_url: str) -> None:
    async with lab(tmp_path, redis_url, start=100, if_lost="baseline", lost_after="3s") as one:
        assert Counter([await one.served_by() for _ in range(20)]) == {"cloud": 20}


async def test_without_any_process_of_ours_a_failing_candidate_costs_clients_no_more_than_the_lease(
    tmp_path: Path, redis_url: str
) -> None:
    """The candidate breaks off each answer, which no fallback can hide, from the moment the scorer is killed."""
    async with lab(tmp_path, redis_url) as one:
        with running(one) as first:
            await one.ramp_up()
            first.kill()
        one.onprem.breaks = True
        killed, rate, errors = time.monotonic(), 50, 0
        while not await one.serves("cloud"):
            errors += 1
            await asyncio.sleep(1 / rate)
            assert time.monotonic() < killed + LOST_AFTER_S + GRACE_S
        assert 0 < errors <= rate * (LOST_AFTER_S + GRACE_S)
        assert Counter([await one.served_by() for _ in range(rate)]) == {"cloud": rate}
